"""What cannot be mined or trained on is refused before the work."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset, IterableDataset
from support.families import family
from support.tiny import REPOSITORY, tiny_model, tiny_tokenizer
from support.trainer_runs import Counting, arguments, documents, load, losses, trainer
from transformers import (
    DataCollatorForSeq2Seq,
    FSMTConfig,
    FSMTForConditionalGeneration,
    ProphetNetConfig,
    ProphetNetForConditionalGeneration,
    Seq2SeqTrainer,
    Seq2SeqTrainingArguments,
)

from trainer_ext import ContrastiveSeq2SeqTrainer
from trainer_ext.checks import check_model, usable_checkpoint

BROUGHT = documents(3).add_column("candidate_labels", [[[1, 2]]] * 3)


def test_data_that_cannot_be_mined_are_named(tmp_path: Path, summarizer: Path) -> None:
    stream = IterableDataset.from_generator(lambda: iter(documents(3).to_list()))
    found = trainer(tmp_path, load(summarizer), train_dataset=stream, ranker=Counting(), max_steps=1)
    with pytest.raises(ValueError, match="mining needs all rows at hand"):
        found.train()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ranker": "rogue"}, "The ranker is 'rogue'"),
        ({"ranker": lambda *_, texts=(x for x in "ab"): []}, "cannot be hashed"),
        ({"ranker_checkpoint": "/nowhere"}, "No QAGen could be loaded"),
        ({"source_column": "article"}, "no column 'article'"),
        ({"reference_column": "summary"}, "no column 'summary'"),
        ({"train_dataset": documents(3).remove_columns("labels")}, "has no labels"),
        ({"train_dataset": documents(3).remove_columns("labels"), "selection": "per_document"}, "has no labels"),
        ({"train_dataset": BROUGHT, "selection": "all"}, "score them first"),
        ({"train_dataset": BROUGHT.remove_columns("labels")}, "has no labels"),
    ],
)
def test_what_cannot_be_mined_or_trained_on_is_refused_before_the_work(
    tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        trainer(tmp_path, tiny_model("bart"), mle_epochs=1.0, **options).train()
    assert not list(tmp_path.iterdir())


def test_split_weights_and_a_missing_tokenizer_are_refused_before_the_work(tmp_path: Path) -> None:
    split = trainer(tmp_path, tiny_model("bart"), ranker=Counting(), mle_epochs=1.0)
    split.is_fsdp_enabled = True
    with pytest.raises(ValueError, match="FSDP"):
        split.train()
    args = arguments(tmp_path, mle_epochs=1.0)
    untold = ContrastiveSeq2SeqTrainer(tiny_model("bart"), args, train_dataset=documents(3), ranker=Counting())
    with pytest.raises(ValueError, match="give processing_class"):
        untold.train()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_weights_that_would_hardly_move_are_warned_of(
    tmp_path: Path, dtype: torch.dtype, caplog: pytest.LogCaptureFixture
) -> None:
    trainer(tmp_path, tiny_model("bart").to(dtype), train_dataset=BROUGHT)
    assert (f"weights are {dtype}" in caplog.text) == (dtype != torch.float32)


@pytest.mark.parametrize("path", ["nowhere", "empty"])
def test_a_wrong_checkpoint_is_refused_before_the_work(tmp_path: Path, summarizer: Path, path: str) -> None:
    (tmp_path / "empty").mkdir()
    ranker = Counting()
    found = trainer(tmp_path / "out", load(summarizer), ranker=ranker)
    with pytest.raises(ValueError, match=f"resume_from_checkpoint.*{path}"):
        found.train(resume_from_checkpoint=str(tmp_path / path))
    assert ranker.calls == 0
    assert not (tmp_path / "out" / "_mining").exists()


@pytest.mark.parametrize("last", [True, False])
def test_a_checkpoint_of_the_fine_tuning_is_refused_before_the_work(
    tmp_path: Path, summarizer: Path, last: bool
) -> None:
    """Scripts resume from whatever their output_dir has; Trainer would train no step after its last one."""
    args = Seq2SeqTrainingArguments(
        str(tmp_path), per_device_train_batch_size=1, max_steps=4, save_steps=2, logging_steps=1, use_cpu=True,
        report_to="none",
    )  # fmt: skip
    model = load(summarizer)
    collator = DataCollatorForSeq2Seq(tiny_tokenizer(), model=model)
    Seq2SeqTrainer(model, args, train_dataset=documents(4), data_collator=collator).train()
    ranker = Counting()
    found = trainer(tmp_path, load(summarizer), ranker=ranker, train_dataset=documents(4))
    with pytest.raises(ValueError, match=r"checkpoint-\d is of a training without candidates.* new output_dir"):
        found.train(resume_from_checkpoint=last or str(tmp_path / "checkpoint-2"))
    assert ranker.calls == 0
    assert not (tmp_path / "_mining").exists()


@pytest.mark.parametrize("given", ["True", "true", "False"])
def test_true_and_false_from_a_command_line_are_no_folders(tmp_path: Path, summarizer: Path, given: str) -> None:
    found = trainer(tmp_path, load(summarizer), ranker=Counting(), selection="all", train_dataset=documents(4))
    found.train(resume_from_checkpoint=given)
    assert found.state.global_step == 1


def test_processes_that_believe_they_are_alone_do_no_work(
    tmp_path: Path, summarizer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = trainer(tmp_path, load(summarizer), ranker=Counting(), mle_epochs=1.0, train_dataset=documents(4))
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match="WORLD_SIZE is 2, but this process works alone"):
        found.train()
    assert not (tmp_path / "_mle").exists()


def test_a_folder_that_another_process_will_make_has_no_checkpoint(tmp_path: Path) -> None:
    assert usable_checkpoint(True, str(tmp_path / "out")) is None


def test_a_tokenizer_without_a_pad_token_is_refused_before_the_work(tmp_path: Path, summarizer: Path) -> None:
    ranker, found = Counting(), trainer(tmp_path, load(summarizer), train_dataset=documents(4))
    found.ranker = ranker
    found.data_collator.tokenizer.pad_token = None
    with pytest.raises(ValueError, match=r"pad_token = tokenizer\.eos_token"):
        found.train()
    assert ranker.calls == 0


def test_encoder_inputs_of_the_collator_alone_are_refused(tmp_path: Path) -> None:
    stock = DataCollatorForSeq2Seq(tiny_tokenizer())

    def collator(rows: list[dict[str, Any]]) -> Any:
        batch = stock(rows)
        return {**batch, "global_attention_mask": torch.zeros_like(batch["input_ids"])}

    ranker = Counting()
    found = ContrastiveSeq2SeqTrainer(
        family("led"),
        arguments(tmp_path),
        collator,
        documents(4),
        processing_class=tiny_tokenizer(),
        ranker=ranker,
    )
    with pytest.raises(ValueError, match="global_attention_mask"):
        found.train()
    assert ranker.calls == 0


def test_a_ranker_by_an_unknown_name_is_refused_in_the_arguments(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"bleurt.*quals, rouge"):
        arguments(tmp_path, ranker="bleurt")


def test_rows_that_are_made_when_they_are_read_are_mined_and_trained_on(tmp_path: Path, summarizer: Path) -> None:
    plain, ranker = documents(6), Counting()
    texts = Dataset.from_dict({"place": list(range(6))})

    def tokenized(batch: dict[str, list[int]]) -> dict[str, list[Any]]:
        rows = [plain[place] for place in batch["place"]]
        return {name: [torch.tensor(row[name]) for row in rows] for name in rows[0]}

    found = trainer(
        tmp_path,
        load(summarizer),
        ranker=ranker,
        train_dataset=texts.with_transform(tokenized),
        selection="all",
        remove_unused_columns=False,
    )
    found.train()
    assert found.mined_dataset is not None
    assert found.mined_dataset["input_ids"] == plain["input_ids"]
    assert losses(found, "mle_loss")


def test_without_the_extra_its_name_is_told() -> None:
    code = "import sys; sys.modules['accelerate'] = None; import trainer_ext; trainer_ext.ContrastiveSeq2SeqTrainer"
    paths = os.pathsep.join(map(str, (REPOSITORY, REPOSITORY / "metrics")))
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True
    )
    assert done.returncode != 0
    assert 'pip install ".[train]"' in done.stderr


@torch.no_grad()
def test_prophetnet_is_warned_of_as_long_as_padding_changes_its_likelihoods(caplog: pytest.LogCaptureFixture) -> None:
    torch.manual_seed(0)
    sizes = {"vocab_size": 64, "hidden_size": 16, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32}
    layers = {"num_encoder_layers": 1, "num_decoder_layers": 1}
    heads = {"num_encoder_attention_heads": 2, "num_decoder_attention_heads": 2}
    config = ProphetNetConfig(**sizes, **layers, **heads, init_std=0.4, decoder_start_token_id=1)
    model = ProphetNetForConditionalGeneration(config).eval()
    source, summary, padding = torch.tensor([[5, 6, 7]]), [1, 8, 9, 10], 4
    states = model.prophetnet.encoder(source)
    alone, padded = (
        model(
            encoder_outputs=states,
            decoder_input_ids=torch.tensor([summary + [0] * more]),
            decoder_attention_mask=torch.tensor([[1] * len(summary) + [0] * more]),
            use_cache=False,
        ).logits[:, : len(summary)]
        for more in (0, padding)
    )
    assert (alone - padded).abs().max() > 0.1, "transformers has mended it: take the warning away"
    check_model(model)
    assert "likelihoods depend on the padding" in caplog.text
    caplog.clear()
    check_model(tiny_model("bart"))
    assert not caplog.text


def test_fsmt_is_warned_of_as_long_as_it_makes_tokens_of_padding(caplog: pytest.LogCaptureFixture) -> None:
    sizes = {"d_model": 16, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32, "encoder_layers": 1, "decoder_layers": 1}
    heads = {"encoder_attention_heads": 2, "decoder_attention_heads": 2}
    model = FSMTForConditionalGeneration(
        FSMTConfig(langs=["en", "de"], src_vocab_size=64, tgt_vocab_size=64, **sizes, **heads)
    )
    labels = torch.tensor([[5, 2, -100]])
    model.prepare_decoder_input_ids_from_labels(labels=labels)
    assert -100 not in labels, "transformers has mended it: take the warning away"
    check_model(model)
    assert "losses count it" in caplog.text
