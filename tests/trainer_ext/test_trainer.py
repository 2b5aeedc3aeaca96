"""The drop-in: what it leaves alone, what it must not depend on, and that it trains."""

from __future__ import annotations

import inspect
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
import torch
from datasets import Dataset
from families import FAMILIES, SIZE, family
from peft import PrefixTuningConfig, get_peft_model
from tiny import tiny_model, tiny_tokenizer
from torch.utils.data import IterableDataset
from transformers import (
    DataCollatorForSeq2Seq,
    HfArgumentParser,
    PreTrainedModel,
    Seq2SeqTrainer,
    Seq2SeqTrainingArguments,
    TrainerCallback,
    default_data_collator,
)

from trainer_ext import ContrastiveSeq2SeqTrainer, ContrastiveSeq2SeqTrainingArguments
from trainer_ext.collator import PaddingCollator
from trainer_ext.decoder_rows import shared_states
from trainer_ext.losses import LOSSES
from trainer_ext.model_state import forget_preparation, without_autocast


def rows(count: int = 8, candidates: int = 2, seed: int = 0) -> Dataset:
    """Random documents, summaries and candidates, all of unequal lengths."""
    generator = torch.Generator().manual_seed(seed)

    def tokens(low: int, high: int) -> list[int]:
        length = int(torch.randint(low, high, (1,), generator=generator))
        return [1, *torch.randint(5, SIZE, (length,), generator=generator).tolist(), 2]

    table: dict[str, list[Any]] = {"input_ids": [tokens(3, 14) for _ in range(count)]}
    table["attention_mask"] = [[1] * len(ids) for ids in table["input_ids"]]
    table["labels"] = [tokens(1, 9) for _ in range(count)]
    if candidates:
        table["candidate_labels"] = [[tokens(1, 9) for _ in range(candidates)] for _ in range(count)]
        table["candidate_scores"] = [torch.randn(candidates, generator=generator).tolist() for _ in range(count)]
    return Dataset.from_dict(table)


def arguments(folder: Path, plain: bool = False, **options: Any) -> Seq2SeqTrainingArguments:
    settings: dict[str, Any] = {
        "output_dir": str(folder),
        "per_device_train_batch_size": 4,
        "per_device_eval_batch_size": 4,
        "num_train_epochs": 1,
        "learning_rate": 1e-3,
        "label_smoothing_factor": 0.0,
        "lr_scheduler_type": "constant",
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": "none",
        "use_cpu": True,
        "disable_tqdm": True,
        "seed": 3,
        **options,
    }
    if plain:
        return Seq2SeqTrainingArguments(**settings)
    return ContrastiveSeq2SeqTrainingArguments(**{"card_documents": 0, **settings})


def trained(
    folder: Path, data: Dataset, model: torch.nn.Module | None = None, **options: Any
) -> ContrastiveSeq2SeqTrainer:
    trainer = ContrastiveSeq2SeqTrainer(
        model or tiny_model("bart"), arguments(folder, **options), train_dataset=data, processing_class=tiny_tokenizer()
    )
    trainer.train()
    return trainer


def weights(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in model.named_parameters()}


def losses(trainer: Seq2SeqTrainer, name: str = "loss") -> list[float]:
    return [entry[name] for entry in trainer.state.log_history if name in entry]


def with_dropout(model: PreTrainedModel) -> PreTrainedModel:
    """The model, dropping out: tiny ones do not, which hides what hangs on random numbers."""
    for module in model.modules():
        if isinstance(getattr(module, "dropout", None), float):
            module.dropout = 0.3
    return model


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
    for place in range(3):
        model, tokenizer = tiny_model(kind), tiny_tokenizer()
        knows, tokens, padding = DataCollatorForSeq2Seq(tokenizer, model), DataCollatorForSeq2Seq(tokenizer), None
        args = arguments(tmp_path, label_smoothing_factor=0.1, mine_candidates=False)
        trainer = ContrastiveSeq2SeqTrainer(model, args, (knows, tokens, padding)[place], rows(candidates=0), same)
        trainer.train()
        found.append([*losses(trainer), trainer.evaluate()["eval_loss"]])
    assert found[0] == found[1] == found[2]


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
    assert trainer._objective.label_smoothing == 0.2


def test_the_papers_values_are_the_defaults_and_the_parser_shows_them(tmp_path: Path) -> None:
    (args,) = HfArgumentParser(ContrastiveSeq2SeqTrainingArguments).parse_args_into_dataclasses(
        ["--output_dir", str(tmp_path), "--contrastive_loss", "hinge", "--contrastive_margin", "2", "--use_cpu"]
    )
    assert (args.learning_rate, args.num_train_epochs, args.label_smoothing_factor) == (3e-6, 2.0, 0.1)
    assert (args.num_candidates, args.sampling_top_k, args.selection_fraction) == (6, 50, 0.3)
    assert args.loss() == LOSSES["hinge"](margin=2.0)
    assert "sampled for each document" in HfArgumentParser(ContrastiveSeq2SeqTrainingArguments).format_help()


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
    trainer = type("Own", (own, ContrastiveSeq2SeqTrainer), {})(tiny_model("bart"), arguments(tmp_path), None, rows())
    with pytest.raises(ValueError, match=r"compute_loss of Own says what the loss is.* call super\(\)\.compute_loss"):
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
        trainer = kind(tiny_model("bart"), arguments(tmp_path, **options), None, rows())
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
    monkeypatch.setattr("trainer_ext.decoder_rows._comes_out_the_same", lambda core: False)
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
        return PaddingCollator(0)(features)

    args = arguments(tmp_path, mine_candidates=False, max_steps=2)
    ContrastiveSeq2SeqTrainer(tiny_model("bart"), args, collator, Stream(rows(8), itself)).train()
    assert sizes == [4, 4]


# Resuming.


class StopAt(TrainerCallback):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> Any:
        control.should_training_stop = state.global_step >= self.step
        return control


@pytest.mark.parametrize("step", [1, 3])
def test_a_checkpoint_resumes_exactly_in_the_middle_of_an_epoch(tmp_path: Path, step: int) -> None:
    options = {"save_strategy": "steps", "save_steps": 1, "num_train_epochs": 2}
    whole = trained(tmp_path / "whole", rows(8), with_dropout(tiny_model("bart")), **options)
    args = arguments(tmp_path / "cut", **options)
    cut = ContrastiveSeq2SeqTrainer(
        with_dropout(tiny_model("bart")),
        args,
        train_dataset=rows(8),
        processing_class=tiny_tokenizer(),
        callbacks=[StopAt(step)],
    )
    cut.train()
    resumed = ContrastiveSeq2SeqTrainer(
        with_dropout(tiny_model("bart")), args, train_dataset=rows(8), processing_class=tiny_tokenizer()
    )
    resumed.train(resume_from_checkpoint=True)
    assert resumed.state.global_step == whole.state.global_step == 4
    expected = weights(whole.model)
    assert all(torch.equal(value, expected[name]) for name, value in weights(resumed.model).items())


def test_saved_models_know_nothing_of_our_attention(tmp_path: Path) -> None:
    trained(tmp_path, rows(), save_strategy="epoch")
    for file in tmp_path.glob("checkpoint-*/config.json"):
        assert "quals" not in file.read_text()
    assert list(tmp_path.glob("checkpoint-*/config.json"))


# Evaluation.


@pytest.mark.parametrize("generate", [False, True])
def test_evaluation_is_unharmed_by_candidates_and_shows_them(tmp_path: Path, generate: bool) -> None:
    found = []
    for candidates in (0, 3):
        args = arguments(tmp_path / str(candidates), predict_with_generate=generate, generation_max_length=8)
        data = rows(6, 3, seed=5)
        if not candidates:
            data = data.remove_columns(["candidate_labels", "candidate_scores"])
        trainer = ContrastiveSeq2SeqTrainer(
            tiny_model("bart"),
            args,
            train_dataset=rows(),
            eval_dataset=data,
            processing_class=tiny_tokenizer(),
            compute_metrics=lambda prediction: {},
        )
        found.append((trainer.evaluate(), trainer.predict(data)))
    (plain, plain_prediction), (ours, prediction) = found
    assert ours["eval_loss"] == plain["eval_loss"]
    assert str(prediction.predictions) == str(plain_prediction.predictions)
    assert "eval_ranking_accuracy" not in plain
    assert 0 <= ours["eval_ranking_accuracy"] <= 1
    assert ours["eval_log_likelihood_margin"] == pytest.approx(ours["eval_log_likelihood_margin"])
    assert ours["eval_positive_log_likelihood"] < 0
    assert prediction.metrics is not None
    assert "test_contrastive_loss" in prediction.metrics
    assert ("eval_generated_length" in ours) == generate


def test_batches_of_embeddings_are_evaluated_as_by_seq2seq_trainer(tmp_path: Path) -> None:
    data = [{"inputs_embeds": torch.randn(5, 32).tolist(), "labels": [1, 5, 6, 2]} for _ in range(4)]
    found = []
    for base in (Seq2SeqTrainer, ContrastiveSeq2SeqTrainer):
        args = arguments(tmp_path, plain=True, predict_with_generate=True, generation_max_length=8)
        trainer = base(tiny_model("bart"), args, default_data_collator, eval_dataset=data)
        trainer.compute_metrics = lambda prediction: {"sum": int(prediction.predictions.sum())}
        metrics = trainer.evaluate()
        found.append((metrics["eval_loss"], metrics["eval_sum"]))
    assert found[0] == found[1]


def test_ranking_metrics_can_choose_the_best_checkpoint(tmp_path: Path) -> None:
    args = arguments(
        tmp_path,
        eval_strategy="epoch",
        save_strategy="epoch",
        load_best_model_at_end=True,
        metric_for_best_model="ranking_accuracy",
        greater_is_better=True,
    )
    trainer = ContrastiveSeq2SeqTrainer(
        tiny_model("bart"), args, train_dataset=rows(), eval_dataset=rows(4, seed=9), processing_class=tiny_tokenizer()
    )
    trainer.train()
    assert trainer.state.best_metric == losses(trainer, "eval_ranking_accuracy")[0]


def test_logged_metrics_are_those_of_the_data(tmp_path: Path) -> None:
    data = rows(4, candidates=1)
    model = tiny_model("bart")
    collator = DataCollatorForSeq2Seq(tiny_tokenizer(), model=model)
    with torch.no_grad():
        positives = collator([{key: row[key] for key in ("input_ids", "attention_mask", "labels")} for row in data])
        negatives = collator(
            [
                {**{key: row[key] for key in ("input_ids", "attention_mask")}, "labels": row["candidate_labels"][0]}
                for row in data
            ]
        )
        expected = [float(model(**batch).loss) for batch in (positives, negatives)]
    entry = trained(tmp_path, data, tiny_model("bart")).state.log_history[0]
    assert entry["mle_loss"] == pytest.approx(expected[0], rel=1e-4)
    assert entry["positive_log_likelihood"] == pytest.approx(-expected[0], rel=1e-4)
    assert entry["negative_log_likelihood"] == pytest.approx(-expected[1], rel=1e-4)


def test_rows_without_labels_are_predicted_with_candidates_as_without(tmp_path: Path) -> None:
    found = []
    for data in (rows(4, 0), rows(4, 2)):
        trainer = ContrastiveSeq2SeqTrainer(tiny_model("bart"), arguments(tmp_path), processing_class=tiny_tokenizer())
        found.append(trainer.predict(data.select_columns(["input_ids", "attention_mask"])).predictions)
        if "candidate_labels" in data.column_names:
            trainer.data_collator.base = DataCollatorForSeq2Seq(tiny_tokenizer())
            trainer.predict(data.remove_columns("labels").map(lambda row: {"labels": None}))
    assert str(found[0][0].shape) == str(found[1][0].shape)


@pytest.mark.parametrize("before", [[], ["evaluate"], ["train"]])
@pytest.mark.parametrize("options", [{}, {"mle_epochs": 1.0}, {"torch_compile_backend": "eager"}])
def test_every_step_is_in_mixed_precision(tmp_path: Path, before: list[str], options: dict[str, Any]) -> None:
    model = tiny_model("bart")
    seen: list[tuple[bool, torch.dtype]] = []
    model.lm_head.register_forward_hook(lambda *call: seen.append((torch.is_grad_enabled(), call[-1].dtype)))
    trainer = ContrastiveSeq2SeqTrainer(
        model,
        arguments(tmp_path, bf16=True, **options),
        train_dataset=rows(),
        eval_dataset=rows(2),
        processing_class=tiny_tokenizer(),
    )
    for name in before:
        getattr(trainer, name)()
    trainer.train()
    assert {dtype for training, dtype in seen if training} == {torch.bfloat16}
    seen.clear()
    trainer.evaluate()
    assert {dtype for _, dtype in seen} == {torch.bfloat16}


@pytest.mark.parametrize("kind", ["bart", "t5"])
def test_mixed_precision_leaves_no_trace_in_the_model(tmp_path: Path, kind: str) -> None:
    model = tiny_model(kind)
    inputs = {name: torch.tensor(rows(1)[name]) for name in ("input_ids", "labels")}
    with torch.no_grad():
        before = model(**inputs).logits
    trainer = ContrastiveSeq2SeqTrainer(
        model,
        arguments(tmp_path, bf16=True, learning_rate=0.0),
        train_dataset=rows(),
        eval_dataset=rows(2),
        processing_class=tiny_tokenizer(),
    )
    trainer.evaluate()
    trainer.train()
    model.eval()
    with torch.no_grad():
        assert not torch.equal(model(**inputs).logits, before), "as Seq2SeqTrainer leaves it"
        with without_autocast(model):
            assert torch.equal(model(**inputs).logits, before)
    with shared_states(model) as shared:
        assert shared
    forget_preparation(model)
    with torch.no_grad():
        assert torch.equal(model(**inputs).logits, before)


def test_a_second_training_begins_anew(tmp_path: Path) -> None:
    trainer = trained(tmp_path, rows(), logging_steps=100)
    trainer.args.logging_steps = 1
    trainer.train()
    entry = next(entry for entry in trainer.state.log_history if "mle_loss" in entry)
    again = trained(tmp_path / "again", rows(), trainer.model)
    assert entry["step"] == 1
    assert again.state.log_history[0]["mle_loss"] < entry["mle_loss"], "of its own steps alone"


def test_a_search_trial_reaches_the_objective(tmp_path: Path) -> None:
    args = arguments(tmp_path, eval_strategy="steps", eval_steps=1)
    trainer = ContrastiveSeq2SeqTrainer(
        args=args,
        train_dataset=rows(),
        eval_dataset=rows(2),
        processing_class=tiny_tokenizer(),
        model_init=lambda: tiny_model("bart"),
    )
    seen = []

    def space(trial: Any) -> dict[str, Any]:
        return {"contrastive_weight": trial.suggest_float("contrastive_weight", 0.0, 2.0)}

    def objective(metrics: dict[str, float]) -> float:
        seen.append(trainer._objective.weight)
        return metrics["eval_loss"]

    trainer.hyperparameter_search(
        space, objective, n_trials=2, backend="optuna", sampler=optuna.samplers.RandomSampler(seed=1)
    )
    assert len(set(seen)) == 2


def test_learnt_prompts_are_refused(tmp_path: Path) -> None:
    config = PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=2)
    with pytest.raises(ValueError, match="use LoRA"):
        ContrastiveSeq2SeqTrainer(get_peft_model(tiny_model("bart"), config), arguments(tmp_path), train_dataset=rows())


# The card.


def test_a_card_written_without_training_says_nothing_of_it(tmp_path: Path) -> None:
    trainer = ContrastiveSeq2SeqTrainer(
        tiny_model("bart"), arguments(tmp_path), train_dataset=rows(), processing_class=tiny_tokenizer()
    )
    trainer.create_model_card()
    assert "Trained with" not in (tmp_path / "README.md").read_text()


@pytest.mark.parametrize(("given", "prefix"), [(None, "summarize: "), ("tldr: ", "tldr: "), ("", None)])
def test_the_cards_example_has_the_prefix_of_the_models_inputs(
    tmp_path: Path, given: str | None, prefix: str | None
) -> None:
    model = tiny_model("t5")
    model.config.task_specific_params = {"summarization": {"prefix": "summarize: "}}
    trainer = trained(tmp_path, rows(4), model, mining_source_prefix=given)
    trainer.create_model_card()
    expected = "text" if prefix is None else f"{prefix!r} + text"
    assert f"tokenizer({expected}, truncation=True" in (tmp_path / "README.md").read_text()


def test_the_card_keeps_the_base_arguments_and_says_what_was_done(tmp_path: Path) -> None:
    trainer = trained(tmp_path, rows(), contrastive_loss="hinge")
    trainer.create_model_card(
        language="en", license="mit", tags="summaries", model_name="tiny", finetuned_from="a/b", tasks="summarization",
        dataset_tags="cnn_dailymail", dataset_args="3.0.0", dataset="CNN/DailyMail",
    )  # fmt: skip
    text = (tmp_path / "README.md").read_text()
    assert "- Contrastive loss: hinge (margin 1, length_penalty 0), weight 1" in text
    assert "brought with the training set" in text
    assert "license: mit" in text
    assert "factual-consistency" in text
    assert json.dumps("CNN/DailyMail")[1:-1] in text
