"""The drop-in: what it leaves alone, what it must not depend on, and that it trains."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from peft import PrefixTuningConfig, get_peft_model
from support.families import FAMILIES, family
from support.tiny import tiny_model, tiny_tokenizer
from support.trainer_runs import arguments, losses, rows, trained, weights
from torch.utils.data import IterableDataset
from transformers import (
    DataCollatorForSeq2Seq,
    HfArgumentParser,
    PreTrainedModel,
    Seq2SeqTrainer,
)

from trainer_ext import ContrastiveSeq2SeqTrainer, ContrastiveSeq2SeqTrainingArguments
from trainer_ext.arguments import make_objective
from trainer_ext.losses import LOSSES

# What it leaves alone.


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("kind", ["bart", "t5"])
def test_without_candidates_every_bit_is_seq2seq_trainers(tmp_path: Path, kind: str, smoothing: float) -> None:
    found = []
    for plain in (True, False):
        args = arguments(
            tmp_path / str(plain),
            plain,
            label_smoothing_factor=smoothing,
            eval_strategy="epoch",
            predict_with_generate=True,
            generation_max_length=8,
            **({} if plain else {"mine_candidates": False}),
        )
        model = tiny_model(kind)
        collator = DataCollatorForSeq2Seq(tiny_tokenizer(), model=model)
        trainer = (Seq2SeqTrainer if plain else ContrastiveSeq2SeqTrainer)(
            model, args, collator, rows(candidates=0), rows(4, 0, seed=1), tiny_tokenizer()
        )
        trainer.train()
        predictions = trainer.predict(rows(4, 0, seed=2)).predictions
        history = [
            {name: value for name, value in entry.items() if "runtime" not in name and "per_second" not in name}
            for entry in trainer.state.log_history
        ]
        for entry in history:
            entry.pop("eval_generated_length", None)  # which only ours has
        found.append((history, weights(model), predictions))
    assert found[0][0] == found[1][0]
    assert all(torch.equal(found[0][1][name], found[1][1][name]) for name in found[0][1])
    assert (found[0][2] == found[1][2]).all()


@pytest.mark.parametrize("kind", ["bart", "t5"])
def test_smoothed_losses_do_not_depend_on_what_the_collator_knows(tmp_path: Path, kind: str) -> None:
    found = []
    same = rows(4, 0).map(lambda row: {"labels": row["input_ids"][::-1]})  # as long as its source
    for knows_the_model in (True, False):
        model, tokenizer = tiny_model(kind), tiny_tokenizer()
        collator = DataCollatorForSeq2Seq(tokenizer, model if knows_the_model else None)
        args = arguments(tmp_path, label_smoothing_factor=0.1, mine_candidates=False)
        trainer = ContrastiveSeq2SeqTrainer(model, args, collator, rows(candidates=0), same)
        trainer.train()
        found.append([*losses(trainer), trainer.evaluate()["eval_loss"]])
    assert found[0] == found[1]


def test_base_signatures_are_kept() -> None:
    for name in ("train", "evaluate", "predict", "push_to_hub", "create_model_card", "prediction_step", "compute_loss"):
        base = inspect.signature(getattr(Seq2SeqTrainer, name))
        ours = inspect.signature(getattr(ContrastiveSeq2SeqTrainer, name))
        assert list(ours.parameters) == list(base.parameters), name


def test_plain_arguments_are_completed_and_not_changed(tmp_path: Path) -> None:
    args = arguments(tmp_path, plain=True, learning_rate=5e-5, label_smoothing_factor=0.2, num_train_epochs=3)
    trainer = ContrastiveSeq2SeqTrainer(tiny_model("bart"), args, train_dataset=rows())
    assert trainer.options.num_candidates == 6
    assert (args.learning_rate, args.label_smoothing_factor, args.num_train_epochs) == (5e-5, 0.2, 3)
    assert trainer.training_objective.label_smoothing == 0.2


def test_the_papers_values_are_the_defaults_and_the_parser_shows_them(tmp_path: Path) -> None:
    (args,) = HfArgumentParser(ContrastiveSeq2SeqTrainingArguments).parse_args_into_dataclasses(
        ["--output_dir", str(tmp_path), "--contrastive_loss", "hinge", "--contrastive_margin", "2", "--use_cpu"]
    )
    assert (args.learning_rate, args.num_train_epochs, args.label_smoothing_factor) == (3e-6, 2.0, 0.1)
    assert (args.num_candidates, args.sampling_top_k, args.selection_fraction) == (6, 50, 0.3)
    assert make_objective(args).loss == LOSSES["hinge"](margin=2.0)
    assert "sampled per document" in HfArgumentParser(ContrastiveSeq2SeqTrainingArguments).format_help()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"contrastive_loss": "triplet"}, "give one of unlikelihood"),
        ({"contrastive_margin": 1.0}, "has no option 'margin'"),
        ({"num_candidates": 0}, "num_candidates"),
        ({"selection_fraction": 0.0}, "fraction"),
        ({"selection": "best"}, "give one of auto, two_sided"),
        ({"mle_epochs": -1.0}, "mle_epochs is -1"),
        ({"contrastive_weight": math.nan}, "contrastive_weight is nan"),
    ],
)
def test_options_out_of_range_are_refused_at_once(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        arguments(tmp_path, **options)


def test_a_loss_function_of_the_users_own_is_not_silently_dropped(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="give contrastive_loss instead"):
        ContrastiveSeq2SeqTrainer(
            tiny_model("bart"), arguments(tmp_path), train_dataset=rows(), compute_loss_func=lambda *_, **__: None
        )


class OwnMean:
    """A loss as transformers tells subclasses to write it: the batch's mean, not yet divided by the accumulation."""

    loss_is_scaled_for_ga = False

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        outputs = model(**inputs)
        return (outputs.loss, outputs) if return_outputs else outputs.loss


class OwnSum:
    """One that divides by the tokens of the optimiser step itself."""

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        logits = model(**inputs).logits  # (B, T, V)
        return torch.nn.functional.cross_entropy(logits.mT, inputs["labels"], reduction="sum") / num_items_in_batch


@pytest.mark.parametrize("own", [OwnMean, OwnSum])
def test_a_subclass_with_a_loss_of_its_own_trains_as_seq2seq_trainers_does(tmp_path: Path, own: type) -> None:
    found = []
    for base in (Seq2SeqTrainer, ContrastiveSeq2SeqTrainer):
        plain = base is Seq2SeqTrainer
        options = {} if plain else {"mine_candidates": False}
        args = arguments(tmp_path, plain, per_device_train_batch_size=2, gradient_accumulation_steps=4, **options)
        model = tiny_model("bart")
        collator = DataCollatorForSeq2Seq(tiny_tokenizer(), model)
        trainer = type("Own", (own, base), {})(model, args, collator, rows(8, 0))
        trainer.train()
        found.append(losses(trainer))
    assert found[0] == found[1]
    trainer = type("Own", (own, ContrastiveSeq2SeqTrainer), {})(
        tiny_model("bart"), arguments(tmp_path), None, rows(), processing_class=tiny_tokenizer()
    )
    with pytest.raises(ValueError, match=r"compute_loss of Own.*super\(\)\.compute_loss"):
        trainer.train()


def test_a_subclass_may_wrap_the_contrastive_loss(tmp_path: Path) -> None:
    seen: list[float] = []

    class Watching(ContrastiveSeq2SeqTrainer):
        def compute_loss(self, *given: Any, **options: Any) -> Any:
            loss = super().compute_loss(*given, **options)
            seen.append(loss.item())
            return loss

    options = {"gradient_accumulation_steps": 2, "per_device_train_batch_size": 2}
    found = []
    for kind in (ContrastiveSeq2SeqTrainer, Watching):
        trainer = kind(
            tiny_model("bart"), arguments(tmp_path, **options), None, rows(), processing_class=tiny_tokenizer()
        )
        trainer.train()
        found.append(losses(trainer))
    assert found[0] == found[1]
    assert len(seen) > len(found[0])


# That it trains, in every family and with every loss.


@pytest.mark.parametrize("name", FAMILIES)
def test_every_parameter_moves(tmp_path: Path, name: str) -> None:
    model = family(name)
    before = weights(model)
    trained(tmp_path, rows(), model)
    after = weights(model)
    for parameter, value in model.named_parameters():
        if not value.requires_grad:
            assert torch.equal(before[parameter], after[parameter]), parameter
            continue
        # Key biases change no attention; positions and pooling that no text reaches have no gradient.
        if parameter.endswith(("k_proj.bias", "key.bias")) or "pooler" in parameter or "_global" in parameter:
            continue
        assert not torch.equal(before[parameter], after[parameter]), parameter


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("options", [{"gradient_checkpointing": True}, {"bf16": True}, {"label_smoothing_factor": 0.1}])
def test_training_raises_targets_and_lowers_candidates(tmp_path: Path, loss: str, options: dict[str, Any]) -> None:
    trainer = trained(tmp_path, rows(), contrastive_loss=loss, num_train_epochs=12, learning_rate=3e-3, **options)
    margins, accuracy = losses(trainer, "log_likelihood_margin"), losses(trainer, "ranking_accuracy")
    assert margins[-1] > margins[0] + 0.5
    assert accuracy[-1] > accuracy[0]
    assert losses(trainer, "positive_log_likelihood")[-1] > losses(trainer, "positive_log_likelihood")[0]


def test_gradient_checkpointing_changes_no_gradient(tmp_path: Path) -> None:
    one = trained(tmp_path / "a", rows())
    other = trained(tmp_path / "b", rows(), gradient_checkpointing=True)
    assert losses(one, "grad_norm") == pytest.approx(losses(other, "grad_norm"), rel=1e-4)


def test_compiled_steps_come_out_the_same(tmp_path: Path) -> None:
    one = trained(tmp_path / "a", rows(4))
    other = trained(tmp_path / "b", rows(4), torch_compile=True, torch_compile_backend="aot_eager")
    assert losses(other) == pytest.approx(losses(one), rel=1e-4)
    assert losses(other, "grad_norm") == pytest.approx(losses(one, "grad_norm"), rel=1e-4)


# What the result must not depend on.


@pytest.mark.parametrize("kind", ["candidates", "plain"])
@pytest.mark.parametrize("loss", ["unlikelihood", "margin"])
def test_accumulation_changes_nothing(tmp_path: Path, loss: str, kind: str) -> None:
    data = rows(8, candidates=2 if kind == "candidates" else 0)
    found = []
    for size, accumulation in ((8, 1), (1, 8), (4, 2)):
        trainer = trained(
            tmp_path / f"{size}",
            data,
            contrastive_loss=loss,
            per_device_train_batch_size=size,
            gradient_accumulation_steps=accumulation,
            mine_candidates=False,
            label_smoothing_factor=0.1,
        )
        found.append((losses(trainer)[0], losses(trainer, "grad_norm")[0]))
    assert found[1] == pytest.approx(found[0], rel=1e-4)
    assert found[2] == pytest.approx(found[0], rel=1e-4)


def test_seq2seq_trainer_still_has_the_fault_that_is_mended_here(tmp_path: Path) -> None:
    # When this fails, transformers has mended it, and ours can be simpler.
    found = []
    for size, accumulation in ((8, 1), (4, 2)):
        args = arguments(
            tmp_path / f"{size}", True, per_device_train_batch_size=size, gradient_accumulation_steps=accumulation
        )
        model = tiny_model("bart")
        trainer = Seq2SeqTrainer(
            model, args, DataCollatorForSeq2Seq(tiny_tokenizer(), model=model), rows(8, candidates=0)
        )
        trainer.train()
        found.append(losses(trainer)[0])
    assert found[1] > 1.5 * found[0]


@pytest.mark.parametrize("loss", LOSSES)
def test_order_of_candidates_and_padding_change_nothing(tmp_path: Path, loss: str) -> None:
    data = rows(4, candidates=3)

    def reordered(row: dict[str, Any]) -> dict[str, Any]:
        order = [2, 0, 1]
        return {name: [row[name][place] for place in order] for name in ("candidate_labels", "candidate_scores")}

    def padded(row: dict[str, Any]) -> dict[str, Any]:
        return {
            "input_ids": row["input_ids"] + [0] * 3,
            "attention_mask": row["attention_mask"] + [0] * 3,
            "labels": row["labels"] + [-100] * 2,
            "candidate_labels": [ids + [-100] * 4 for ids in row["candidate_labels"]],
        }

    found = [
        losses(trained(tmp_path / str(number), version, contrastive_loss=loss), "grad_norm")[0]
        for number, version in enumerate([data, data.map(reordered), data.map(padded)])
    ]
    assert found[1] == pytest.approx(found[0], rel=1e-4)
    assert found[2] == pytest.approx(found[0], rel=1e-4)


def test_sharing_and_repeating_encoder_states_train_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = trained(tmp_path / "a", rows())
    model: PreTrainedModel = tiny_model("bart")
    model.set_attn_implementation("eager")

    def refuse(core: Any) -> None:
        raise ValueError("no sharing")

    monkeypatch.setattr("trainer_ext.one_pass.share_encoder_states", refuse)
    repeated = trained(tmp_path / "b", rows(), model)
    assert losses(repeated, "grad_norm") == pytest.approx(losses(shared, "grad_norm"), rel=1e-4)


class Stream(IterableDataset):
    """Rows that can be read once, of one iterator or as one."""

    def __init__(self, data: Dataset, itself: bool) -> None:
        self.rows, self.itself = iter(data), itself

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return self if self.itself else self.rows

    def __next__(self) -> dict[str, Any]:
        return next(self.rows)


@pytest.mark.parametrize("itself", [False, True])
def test_a_stream_that_can_be_read_once_is_trained_on_whole(tmp_path: Path, itself: bool) -> None:
    sizes = []

    def collator(features: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        sizes.append(len(features))
        return DataCollatorForSeq2Seq(tiny_tokenizer())(features)

    args = arguments(tmp_path, mine_candidates=False, max_steps=2)
    ContrastiveSeq2SeqTrainer(tiny_model("bart"), args, collator, Stream(rows(8), itself)).train()
    assert sizes == [4, 4]


def test_learnt_prompts_are_refused(tmp_path: Path) -> None:
    config = PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=2)
    with pytest.raises(ValueError, match="use LoRA"):
        ContrastiveSeq2SeqTrainer(get_peft_model(tiny_model("bart"), config), arguments(tmp_path), train_dataset=rows())
