"""train() mines, ranks, selects and trains, and finds finished work again."""

from __future__ import annotations

from pathlib import Path

import optuna
import pytest
import torch
from peft import LoraConfig, get_peft_model
from support.tiny import tiny_model, tiny_tokenizer
from support.trainer_runs import Counting, arguments, documents, load, losses, trainer, weights

from trainer_ext import ContrastiveSeq2SeqTrainer


def test_a_plain_script_mines_ranks_selects_and_trains(tmp_path: Path, summarizer: Path) -> None:
    model, ranker = load(summarizer), Counting()
    before = weights(model)
    found = trainer(tmp_path, model, plain=True, ranker=ranker)
    given = found.train_dataset
    found.train()
    assert found.train_dataset is given, "the training set is the user's again"
    mined = found.mined_dataset
    assert mined is not None
    # The 30 % with the worst sample, and the one-sided share of it: every reference scores 1.
    assert len(mined) == round(20 * (1 - 0.7**2))
    assert all(len(labels) == 1 for labels in mined["candidate_labels"])
    assert max(scores[0] for scores in mined["candidate_scores"]) < 1
    assert losses(found, "log_likelihood_margin")
    after = weights(found.model)
    assert any(not torch.equal(before[name], after[name]) for name in before)


def test_what_was_mined_is_not_mined_again(tmp_path: Path, summarizer: Path) -> None:
    first, second, other = Counting(), Counting(), Counting()
    one = trainer(tmp_path, load(summarizer), ranker=first)
    one.train()
    assert first.calls > 0
    two = trainer(tmp_path, load(summarizer), ranker=second)
    two.train()
    assert second.calls == 0
    assert two.mined_dataset is not None
    assert one.mined_dataset is not None
    assert two.mined_dataset.to_list() == one.mined_dataset.to_list()
    assert all(torch.equal(value, weights(one.model)[name]) for name, value in weights(two.model).items())
    trainer(tmp_path, load(summarizer), ranker=other, seed=4).train()
    assert other.calls > 0, "another seed is other work"


def test_quals_ranks_with_the_embedded_weights(tmp_path: Path, summarizer: Path) -> None:
    found = trainer(tmp_path, load(summarizer), train_dataset=documents(2), num_candidates=1, selection="all")
    found.train()
    assert found.mined_dataset is not None
    assert len(found.mined_dataset) == 2
    assert found.mining_summary is not None
    assert found.mining_summary.ranker == "quals"


def test_a_model_that_is_no_summarizer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"not a summarizer yet.*mle_epochs"):
        trainer(tmp_path, tiny_model("bart"), ranker=Counting()).train()


@pytest.mark.parametrize("bf16", [False, True])
def test_an_evaluation_changes_nothing_of_what_is_mined(tmp_path: Path, summarizer: Path, bf16: bool) -> None:
    found = []
    for evaluates in (False, True):
        run = trainer(
            tmp_path,
            load(summarizer),
            ranker=Counting(),
            eval_dataset=documents(4, seed=2),
            eval_strategy="epoch",
            predict_with_generate=True,
            compute_metrics=lambda prediction: {},
            generation_max_length=None,
            mle_epochs=1.0,
            bf16=bf16,
        )
        if evaluates:
            run.evaluate()
        run.train()
        assert run.mined_dataset is not None
        found.append(run)
    assert found[1].ranker.calls == 0
    assert found[1].mined_dataset.to_list() == found[0].mined_dataset.to_list()
    assert losses(found[1]) == losses(found[0])


def test_model_init_makes_the_same_model_for_every_training(tmp_path: Path, summarizer: Path) -> None:
    ranker = Counting()
    found = ContrastiveSeq2SeqTrainer(
        args=arguments(tmp_path, generation_max_length=8),
        train_dataset=documents(20),
        processing_class=tiny_tokenizer(),
        model_init=lambda: load(summarizer),
        ranker=ranker,
    )
    found.train()
    first, calls = weights(found.model), ranker.calls
    found.train()
    assert ranker.calls == calls, "the same weights, so the same candidates"
    assert all(torch.equal(value, first[name]) for name, value in weights(found.model).items())


def test_a_search_trial_mines_with_its_own_options(tmp_path: Path, summarizer: Path) -> None:
    found = ContrastiveSeq2SeqTrainer(
        args=arguments(tmp_path, eval_strategy="steps", eval_steps=1, generation_max_length=8, selection="all"),
        train_dataset=documents(4),
        eval_dataset=documents(2),
        processing_class=tiny_tokenizer(),
        model_init=lambda: load(summarizer),
        ranker=Counting(),
    )
    asked, mined = [], []

    def space(trial: optuna.Trial) -> dict[str, int]:
        asked.append(trial.suggest_int("num_candidates", 1, 9))
        return {"num_candidates": asked[-1]}

    def objective(metrics: dict[str, float]) -> float:
        assert found.mined_dataset is not None
        mined.append(len(found.mined_dataset[0]["candidate_labels"]))
        assert mined[-1] == asked[-1]
        return metrics["eval_loss"]

    sampler = optuna.samplers.RandomSampler(seed=1)
    found.hyperparameter_search(space, objective, n_trials=2, backend="optuna", sampler=sampler)
    assert len(set(mined)) == 2


def test_lora_adapters_are_mined_and_trained(tmp_path: Path, summarizer: Path) -> None:
    model = get_peft_model(load(summarizer), LoraConfig(task_type="SEQ_2_SEQ_LM", target_modules=["q_proj", "v_proj"]))
    before = weights(model)
    found = trainer(tmp_path, model, ranker=Counting())
    found.train()
    assert found.mined_dataset is not None
    moved = {name for name, value in weights(model).items() if not torch.equal(before[name], value)}
    assert moved == {name for name in before if "lora" in name}


def test_the_models_own_prefix_is_kept_from_the_ranker(
    tmp_path: Path, summarizer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It copies first words, which now are the prefix: no summarizer of such documents.
    monkeypatch.setattr("trainer_ext.mining.check_summarizer", lambda *_, **__: None)
    model = load(summarizer)
    model.config.task_specific_params = {"summarization": {"prefix": "the king said "}}
    prefixed = (
        documents(4)
        .map(
            lambda row: {"input_ids": [1, *tiny_tokenizer()("the king said")["input_ids"][1:-1], *row["input_ids"][1:]]}
        )
        .remove_columns("attention_mask")
    )
    seen: list[str] = []

    def ranker(sources: list[str], summaries: list[str], references: list[str] | None) -> list[float]:
        seen.extend(sources)
        return [float(len(summary)) for summary in summaries]

    found = trainer(tmp_path, model, train_dataset=prefixed, ranker=ranker, selection="all")
    found.train()
    plain = tiny_tokenizer().batch_decode(list(documents(4)["input_ids"]), skip_special_tokens=True)
    assert set(seen) == set(plain)


def test_brought_candidates_are_selected_only_on_request(tmp_path: Path, summarizer: Path) -> None:
    labels = documents(10)["labels"]
    data = documents(10).add_column("candidate_labels", [[ids[:1] + ids[-1:], ids[1:]] for ids in labels])
    data = data.add_column("candidate_scores", [[-float(n), -0.5 * n] for n in range(10)])
    data = data.add_column("reference_score", [0.1 * n for n in range(10)])
    listed = trainer(tmp_path / "list", load(summarizer), train_dataset=data.to_list(), ranker=Counting())
    listed.train()
    assert listed.ranker.calls == 0, "a list of rows brings candidates too"
    whole = trainer(tmp_path / "a", load(summarizer), train_dataset=data)
    whole.train()
    assert whole.mined_dataset is data
    chosen = trainer(tmp_path / "b", load(summarizer), train_dataset=data, selection="two_sided")
    chosen.train()
    assert chosen.mined_dataset is not None
    assert [scores for (scores,) in chosen.mined_dataset["candidate_scores"]] == [-7.0, -8.0, -9.0]
    with pytest.raises(ValueError, match="score them first"):
        trainer(
            tmp_path / "c", load(summarizer), train_dataset=data.remove_columns("candidate_scores"), selection="all"
        ).train()


def test_labels_may_come_from_the_collator(tmp_path: Path, summarizer: Path) -> None:
    named = documents(6).rename_column("labels", "label")  # which transformers' collator reads too
    found = trainer(tmp_path, load(summarizer), train_dataset=named, ranker=Counting(), selection="all")
    found.train()
    assert found.mined_dataset is not None
    assert losses(found, "mle_loss")


def test_a_list_of_rows_is_mined_too(tmp_path: Path, summarizer: Path) -> None:
    found = trainer(
        tmp_path, load(summarizer), train_dataset=documents(6).to_list(), ranker=Counting(), selection="all"
    )
    found.train()
    assert found.mined_dataset is not None
    assert len(found.mined_dataset) == 6
