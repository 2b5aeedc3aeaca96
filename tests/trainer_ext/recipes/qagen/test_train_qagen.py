"""The whole recipe on a tiny base and a tiny file: what it writes, what it refuses, and that a kill costs nothing."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import ModelCard
from quals.checkpoint import load_qagen
from safetensors.torch import load_file
from support.tiny import WORDS, tiny_model
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer, GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from trainer_ext.cli.main import main
from trainer_ext.recipes.qa_data import read_passages

EVAL_STEPS = 8


def write_base(folder: Path, kind: str = "bart", scale: float = 1.0) -> Path:
    """A seq2seq checkpoint that knows nothing of QAGens: no separator in its vocabulary, dropout as usual.

    ``scale`` multiplies the embeddings: the smaller, the more alike are the words to it.
    """
    special = ["<pad>", "<s>", "</s>", "<unk>"]
    vocabulary = {word: index for index, word in enumerate([*special, *WORDS])}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    backend.normalizer = normalizers.Lowercase()
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )
    model = tiny_model(kind)
    del model.config.qagen_separator
    model.resize_token_embeddings(len(tokenizer))
    model.get_input_embeddings().weight.data.mul_(scale)
    if kind == "bart":
        model.config.dropout = 0.1  # so that a resumed run must also go on with the same random numbers
    else:
        model.config.dropout_rate = 0.1
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def write_data(path: Path, passages: int, seed: int) -> Path:
    """Two-sentence passages about who did what, three of an article, with two questions each."""
    rng = random.Random(seed)
    with path.open("w", encoding="utf-8") as file:
        for number in range(passages):
            who, what, where = (rng.choice(words.split()) for words in ("cat dog king", "mat city", "paris london"))
            won = f"The {who} won the {what} in the red city of {where}."
            context = f"{won} The queen of {where} lost the {what} and the river."
            qas = [
                {"question": f"Who won the {what}?", "answers": [f"The {who}"]},
                {"question": "Where was the queen?", "answers": [where, f"city of {where}"]},
            ]
            file.write(json.dumps({"title": f"t{number // 3}", "context": context, "qas": qas}) + "\n")
    return path


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("data")
    return write_data(folder / "train.jsonl", 100, 0), write_data(folder / "dev.jsonl", 12, 1)


def command(base: Path, data: tuple[Path, Path], output: Path, **options: Any) -> list[str]:
    settings = {
        "--model": base,
        "--train-file": data[0],
        "--validation-file": data[1],
        "--output-dir": output,
        "--epochs": 2,
        "--learning-rate": 5e-3,
        "--warmup-steps": 5,
        "--tokens-per-batch": 64,
        "--gradient-accumulation-steps": 2,
        "--max-tokens": 64,
        "--eval-steps": EVAL_STEPS,
        "--seed": 3,
        "--dtype": "float32",
        "--credit": "Invented rows, no licence needed",
        **{f"--{name.replace('_', '-')}": value for name, value in options.items()},
    }
    flat = [part for name, value in settings.items() for part in (name, str(value))]
    return ["train-qagen", *flat, "--no-bf16"]


@pytest.fixture(scope="module")
def unbroken(base: Path, data: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The QAGen of a run that nobody disturbed."""
    output = tmp_path_factory.mktemp("unbroken") / "tiny-qagen"
    assert main(command(base, data, output)) == 0
    return output


def test_answer_first_makes_a_question_generator_of_a_qagen(
    unbroken: Path, data: tuple[Path, Path], tmp_path: Path
) -> None:
    output = tmp_path / "questioner-tiny"
    assert main([*command(unbroken, data, output, epochs=10), "--answer-first"]) == 0
    config = json.loads((output / "config.json").read_text())
    assert config["questioner_separator"] == "<sep>"
    assert "qagen_separator" not in config
    with pytest.raises(ValueError, match="was not trained as a QAGen"):
        load_qagen(str(output))
    quality = json.loads((output / "quality.json").read_text())
    assert quality["questions"] == 24
    assert quality["negative_log_likelihood"] < 2
    card = ModelCard.load(output / "README.md").text
    assert "made to begin with `answer <sep>`" in card
    assert f"24 questions given their answers, {quality['negative_log_likelihood']:.3f} nats a token" in " ".join(
        card.split()
    )
    tokenizer, model = AutoTokenizer.from_pretrained(output), AutoModelForSeq2SeqLM.from_pretrained(output).eval()
    passage = tokenizer("the cat won the mat in the red city of paris .", return_tensors="pt")

    def loss(target: str) -> float:
        labels = tokenizer(f"{target} </s>", add_special_tokens=False, return_tensors="pt")["input_ids"]
        with torch.no_grad():
            return float(model(**passage, labels=labels).loss)

    assert loss("paris <sep> where was the queen ?") < loss("paris <sep> who won the mat ?")
    assert loss("the cat <sep> who won the mat ?") < loss("the cat <sep> where was the queen ?")


def same_weights(one: Path, other: Path) -> bool:
    ours, theirs = load_file(one / "model.safetensors"), load_file(other / "model.safetensors")
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def step_of(checkpoint: Path) -> int:
    return int(checkpoint.name.removeprefix("checkpoint-"))


def last_state(output: Path) -> dict[str, Any]:
    """The trainer's state in the newest checkpoint that has one; it is the last file of a checkpoint."""
    states = filter(is_json, (output / "checkpoints").glob("checkpoint-*/trainer_state.json"))
    state: dict[str, Any] = json.loads(max(states, key=lambda file: step_of(file.parent)).read_text())
    return state


def test_folder_is_a_qagen(unbroken: Path) -> None:
    config = json.loads((unbroken / "config.json").read_text())
    assert config["qagen_separator"] == "<sep>"
    assert config["dtype"] == "float32"
    qagen = load_qagen(str(unbroken))
    assert qagen.separator_id == len(qagen.tokenizer) - 1
    assert qagen.tokenizer("the cat <sep>", split_special_tokens=True)["input_ids"].count(qagen.separator_id) == 0
    assert not list(unbroken.glob("*.bin"))
    assert {weight.dtype for weight in load_file(unbroken / "model.safetensors").values()} == {torch.float32}


def test_the_best_checkpoint_is_kept_although_later_ones_are_worse(data: tuple[Path, Path], tmp_path: Path) -> None:
    # A base that finds every word equally likely, and words that training never asks for: they only get less likely.
    base = write_base(tmp_path / "base", scale=0.02)
    other = tmp_path / "other.jsonl"
    row = {"context": "Klitschko said boxer blue has did champion.", "question": "Did blue joshua?", "answer": "Boxer"}
    other.write_text(json.dumps(row) + "\n")
    output = tmp_path / "qagen"
    assert main(command(base, (data[0], other), output)) == 0
    losses = evaluations(last_state(output))
    best = min(losses, key=lambda step: losses[step])
    assert losses[best] < losses[max(losses)]
    assert same_weights(output, output / "checkpoints" / f"checkpoint-{best}")
    assert not same_weights(output, output / "checkpoints" / f"checkpoint-{max(losses)}")


def evaluations(state: dict[str, Any]) -> dict[int, float]:
    return {entry["step"]: entry["eval_loss"] for entry in state["log_history"] if "eval_loss" in entry}


def test_it_has_learnt_and_kept_the_best_checkpoint(unbroken: Path) -> None:
    state = last_state(unbroken)
    losses = evaluations(state)
    assert max(losses) == state["global_step"] == state["max_steps"]  # the last step is measured as well
    assert len(losses) >= 4
    assert min(losses.values()) < losses[EVAL_STEPS] - 0.5
    best = min(losses, key=lambda step: losses[step])
    assert state["best_metric"] == losses[best]
    assert same_weights(unbroken, unbroken / "checkpoints" / f"checkpoint-{best}")


def test_measured_quality_is_that_of_the_saved_weights(unbroken: Path) -> None:
    quality = json.loads((unbroken / "quality.json").read_text())
    # All validation passages are measured in training too: two computations of one number.
    assert quality["negative_log_likelihood"] == pytest.approx(last_state(unbroken)["best_metric"], abs=1e-3)
    assert quality["pairs"] == quality["answered"] == 24
    assert 0 <= quality["answer_f1"] <= 1
    assert 0 <= quality["surviving_share"] <= 1


def test_card_states_data_steps_and_quality(data: tuple[Path, Path], unbroken: Path) -> None:
    text = (unbroken / "README.md").read_text(encoding="utf-8")
    state = last_state(unbroken)
    quality = json.loads((unbroken / "quality.json").read_text())
    assert ModelCard(text).data.to_dict()["library_name"] == "transformers"
    card = " ".join(text.split())
    for fact in (
        "# tiny-qagen ",
        "`question <sep> answer`",
        "- Invented rows, no licence needed",
        f"{len(read_passages(str(data[0])))} passages with 200 question-answer pairs",
        f"2 passes, {state['global_step']} steps",
        "label smoothing 0, float32, seed 3",
        "weights stored in float32",
        *(f"| {step} | {loss:.3f} |" for step, loss in evaluations(state).items()),
        f"{state['best_metric']:.3f} nats a token",
        "dev.jsonl",
        f"{quality['negative_log_likelihood']:.3f} |",
        f"{quality['answer_f1']:.3f} |",
        f"{quality['surviving_share']:.3f} |",
    ):
        assert fact in card, fact
    assert str(unbroken.parent) not in card  # no path of this machine
    assert not re.search(r"\b(None|nan|inf)\b|[{}]", card)


def is_json(file: Path) -> bool:
    try:
        json.loads(file.read_text())
    except (FileNotFoundError, ValueError):
        return False
    return True


def train_and_kill(arguments: list[str], output: Path) -> None:
    """Run the command in a process of its own, and kill it once it has written its first checkpoint."""
    code = "import sys; from trainer_ext.cli.main import main; raise SystemExit(main(sys.argv[1:]))"
    log = output.parent / "killed.log"
    with log.open("w") as file:
        process = subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=file, stderr=file)
    try:
        # The state is the last file of a checkpoint.
        first = output / "checkpoints" / f"checkpoint-{EVAL_STEPS}" / "trainer_state.json"
        patience = time.monotonic() + 300
        while not is_json(first) and process.poll() is None and time.monotonic() < patience:
            time.sleep(0.002)
        assert is_json(first), log.read_text()
        time.sleep(0.05)  # a few steps on, which are lost
    finally:
        process.kill()
        process.wait()
    assert process.returncode == -signal.SIGKILL, log.read_text()
    assert not (output / "model.safetensors").exists(), "it had finished"


def test_killed_and_run_again_gives_the_same_weights(
    base: Path, data: tuple[Path, Path], unbroken: Path, tmp_path: Path
) -> None:
    output = tmp_path / "qagen"
    arguments = command(base, data, output)
    train_and_kill(arguments, output)
    state = last_state(output)
    assert 0 < state["global_step"] < last_state(unbroken)["global_step"]
    for file in filter(is_json, (output / "checkpoints").glob("checkpoint-*/trainer_state.json")):
        noted = json.loads(file.read_text())
        noted["log_history"].append({"step": noted["global_step"], "killed": 1})
        file.write_text(json.dumps(noted))
    assert main(arguments) == 0
    assert any("killed" in entry for entry in last_state(output)["log_history"])  # it went on, and did not begin anew
    assert same_weights(output, unbroken)
    assert last_state(output)["best_metric"] == last_state(unbroken)["best_metric"]
    assert (output / "README.md").read_text() == (unbroken / "README.md").read_text().replace("tiny-qagen", "qagen")


def copy_of(unbroken: Path, folder: Path) -> Path:
    """The run as it was after its last checkpoint, before the QAGen was written."""
    shutil.copytree(unbroken / "checkpoints", folder / "checkpoints")
    return folder


def test_killed_after_the_last_step(base: Path, data: tuple[Path, Path], unbroken: Path, tmp_path: Path) -> None:
    output = copy_of(unbroken, tmp_path / "qagen")
    assert main(command(base, data, output)) == 0
    assert same_weights(output, unbroken)
    assert (output / "README.md").is_file()


@pytest.mark.parametrize("written", [[], ["config.json", "model.safetensors"]])
def test_killed_while_a_checkpoint_was_being_written(
    base: Path, data: tuple[Path, Path], unbroken: Path, tmp_path: Path, written: list[str]
) -> None:
    """A checkpoint without its state is no checkpoint: the run goes on from the one before."""
    output = copy_of(unbroken, tmp_path / "qagen")
    steps = last_state(unbroken)["global_step"]
    torn = output / "checkpoints" / f"checkpoint-{steps}"
    assert torn.is_dir()
    assert len(list((output / "checkpoints").glob("checkpoint-*"))) == 2
    for file in list(torn.iterdir()):
        if file.name not in written:
            file.unlink()
        elif file.name == "model.safetensors":
            file.write_bytes(file.read_bytes()[:1000])
    assert main(command(base, data, output)) == 0
    assert same_weights(output, unbroken)


def test_without_resume_nothing_of_the_old_run_is_left(
    base: Path, data: tuple[Path, Path], unbroken: Path, tmp_path: Path
) -> None:
    """Not even checkpoints of later steps, from which the new run would go on after a kill."""
    output = copy_of(unbroken, tmp_path / "qagen")
    shorter = command(base, data, output, learning_rate=1e-6, epochs=1, eval_steps=1000)
    assert main([*shorter, "--no-resume"]) == 0
    assert not same_weights(output, unbroken)
    assert 0 < last_state(output)["max_steps"] < last_state(unbroken)["max_steps"]


def test_another_recipe_never_passes_for_the_new_one(
    base: Path, data: tuple[Path, Path], unbroken: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Checkpoints of other settings are refused, or not used: the card must not lie about the weights."""
    output = copy_of(unbroken, tmp_path / "qagen")
    if main(command(base, data, output, learning_rate=1e-6)) == 0:
        assert not same_weights(output, unbroken)
    else:
        assert "--no-resume" in one_line(capfd.readouterr().err)
        assert not (output / "model.safetensors").exists()


def test_what_comes_after_training_may_change_between_runs(
    base: Path, data: tuple[Path, Path], unbroken: Path, tmp_path: Path
) -> None:
    """A corrected credit, or another dtype, goes on from the checkpoints that are there."""
    output = copy_of(unbroken, tmp_path / "qagen")
    assert main([*command(base, data, output, dtype="float16", base_credit="the tiny base"), "--credit", "more"]) == 0
    text = (output / "README.md").read_text()
    assert "- more\n" in text
    assert "Base: the tiny base\n" in text
    assert last_state(output) == last_state(unbroken)


def test_changed_data_under_the_same_name_never_passes_for_the_old(
    base: Path, data: tuple[Path, Path], unbroken: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    output = copy_of(unbroken, tmp_path / "qagen")
    before = data[0].read_bytes()
    try:
        data[0].write_bytes(before.replace(b"Who won the", b"Who has won the", 1))
        assert main(command(base, data, output)) == 2
    finally:
        data[0].write_bytes(before)
    assert "same options and data" in one_line(capfd.readouterr().err)


def test_the_validation_set_of_a_named_data_set_is_its_validation_split(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder of train and validation files is a data set to the datasets library, as a name on the Hub is."""
    folder = tmp_path / "questions"
    folder.mkdir()
    write_data(folder / "train.jsonl", 100, 0)
    write_data(folder / "validation.jsonl", 7, 1)
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    output = tmp_path / "qagen"
    assert main(command(base, (folder, folder), output, epochs=1)) == 0
    assert "with 200 question-answer pairs" in " ".join((output / "README.md").read_text().split())
    assert json.loads((output / "quality.json").read_text())["pairs"] == 14


def test_the_tokenizer_says_nothing_of_this_machine(unbroken: Path) -> None:
    text = (unbroken / "tokenizer_config.json").read_text()
    assert "local" not in text
    assert str(unbroken.parent) not in text


@pytest.mark.parametrize("kind", ["bart", "t5"])
def test_half_precision_is_stored_when_asked_for(kind: str, data: tuple[Path, Path], tmp_path: Path) -> None:
    output = tmp_path / "qagen"
    output.mkdir()  # an empty folder is no obstacle
    base = write_base(tmp_path / "base", kind)
    assert main(command(base, data, output, dtype="float16", epochs=1)) == 0
    assert {weight.dtype for weight in load_file(output / "model.safetensors").values()} == {torch.float16}
    assert "weights stored in float16" in " ".join((output / "README.md").read_text().split())
    qagen = load_qagen(str(output))
    assert {parameter.dtype for parameter in qagen.model.parameters()} == {torch.float32}
    assert all(parameter.isfinite().all() for parameter in qagen.model.parameters())


def test_a_validation_file_of_short_texts_can_be_measured(base: Path, data: tuple[Path, Path], tmp_path: Path) -> None:
    short = tmp_path / "short.jsonl"
    short.write_text(json.dumps({"context": "The cat won.", "question": "Who won?", "answer": "The cat"}) + "\n")
    output = tmp_path / "qagen"
    assert main(command(base, (data[0], short), output, epochs=1)) == 0
    assert json.loads((output / "quality.json").read_text())["pairs"] == 1


def test_pairs_too_long_to_train_on_are_not_measured(base: Path, data: tuple[Path, Path], tmp_path: Path) -> None:
    rows = data[1].read_text().splitlines()
    long = [{"context": "A cat.", "question": q, "answer": a} for q, a in (("Who?", "king " * 99), ("who " * 99, "A"))]
    file, output = tmp_path / "long.jsonl", tmp_path / "qagen"
    file.write_text("\n".join([*rows, *map(json.dumps, long)]))
    assert main(command(base, (data[0], file), output, epochs=1)) == 0
    quality = json.loads((output / "quality.json").read_text())
    assert quality["pairs"] == quality["answered"] == 2 * len(rows)


@pytest.mark.parametrize("alone", [0, 1])
def test_data_of_long_pairs_alone_are_refused_before_the_work(
    base: Path, data: tuple[Path, Path], tmp_path: Path, alone: int, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "long.jsonl"
    file.write_text(json.dumps({"context": "A cat.", "question": "Who?", "answer": "king " * 99}))
    files = (file, data[1]) if alone == 0 else (data[0], file)
    assert main(command(base, files, tmp_path / "qagen")) == 2
    assert "no pair" in one_line(capfd.readouterr().err)
    assert not (tmp_path / "qagen").exists()


def test_train_files_may_be_filtered_and_several(base: Path, data: tuple[Path, Path], tmp_path: Path) -> None:
    rows = [json.loads(line) for line in data[0].read_text().splitlines()]
    kinds = tmp_path / "kinds.jsonl"
    rows = [{**row, "type": f"t{number % 3}"} for number, row in enumerate(rows)]
    kinds.write_text("".join(json.dumps(row) + "\n" for row in rows))
    output = tmp_path / "qagen"
    arguments = command(base, (Path(f"{kinds}?type=t1"), data[1]), output, epochs=1)
    more = write_data(tmp_path / "more.jsonl", 9, 5)
    assert main([*arguments, "--train-file", str(more)]) == 0
    kept = [row for row in rows if row["type"] == "t1"] + [json.loads(line) for line in more.read_text().splitlines()]
    pairs = sum(len(row["qas"]) for row in kept)
    assert f"with {pairs} question-answer pairs" in " ".join((output / "README.md").read_text().split())


def test_the_last_pass_may_be_a_part(base: Path, data: tuple[Path, Path], tmp_path: Path) -> None:
    steps = {}
    for epochs in (1, 1.5, 2):
        output = tmp_path / f"qagen-{epochs}"
        assert main(command(base, data, output, epochs=epochs, eval_steps=1000)) == 0
        card = " ".join((output / "README.md").read_text().split())
        [(said, steps[epochs])] = re.findall(r"pairs; (\S+) pass(?:es)?, ([\d,]+) steps", card)
        assert said == str(epochs)
    assert int(steps[1]) < int(steps[1.5]) < int(steps[2])


def one_line(error: str) -> str:
    """The message, which is one line after whatever libraries printed before."""
    [message] = [line for line in error.splitlines() if line.startswith("quals train-qagen: ")]
    assert error.rstrip("\n").endswith(message), error
    return message


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"model": "/nowhere/at/all"}, "/nowhere/at/all"),
        ({"train_file": "/nowhere/x.jsonl"}, "/nowhere/x.jsonl"),
        ({"validation_file": "/nowhere/x.jsonl"}, "/nowhere/x.jsonl"),
        ({"train_file": "{train}?kind=absent"}, "no answerable question"),
        ({"train_file": "{train}?kind"}, "kind"),
        ({"max_tokens": 500}, "64"),
        ({"max_tokens": 7}, "max_tokens is 7: give 16 or more"),
        ({"epochs": 0}, "epochs"),
        ({"epochs": "inf"}, "epochs is inf"),
        ({"epochs": "nan"}, "epochs is nan"),
        ({"output_dir": "{train}"}, "train.jsonl"),
        ({"label_smoothing": 5}, "label_smoothing is 5"),
        ({"validation_file": "{train}"}, "to be trained on and to validate"),
    ],
)
def test_mistakes_are_one_line_and_status_2(
    base: Path,
    data: tuple[Path, Path],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    wrong: dict[str, Any],
    message: str,
) -> None:
    options = {name: str(value).format(train=data[0]) for name, value in wrong.items()}
    assert main(command(base, data, tmp_path / "qagen", **options)) == 2
    assert message in one_line(capfd.readouterr().err)


def test_a_base_that_is_no_seq2seq_model_is_refused_in_one_line(
    data: tuple[Path, Path], base: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "gpt2"
    GPT2LMHeadModel(
        GPT2Config(vocab_size=40, n_embd=16, n_layer=1, n_head=2, bos_token_id=1, eos_token_id=2)
    ).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(base / name, folder / name)
    assert main(command(folder, data, tmp_path / "qagen")) == 2
    assert "gpt2" in one_line(capfd.readouterr().err).lower()
    assert os.listdir(tmp_path) == ["gpt2"]
