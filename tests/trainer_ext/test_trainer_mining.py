"""train() from end to end: likelihood first, mining, ranking, contrastive training, the card."""

from __future__ import annotations

import json
import random
import re
import shutil
from pathlib import Path
from typing import Any

import optuna
import pytest
import torch
from datasets import Dataset, IterableDataset
from peft import LoraConfig, get_peft_model
from quals import QualsScorer
from quals.results import mean_score
from support.tiny import WORDS, tiny_model, tiny_tokenizer, train_tiny_qagen
from support.trainer_runs import arguments, losses, weights, with_dropout
from transformers import AutoModelForSeq2SeqLM, DataCollatorForSeq2Seq, EvalPrediction, PreTrainedModel

from trainer_ext import ContrastiveSeq2SeqTrainer, QualsComputeMetrics
from trainer_ext.evaluation import rouge

CONTENT = [word for word in WORDS if word.isalpha() and len(word) > 2]


@pytest.fixture(scope="session")
def summarizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a tiny BART that has learnt to copy a document's first three words."""
    return train_tiny_qagen(tmp_path_factory.mktemp("summarizer"), lambda rng, text: " ".join(text[:3]))


def load(folder: Path) -> PreTrainedModel:
    return AutoModelForSeq2SeqLM.from_pretrained(folder, dtype=torch.float32)


def documents(count: int, seed: int = 0) -> Dataset:
    """Tokenized documents of content words, each with its first three as the summary."""
    rng, tokenizer = random.Random(seed), tiny_tokenizer()
    texts = [[rng.choice(CONTENT) for _ in range(rng.randrange(4, 9))] for _ in range(count)]
    inputs = tokenizer([" ".join(text) for text in texts])
    labels = tokenizer([f"{' '.join(text[:3])} </s>" for text in texts], add_special_tokens=False)["input_ids"]
    return Dataset.from_dict({**inputs, "labels": labels})


BROUGHT = documents(3).add_column("candidate_labels", [[[1, 2]]] * 3)


class Counting:
    """A ranker that knows how often it was asked: the share of the summary's words that its source has."""

    signature = "share of words"

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, sources: list[str], summaries: list[str], references: list[str] | None) -> list[float]:
        self.calls += 1
        return [
            sum(word in source.split() for word in summary.split()) / max(1, len(summary.split()))
            for source, summary in zip(sources, summaries, strict=True)
        ]


def trainer(folder: Path, model: PreTrainedModel, **options: Any) -> ContrastiveSeq2SeqTrainer:
    given = {name: options.pop(name) for name in ("ranker", "eval_dataset", "compute_metrics") if name in options}
    plain = options.pop("plain", False)
    data = options.pop("train_dataset", None)
    return ContrastiveSeq2SeqTrainer(
        model=model,
        args=arguments(folder, plain, **{"generation_max_length": 8, **options}),
        train_dataset=documents(20) if data is None else data,
        data_collator=DataCollatorForSeq2Seq(tiny_tokenizer(), model=model, label_pad_token_id=-100),
        processing_class=tiny_tokenizer(),
        **given,
    )


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


def test_likelihood_first_in_the_same_call_and_only_once(tmp_path: Path) -> None:
    options = {"mle_epochs": 60.0, "mle_learning_rate": 3e-3, "learning_rate": 1e-4}
    one = trainer(tmp_path, tiny_model("bart"), ranker=Counting(), train_dataset=documents(40), **options)
    one.train()
    assert one.mined_dataset is not None
    note = json.loads((tmp_path / "_mle" / "mle.json").read_text())
    assert note["value"]["finished"]
    steps = (tmp_path / "_mle" / "fine-tuned.safetensors").stat().st_mtime_ns
    two = trainer(tmp_path, tiny_model("bart"), ranker=Counting(), train_dataset=documents(40), **options)
    two.train()
    assert (tmp_path / "_mle" / "fine-tuned.safetensors").stat().st_mtime_ns == steps
    assert all(torch.equal(value, weights(one.model)[name]) for name, value in weights(two.model).items())
    with pytest.raises(ValueError, match="other weights, data or settings"):
        trainer(tmp_path, tiny_model("bart"), ranker=Counting(), train_dataset=documents(39), **options).train()


def test_likelihood_first_goes_on_where_it_was_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"mle_epochs": 30.0, "mle_learning_rate": 3e-3, "save_strategy": "steps", "save_steps": 60}
    data = documents(40)
    whole = trainer(tmp_path / "whole", tiny_model("bart"), ranker=Counting(), train_dataset=data, **options)
    whole.train()
    step, steps = ContrastiveSeq2SeqTrainer.training_step, iter(range(100))

    def cut(self: ContrastiveSeq2SeqTrainer, *args: Any, **kwargs: Any) -> torch.Tensor:
        if next(steps, None) is None:
            raise KeyboardInterrupt
        return step(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(ContrastiveSeq2SeqTrainer, "training_step", cut)
        with pytest.raises(KeyboardInterrupt):
            trainer(tmp_path / "cut", tiny_model("bart"), ranker=Counting(), train_dataset=data, **options).train()
    resumed = trainer(tmp_path / "cut", tiny_model("bart"), ranker=Counting(), train_dataset=data, **options)
    resumed.train(resume_from_checkpoint=True)
    assert all(torch.equal(value, weights(whole.model)[name]) for name, value in weights(resumed.model).items())


@pytest.mark.parametrize("bf16", [False, True])
def test_steps_are_the_same_whether_the_work_before_was_done_now_or_earlier(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bf16: bool
) -> None:
    monkeypatch.setattr("trainer_ext.mining.check_summarizer", lambda *_, **__: None)
    found = []
    for name in ("first", "again"):
        model = with_dropout(tiny_model("bart"))
        run = trainer(tmp_path, model, ranker=Counting(), mle_epochs=2.0, mle_learning_rate=3e-3, bf16=bf16)
        run.train()
        found.append((name, losses(run), weights(run.model)))
    assert found[0][1] == found[1][1]
    assert all(torch.equal(value, found[1][2][key]) for key, value in found[0][2].items())


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


@pytest.mark.parametrize(
    "evaluation",
    [
        lambda: documents(3).to_list(),
        lambda: IterableDataset.from_generator(lambda: iter(documents(3).to_list())),
        lambda: documents(3).select([]),
        lambda: documents(3).remove_columns("labels"),
        lambda: {"a": documents(3), "b": documents(2)},
        lambda: documents(3),
    ],
)
def test_no_evaluation_set_keeps_training_from_its_end(
    tmp_path: Path, summarizer: Path, qagen: Path, evaluation: Any
) -> None:
    model = load(summarizer)
    model.generation_config.do_sample = True
    data = documents(6)
    texts = tiny_tokenizer().batch_decode(list(data["input_ids"]), skip_special_tokens=True)
    found = trainer(
        tmp_path,
        model,
        ranker=Counting(),
        train_dataset=data.add_column("document", texts),
        selection="all",
        source_column="document",
        eval_dataset=evaluation(),
        card_documents=2,
        ranker_checkpoint=str(qagen),
    )
    found.train()
    assert (found.quality_before is None) == (found.quality_after is None)
    if isinstance(found.eval_dataset, (dict, Dataset)) and found.quality_before is None:
        assert not len(found.eval_dataset) or "labels" not in found.eval_dataset.column_names


def test_other_settings_measure_anew(tmp_path: Path, summarizer: Path, qagen: Path) -> None:
    options = {"ranker_checkpoint": str(qagen), "eval_dataset": documents(4, seed=2), "card_documents": 2}
    one = trainer(tmp_path, load(summarizer), ranker=Counting(), **options)
    one.train()
    two = trainer(tmp_path, load(summarizer), ranker=Counting(), generation_num_beams=3, **options)
    key = json.loads((tmp_path / "_contrastive.json").read_text())["key"]
    two.train()
    assert json.loads((tmp_path / "_contrastive.json").read_text())["key"] != key


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


@pytest.mark.parametrize("strategy", ["random", "group_by_length"])
def test_metrics_of_generated_summaries(tmp_path: Path, summarizer: Path, qagen: Path, strategy: str) -> None:
    data = documents(5, seed=7)
    sources = tiny_tokenizer().batch_decode(list(data["input_ids"]), skip_special_tokens=True)
    scorer = QualsScorer(str(qagen))
    found = trainer(
        tmp_path,
        load(summarizer),
        predict_with_generate=True,
        train_sampling_strategy=strategy,
        eval_dataset=data,
        compute_metrics=QualsComputeMetrics(tiny_tokenizer(), sources, scorer),
    )
    metrics = found.evaluate()
    predictions = found.predict(data).predictions
    found.compute_metrics = None
    alone = [found.predict(data.select([place])).predictions[0] for place in range(len(data))]
    assert [[token for token in row if token] for row in predictions] == [
        [token for token in row if token] for row in alone
    ]
    summaries = tiny_tokenizer().batch_decode(predictions, skip_special_tokens=True)
    expected = [result.score for result in scorer.score(sources, [text.strip() for text in summaries])]
    assert metrics["eval_quals"] == pytest.approx(mean_score(expected))
    assert metrics["eval_quals_coverage"] == sum(score == score for score in expected) / len(expected) > 0
    references = tiny_tokenizer().batch_decode(list(data["labels"]), skip_special_tokens=True)
    assert metrics["eval_rougeL"] == pytest.approx(rouge(summaries, references)["rougeL"])
    assert 3 <= metrics["eval_generated_length"] <= 8
    with pytest.raises(ValueError, match="5 predictions and 1 sources"):
        QualsComputeMetrics(tiny_tokenizer(), sources[:1], scorer)(EvalPrediction(predictions, None))


CARD = r"""---
(?P<metadata>.*
model-index:
- name: bart-for-facts
  results:
  - task:
      type: summarization
      name: Summarization
    dataset:
      name: the evaluation set
      type: the evaluation set
    metrics:
    - type: quals
      value: -?\d+\.\d+
      name: QUALS
    - type: quals
      value: -?\d+\.\d+
      name: QUALS before contrastive training
    - type: rouge
      value: \d\.\d+
      name: ROUGE-1
    - type: rouge
      value: \d\.\d+
      name: ROUGE-1 before contrastive training
    - type: rouge
      value: \d\.\d+
      name: ROUGE-2
    - type: rouge
      value: \d\.\d+
      name: ROUGE-2 before contrastive training
    - type: rouge
      value: \d\.\d+
      name: ROUGE-L
    - type: rouge
      value: \d\.\d+
      name: ROUGE-L before contrastive training
.*)---
.*
# bart-for-facts
.*
## Training for factual consistency

Trained with `ContrastiveSeq2SeqTrainer`, towards target summaries and away from inaccurate candidates
\(\[Nan et al\. 2021\]\(https://arxiv\.org/abs/2105\.04623\)\)\.

- Contrastive loss: unlikelihood, weight 1; weight of the targets' likelihood 1, label smoothing 0\.1\.
- Candidates: sampled from the model itself, ranked by Counting\.
(?P<mining>(?:- [A-Z][^:\n]*: [^\n]+\n)+)
Measured on 5 documents of the evaluation set, before and after contrastive training:

\| \| before \| after \|
\|---\|---:\|---:\|
\| QUALS, nats per token, higher is better \| -?\d\.\d{3} \| -?\d\.\d{3} \|
\| share of summaries with a QUALS score \| [01]\.\d{3} \| [01]\.\d{3} \|
\| ROUGE-1 F1 \| [01]\.\d{4} \| [01]\.\d{4} \|
\| ROUGE-2 F1 \| [01]\.\d{4} \| [01]\.\d{4} \|
\| ROUGE-L F1 \| [01]\.\d{4} \| [01]\.\d{4} \|
\| words per summary \| \d+\.\d \| \d+\.\d \|

QUALS scores: `quals-v1-[0-9a-f]{12}`; compare only scores with the same signature\.

```python
from transformers import AutoTokenizer, BartForConditionalGeneration

folder = "path/to/this/folder"
model = BartForConditionalGeneration\.from_pretrained\(folder\)
tokenizer = AutoTokenizer\.from_pretrained\(folder\)
inputs = tokenizer\(text, truncation=True, return_tensors="pt"\)
print\(tokenizer\.batch_decode\(model\.generate\(\*\*inputs\), skip_special_tokens=True\)\[0\]\)
```

## Training procedure
.*"""


def test_the_whole_card(tmp_path: Path, summarizer: Path, qagen: Path) -> None:
    options = {
        "ranker": Counting(),
        "ranker_checkpoint": str(qagen),
        "eval_dataset": documents(9, seed=2),
        "card_documents": 5,
        "label_smoothing_factor": 0.1,
    }
    folder = tmp_path / "bart-for-facts"
    found = trainer(folder, load(summarizer), **options)
    found.train()
    found.create_model_card()
    text = (folder / "README.md").read_text()
    match = re.fullmatch(CARD, text, re.DOTALL)
    assert match, text
    assert "- Documents: 20\n" in match["mining"]
    assert "None" not in match["mining"]
    # A run that goes on elsewhere keeps what was measured before the training.
    again = trainer(folder, load(summarizer), **options)
    again.train()
    assert again.quality_before == found.quality_before
    shutil.rmtree(folder)
