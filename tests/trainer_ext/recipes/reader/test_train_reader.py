"""The reader recipe: rows that point at answers, and from files to a folder with a card, on a tiny encoder."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard
from qags.reader import load_reader
from support.readers import CONTENT, pair_tokenizer, save_reader, tiny_reader
from support.tiny import save_left
from torch import Tensor
from torch.nn import Module
from transformers import BertForSequenceClassification

from trainer_ext.cli.main import main
from trainer_ext.recipes.qa_data import Passage, QAPair, read_passages
from trainer_ext.recipes.reader.data import Asked, asked_questions, reader_rows
from trainer_ext.recipes.reader.quality import measure_reader


def write_data(path: Path, passages: int, seed: int, unanswerable: bool = False, lengths: int = 1) -> Path:
    """Passages of five words or some more with questions "who did WORD ?", two passages to an article."""
    rng = random.Random(seed)
    with path.open("w", encoding="utf-8") as file:
        for number in range(passages):
            words = rng.sample(CONTENT, 5 + number % lengths)
            qas: list[dict[str, Any]] = [{"question": f"who did {word} ?", "answers": [word]} for word in words[:3]]
            if unanswerable:
                other = next(word for word in CONTENT if word not in words)
                qas.append({"question": f"who did {other} ?", "answers": [], "is_impossible": True})
            file.write(json.dumps({"title": f"t{number // 2}", "context": " ".join(words), "qas": qas}) + "\n")
    return path


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    base = tmp_path / "base"
    tiny_reader().bert.save_pretrained(base)
    pair_tokenizer().save_pretrained(base)
    return {
        "base": base,
        "train": write_data(tmp_path / "train.jsonl", 3000, 0),
        "dev": write_data(tmp_path / "dev.jsonl", 20, 1),
        "test": write_data(tmp_path / "test.jsonl", 20, 2, unanswerable=True),
        "out": tmp_path / "reader-tiny",
    }


def command(files: dict[str, Path], **options: Any) -> list[str]:
    settings = {
        "model": files["base"],
        "train_file": files["train"],
        "validation_file": files["dev"],
        "test_file": files["test"],
        "output_dir": files["out"],
        "epochs": 3,
        "learning_rate": 2e-3,
        "batch_size": 32,
        "max_tokens": 64,
        "eval_steps": 200,
        "dtype": "float32",
        "credit": "Invented rows, no licence needed",
        **options,
    }
    flat = [part for name, value in settings.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    return ["train", "reader", *flat, "--no-bf16"]


def test_rows_point_at_the_answer() -> None:
    tokenizer = pair_tokenizer()
    passage = "the cat saw the red king of paris and a river " * 12
    start = passage.rindex("red king")
    asked = [Asked("who did king ?", passage, start, start + len("red king")), Asked("who ?", passage, None, None)]
    rows = reader_rows(asked, tokenizer, 64, overlap=16)
    found = []
    for ids, first, last in zip(rows["input_ids"], rows["start_positions"], rows["end_positions"], strict=True):
        assert len(ids) <= 64
        assert (first == 0) == (last == 0)
        if first:
            found.append(tokenizer.decode(ids[first : last + 1]))
    assert found == ["red king"]
    assert len(rows) > 3


@pytest.mark.parametrize("max_tokens", [16, 17, 40, 64])
def test_rows_of_long_questions_are_those_that_the_reader_reads(tmp_path: Path, max_tokens: int) -> None:
    reader = replace(load_reader(str(save_reader(tmp_path, tiny_reader()))), max_tokens=max_tokens)
    passage = "the cat saw the red king of paris and a river " * 9
    seen: list[list[int]] = []

    def see(model: Module, _: object, inputs: dict[str, Tensor]) -> None:
        lengths = inputs["attention_mask"].sum(1).tolist()
        seen.extend(ids[:length] for ids, length in zip(inputs["input_ids"].tolist(), lengths, strict=True))

    reader.model.register_forward_pre_hook(see, with_kwargs=True)
    for words in (1, 3, 4, 5, 13, 16, 17, 60, 300):
        question = "king " * words
        rows = reader_rows([Asked(question, passage, 0, 3)], reader.tokenizer, max_tokens)
        seen.clear()
        reader.read([question], [passage])
        assert sorted(seen) == sorted(rows["input_ids"])


def test_no_rows_are_refused() -> None:
    abstractive = Passage("cat a", (QAPair("who ?", ("king",), None),))
    with pytest.raises(ValueError, match="no question"):
        reader_rows(list(asked_questions([abstractive], 0.0, random.Random(0))), pair_tokenizer(), 64)


def test_every_question_is_asked_and_some_again_elsewhere() -> None:
    passages = [
        Passage(text, (QAPair(f"who did {text.split()[0]} ?", (text.split()[0],), 0),), title)
        for text, title in (("cat a", "x"), ("dog b", "x"), ("king c", "y"), ("queen d", "y"))
    ]
    plain = list(asked_questions(passages, 0.0, random.Random(0)))
    assert [one.passage[one.start : one.end] for one in plain] == ["cat", "dog", "king", "queen"]
    again = [one for one in asked_questions(passages, 1.0, random.Random(0)) if one.start is None]
    assert len(again) == 4
    titles = {passage.text: passage.title for passage in passages}
    for one in again:
        word = one.question.split()[2]
        assert word not in one.passage
        own = next(passage for passage in passages if passage.text.startswith(word))
        assert titles[one.passage] == own.title, "of the same article, which is harder to tell"
    impossible = Passage("cat a", (QAPair("who ?", (), None),))
    assert list(asked_questions([impossible], 1.0, random.Random(0))) == [Asked("who ?", "cat a", None, None)]


def test_a_reader_with_its_card(files: dict[str, Path]) -> None:
    assert main(command(files)) == 0
    quality = json.loads((files["out"] / "quality.json").read_text())
    assert quality["dev.jsonl"]["answered"] == 60
    assert quality["dev.jsonl"]["unanswered_right"] is None
    assert quality["test.jsonl"]["unanswered"] == 20
    assert quality["test.jsonl"]["answered_f1"] > 0.7
    assert quality["test.jsonl"]["unanswered_right"] > 0.3
    card = ModelCard.load(files["out"] / "README.md").text
    assert f"| test.jsonl | {quality['test.jsonl']['answered_f1']:.3f} | 60 |" in card
    assert "| 60 | \N{EN DASH} | 0 |" in card, "of questions without an answer there are none"
    assert "9,000 questions about 3,000 passages, and 40% of them again" in card
    again = measure_reader(load_reader(str(files["out"])), read_passages(str(files["test"]), unanswerable=True))
    assert again.f1 == pytest.approx(quality["test.jsonl"]["f1"], abs=1e-6)
    written = json.loads((files["out"] / "tokenizer_config.json").read_text())
    assert not {"is_local", "local_files_only"} & set(written), "true of this machine only"
    # The same command again finds everything done, and another recipe is not gone on with.
    weights = (files["out"] / "model.safetensors").read_bytes()
    assert main(command(files)) == 0
    assert (files["out"] / "model.safetensors").read_bytes() == weights


def test_files_of_one_name_are_told_apart(files: dict[str, Path], tmp_path: Path) -> None:
    dev, test = tmp_path / "one" / "dev.jsonl", tmp_path / "two" / "dev.jsonl"
    for path, name in ((dev, "dev"), (test, "test")):
        path.parent.mkdir()
        files[name].rename(path)
    assert main(command(files, validation_file=dev, test_file=test, epochs=0.1)) == 0
    quality = json.loads((files["out"] / "quality.json").read_text())
    assert {name: one["unanswered"] for name, one in quality.items()} == {"one/dev.jsonl": 0, "two/dev.jsonl": 20}
    card = (files["out"] / "README.md").read_text()
    assert all(f"| {name} |" in card for name in quality)


def test_the_sides_of_its_tokenizer_are_of_no_account(files: dict[str, Path], tmp_path: Path) -> None:
    write_data(files["train"], 100, 0, lengths=6)
    weights = []
    for side in ("right", "left"):
        if side == "left":
            save_left(pair_tokenizer(), files["base"])
        assert main(command(files, output_dir=tmp_path / side, max_tokens=16)) == 0
        weights.append((tmp_path / side / "model.safetensors").read_bytes())
    assert weights[0] == weights[1]


def test_another_recipe_is_not_gone_on_with(files: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    short = {"epochs": 0.2, "eval_steps": 2}
    assert main(command(files, **short)) == 0
    assert main(command(files, **short, seed=4)) == 2
    assert "another recipe" in capsys.readouterr().err
    assert main([*command(files, **short, seed=4), "--no-resume"]) == 0


def test_a_model_of_other_labels_gets_a_new_head(files: dict[str, Path]) -> None:
    """Such as one that was trained on inference between sentences."""
    labels = dict(enumerate(("entailment", "neutral", "contradiction")))
    names = {name: label for label, name in labels.items()}
    BertForSequenceClassification.from_pretrained(files["base"], id2label=labels, label2id=names).save_pretrained(
        files["base"]
    )
    write_data(files["train"], 40, 0)
    assert main(command(files, epochs=1)) == 0
    assert load_reader(str(files["out"])).model.config.num_labels == 2


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"unanswered": 2}, "unanswered"),
        ({"epochs": 0}, "epochs"),
        ({"epochs": "inf"}, "epochs is inf"),
        ({"batch_size": 0}, "batch"),
        ({"max_tokens": 15}, "max_tokens is 15"),
        ({"model": "xx/nowhere"}, "nowhere"),
        ({"test_file": "xx-nowhere"}, "xx-nowhere"),
    ],
)
def test_mistakes_are_one_line(
    files: dict[str, Path], options: dict[str, Any], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(files, **options)) == 2
    [line] = [line for line in capsys.readouterr().err.splitlines() if line.startswith("quals ")]
    assert reason in line
    assert not files["out"].exists() or not list(files["out"].glob("*.safetensors"))
