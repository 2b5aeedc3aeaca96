"""The example runs as it stands, and as an ordinary fine-tuning script with the stock classes in the import."""

from __future__ import annotations

import json
import os
import random
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from datasets import Dataset
from support.tiny import REPOSITORY, WORDS, tiny_tokenizer, train_tiny_qagen

from trainer_ext import ContrastiveSeq2SeqTrainingArguments

SCRIPT = REPOSITORY / "examples" / "summarization.py"
OURS = """from trainer_ext import ContrastiveSeq2SeqTrainer as Seq2SeqTrainer
from trainer_ext import ContrastiveSeq2SeqTrainingArguments as Seq2SeqTrainingArguments
"""
STOCK = "from transformers import Seq2SeqTrainer, Seq2SeqTrainingArguments\n"
CONTENT = [word for word in WORDS if word.isalpha() and len(word) > 2]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny summarizer that copies three words and stops, and data like what it learnt."""
    folder = tmp_path_factory.mktemp("example")
    train_tiny_qagen(folder / "model", lambda rng, text: " ".join(text[:3]))
    tiny_tokenizer().save_pretrained(folder / "model")
    rng = random.Random(0)
    for name, count in (("train", 12), ("validation", 2)):
        texts = [[rng.choice(CONTENT) for _ in range(rng.randrange(4, 9))] for _ in range(count)]
        rows = [{"document": " ".join(text), "summary": " ".join(text[:3])} for text in texts]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def run(script: Path, files: Path, output: Path, *options: str) -> str:
    command = [sys.executable, str(script), "--model_name_or_path", str(files / "model")]
    command += ["--train_file", str(files / "train.jsonl"), "--validation_file", str(files / "validation.jsonl")]
    command += ["--output_dir", str(output), "--do_train", "--do_eval", "--predict_with_generate"]
    command += ["--max_target_length", "8", "--generation_max_length", "8", "--report_to", "none", "--use_cpu"]
    command += ["--num_train_epochs", "1", "--save_strategy", "no", *options]
    paths = os.pathsep.join(map(str, (REPOSITORY, REPOSITORY / "metrics")))
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_it_trains_for_facts(files: Path, tmp_path: Path) -> None:
    run(SCRIPT, files, tmp_path / "out", "--ranker", "rouge", "--num_candidates", "3", "--card_documents", "0")
    metrics = json.loads((tmp_path / "out" / "eval_results.json").read_text())
    assert {"eval_quals", "eval_rougeL", "eval_generated_length"} <= set(metrics)
    card = (tmp_path / "out" / "README.md").read_text()
    assert "Candidates: sampled from the model itself, ranked by rouge." in card
    assert (tmp_path / "out" / "model.safetensors").is_file()


def test_a_prefix_stands_before_every_document(tmp_path: Path) -> None:
    """And not before the summaries, so that a T5 trains on what `quals mine` showed it."""
    script = runpy.run_path(str(SCRIPT))
    dataset = Dataset.from_dict({"document": ["the cat", "the dog"], "summary": ["a cat", "a dog"]})
    tokenizer, args = (
        tiny_tokenizer(),
        ContrastiveSeq2SeqTrainingArguments(str(tmp_path), report_to="none", use_cpu=True),
    )
    rows = script["tokenized"](dataset, tokenizer, script["DataArguments"]("model", source_prefix="who in "), args)
    assert rows["input_ids"][:] == tokenizer(["who in the cat", "who in the dog"])["input_ids"]
    assert rows["labels"][:] == tokenizer(["a cat", "a dog"])["input_ids"]


def test_with_the_stock_classes_it_is_an_ordinary_script(files: Path, tmp_path: Path) -> None:
    text = SCRIPT.read_text()
    assert OURS in text, "the README shows these two lines as the difference"
    plain = tmp_path / "plain.py"
    plain.write_text(text.replace(OURS, STOCK))
    run(plain, files, tmp_path / "out")
    assert "QUALS" not in (tmp_path / "out" / "README.md").read_text()
