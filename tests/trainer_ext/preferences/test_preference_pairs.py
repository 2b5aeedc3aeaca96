"""Decoder-only models: prompts, seeded samples, and preference pairs that TRL takes as they are."""

from __future__ import annotations

import json
import random
import runpy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset, load_dataset
from quals.errors import OptionError
from support.mining_data import FEW, copied
from support.tiny import REPOSITORY, WORDS, save_tiny_causal
from transformers import AutoTokenizer

from trainer_ext.cli.main import main
from trainer_ext.io.tables import read_table
from trainer_ext.mining import sample_candidates
from trainer_ext.mining.prompts import INSTRUCTION, with_prompts
from trainer_ext.mining.summarizer import load_summarizer
from trainer_ext.rerank import best_of

SAMPLING = ["--num-candidates", "4", "--generation-max-length", "8", "--sampling-batch-tokens", "600"]


@pytest.fixture(scope="module", params=["chat", "plain"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_causal(tmp_path_factory.mktemp("causal"), chat=request.param == "chat")


def texts(count: int) -> list[str]:
    rng = random.Random(0)
    content = [word for word in WORDS if word.isalpha()]
    return [" ".join(rng.choices(content, k=rng.randrange(3, 15))) for _ in range(count)]


def prompted(folder: Path, sources: list[str], **options: Any) -> tuple[Any, Any, Dataset]:
    model, tokenizer = load_summarizer(str(folder), "cpu")
    rows = Dataset.from_dict({"source": sources})
    return model, tokenizer, with_prompts(rows, model, tokenizer, "source", None, **{"max_length": 8, **options})


def test_a_prompt_is_what_the_chat_template_makes_of_it(folder: Path) -> None:
    _, tokenizer, rows = prompted(folder, ["the king won", "a </s> dog"])
    first, second = rows["input_ids"]
    if tokenizer.chat_template:
        messages = [{"role": "user", "content": rows["prompt"][0]}]
        text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        assert rows["prompt"][0] == INSTRUCTION + "the king won"
    else:
        text = "<s>" + rows["prompt"][0]
        assert rows["prompt"][0] == INSTRUCTION + "the king won\n\nSummary:\n"
    assert first == tokenizer(text, add_special_tokens=False)["input_ids"]
    # A typed special token stays text: as many as the template has, and no more.
    assert second.count(tokenizer.eos_token_id) == first.count(tokenizer.eos_token_id)


def test_a_long_source_is_cut_and_the_instruction_is_not(folder: Path) -> None:
    long = " ".join(["the king won"] * 60)
    _, tokenizer, rows = prompted(folder, [long, "a dog"], instruction="what did joshua ? ")
    assert len(rows["input_ids"][0]) == 128 - 8
    assert rows["input_ids"][0][-1:] == rows["input_ids"][1][-1:]
    ids = tokenizer(rows["prompt"][0], add_special_tokens=False)["input_ids"]
    assert "".join(map(str, ids)) in "".join(map(str, rows["input_ids"][0]))
    _, _, rows = prompted(folder, [long], instruction="what ? ", max_source_length=3)
    assert rows["prompt"][0].startswith("what ? the king won")
    assert rows["prompt"][0].count("king") == 1
    with pytest.raises(OptionError, match="no source fits"):
        prompted(folder, [long], max_length=120)


def test_padding_on_the_left_leaves_each_row_its_own_answer(folder: Path) -> None:
    """Nearly greedy samples of a batch of several lengths are what each prompt alone is answered."""
    model, tokenizer, rows = prompted(folder, texts(6))
    greedy = replace(FEW, num_candidates=1, top_k=1, max_length=8, batch_tokens=10_000)
    sampled = sample_candidates(model, rows, greedy, progress=False)
    for ids, (labels,) in zip(rows["input_ids"], sampled["candidate_labels"], strict=True):
        with torch.no_grad():
            alone = model.generate(
                input_ids=torch.tensor([ids]), attention_mask=torch.ones(1, len(ids)), max_new_tokens=8, do_sample=False
            )[0, len(ids) :].tolist()
        ends = alone.index(tokenizer.eos_token_id) + 1 if tokenizer.eos_token_id in alone else len(alone)
        assert labels == [token for token in alone[:ends] if token != tokenizer.pad_token_id]
        assert 1 <= len(labels) <= 8


def test_samples_are_seeded_and_are_kept(folder: Path, tmp_path: Path) -> None:
    model, _, rows = prompted(folder, texts(12))
    few = replace(FEW, max_length=8, batch_tokens=600)
    first = sample_candidates(model, rows, few, folder=tmp_path, progress=False)["candidate_labels"]
    assert sample_candidates(model, rows, few, progress=False)["candidate_labels"] == first
    assert len({str(ids) for candidates in first for ids in candidates}) > 12
    assert sample_candidates(model, rows, replace(few, seed=1), progress=False)["candidate_labels"] != first
    kept = sorted(path.name for path in tmp_path.glob("*/chunk-*.json"))
    assert len(kept) >= 2


def test_reranking_takes_decoder_only_models_too(folder: Path) -> None:
    best = best_of(folder, texts(4), 3, copied, sampling=replace(FEW, max_length=8), device="cpu", progress=False)
    assert [len(one.candidates) for one in best] == [3] * 4


def mined(folder: Path, qagen: Path, path: Path, reference: bool, *options: str) -> int:
    sources = texts(16)
    rows = [{"source": text} | ({"summary": " ".join(text.split()[:3])} if reference else {}) for text in sources]
    (path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    command = ["mine", str(path / "in.jsonl"), "--model", str(folder), "--output", str(path / "pairs.jsonl")]
    command += ["--device", "cpu", "--checkpoint", str(qagen), *SAMPLING, *([] if reference else ["--no-reference"])]
    return main([*command, *options])


def test_pairs_are_mined_and_trl_trains_on_them(
    folder: Path, qagen: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert mined(folder, qagen, tmp_path, reference=False) == 0
    rows = [dict(row) for row in read_table(tmp_path / "pairs.jsonl")]
    assert rows
    chat = AutoTokenizer.from_pretrained(folder).chat_template is not None
    for row in rows:
        assert list(row) == ["prompt", "chosen", "rejected"]
        if chat:
            assert [row["prompt"][0]["role"], row["chosen"][0]["role"]] == ["user", "assistant"]
            row |= {name: row[name][0]["content"] for name in row}
        assert row["prompt"].startswith(INSTRUCTION)
        assert row["chosen"].strip()
        assert row["chosen"] != row["rejected"]
    trl = pytest.importorskip("trl", reason="needs the extra trl")
    output = tmp_path / "out"
    options = ["--max_steps", "2", "--use_cpu", "--bf16", "false", "--report_to", "none", "--save_strategy", "no"]
    options += ["--per_device_train_batch_size", "2", "--output_dir", str(output)]
    command = ["dpo.py", "--model_name_or_path", str(folder), "--train_file", str(tmp_path / "pairs.jsonl"), *options]
    monkeypatch.setattr("sys.argv", command)
    runpy.run_path(str(REPOSITORY / "examples" / "dpo.py"), run_name="__main__")
    assert (output / "model.safetensors").is_file()
    arguments = trl.KTOConfig(
        output_dir=str(output),
        max_steps=2,
        use_cpu=True,
        bf16=False,
        report_to=[],
        save_strategy="no",
        per_device_train_batch_size=2,
    )
    data = load_dataset("json", data_files=str(tmp_path / "pairs.jsonl"), split="train", cache_dir=str(tmp_path / "c"))
    trainer = trl.KTOTrainer(
        str(folder), args=arguments, train_dataset=data, processing_class=AutoTokenizer.from_pretrained(folder)
    )
    trainer.train()
    assert trainer.state.global_step == 2


def test_rules_that_give_no_pairs_are_refused(
    folder: Path, qagen: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert mined(folder, qagen, tmp_path, False, "--selection", "one_sided") == 2
    assert "The rule one_sided gives no pairs without references" in capsys.readouterr().err
    assert mined(folder, qagen, tmp_path, False, "--selection", "all") == 2
    assert "take per_document" in capsys.readouterr().err
    assert mined(folder, qagen, tmp_path, False, "--steps", "sample") == 0
    assert "candidates" in dict(read_table(tmp_path / "pairs.jsonl")[0])


def test_grpo_example(qagen: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("trl", reason="needs the extra trl")
    folder = save_tiny_causal(tmp_path / "model")
    (tmp_path / "train.jsonl").write_text("".join(json.dumps({"document": text}) + "\n" for text in texts(8)))
    options = ["--max_steps", "2", "--use_cpu", "--bf16", "false", "--report_to", "none", "--save_strategy", "no"]
    options += ["--per_device_train_batch_size", "4", "--num_generations", "4", "--max_completion_length", "6"]
    options += ["--output_dir", str(tmp_path / "out"), "--qagen", str(qagen)]
    command = ["grpo.py", "--model_name_or_path", str(folder), "--train_file", str(tmp_path / "train.jsonl"), *options]
    monkeypatch.setattr("sys.argv", command)
    runpy.run_path(str(REPOSITORY / "examples" / "grpo.py"), run_name="__main__")
    assert (tmp_path / "out" / "model.safetensors").is_file()
