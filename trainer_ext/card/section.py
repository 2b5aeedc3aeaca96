"""The model card's section on contrastive training: what was mined, the loss, QUALS and ROUGE before and after."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCard

from trainer_ext.evaluation import SummaryQuality
from trainer_ext.mining import MiningSummary
from trainer_ext.objective import Objective

_BEFORE = "## Training procedure"
# Trainer writes the first where no name of a base model is known, and contrastive training always has a base model.
_FROM_SCRATCH = "This model was trained from scratch on "
_FURTHER = "This model was trained further, from a summarizer that the card does not name, on "
_TAGS = ("summarization", "factual-consistency", "quals", "contrastive-learning")
_ROWS = (
    ("QUALS, nats per token, higher is better", "quals", 3),
    ("share of summaries with a QUALS score", "coverage", 3),
    ("ROUGE-1 F1", "rouge1", 4),
    ("ROUGE-2 F1", "rouge2", 4),
    ("ROUGE-L F1", "rougeL", 4),
    ("words per summary", "length", 1),
)
_METRICS = {"quals": "QUALS", "rouge1": "ROUGE-1", "rouge2": "ROUGE-2", "rougeL": "ROUGE-L"}


@dataclass(frozen=True)
class ContrastiveFacts:
    """What the card says.

    Attributes:
        objective: what was minimised.
        mining: what was mined; None if the training set had candidates.
        quality_before, quality_after: measured quality; None if it was not measured.
        model_class: class that loads the model.
        source_prefix: text that the model's inputs begin with.
    """

    objective: Objective
    mining: MiningSummary | None
    quality_before: SummaryQuality | None
    quality_after: SummaryQuality | None
    model_class: str
    source_prefix: str = ""


def extend_card(path: Path, facts: ContrastiveFacts, dataset: str | Sequence[str] | None = None) -> None:
    """Add a section and ``model-index`` entries to the card that Trainer wrote.

    Args:
        path: the card's file.
        facts: what the card says.
        dataset: name of the evaluation data, for the ``model-index``.
    """
    card = ModelCard.load(path, ignore_metadata_errors=True)
    name = dataset if isinstance(dataset, str) else next(iter(dataset or ()), "the evaluation set")
    tags = list(card.data.tags or [])
    card.data.tags = tags + [tag for tag in _TAGS if tag not in tags]
    before, after = facts.quality_before, facts.quality_after
    if before is not None and after is not None:
        results = [
            EvalResult(
                task_type="summarization",
                task_name="Summarization",
                dataset_type=name,
                dataset_name=name,
                metric_type="quals" if key == "quals" else "rouge",
                metric_name=f"{label}{when}",
                metric_value=round(getattr(measured, key), 4),
            )
            for key, label in _METRICS.items()
            for measured, when in ((after, ""), (before, " before contrastive training"))
            if not math.isnan(getattr(measured, key))
        ]
        card.data.eval_results = [*(card.data.eval_results or []), *results]
        card.data.model_name = card.data.model_name or path.parent.name
    section = _section(facts)
    text = card.text.replace(_FROM_SCRATCH, _FURTHER).replace("the None dataset", "an unknown dataset")
    card.text = text.replace(_BEFORE, section + _BEFORE, 1) if _BEFORE in text else f"{text.rstrip()}\n\n{section}"
    card.save(path)


def _section(facts: ContrastiveFacts) -> str:
    objective, loss = facts.objective, facts.objective.loss
    names: list[str] = [option.name for option in fields(loss)] if is_dataclass(loss) else []
    settings = ", ".join(f"{name} {getattr(loss, name):g}" for name in names)
    described = f"{type(loss).__name__.lower()}{f' ({settings})' if settings else ''}"
    candidates = "- Candidates: given with the training set."
    if facts.mining is not None:
        lines = [f"- Candidates: sampled from the model itself, ranked by {facts.mining.ranker}."]
        lines += [f"- {_readable(key)}: {_number(value)}" for key, value in facts.mining.to_dict().items()]
        candidates = "\n".join(lines)
    prefix = f"{facts.source_prefix!r} + " if facts.source_prefix else ""
    return f"""\
## Training for factual consistency

Trained with `ContrastiveSeq2SeqTrainer`, towards target summaries and away from inaccurate candidates
([Nan et al. 2021](https://arxiv.org/abs/2105.04623)).

- Contrastive loss: {described}, weight {objective.weight:g}; weight of the targets' likelihood \
{objective.mle_weight:g}, label smoothing {objective.label_smoothing:g}.
{candidates}

{_measured(facts.quality_before, facts.quality_after)}\
```python
from transformers import AutoTokenizer, {facts.model_class}

folder = "path/to/this/folder"
model = {facts.model_class}.from_pretrained(folder)
tokenizer = AutoTokenizer.from_pretrained(folder)
inputs = tokenizer({prefix}text, truncation=True, return_tensors="pt")
print(tokenizer.batch_decode(model.generate(**inputs), skip_special_tokens=True)[0])
```

"""


def _measured(before: SummaryQuality | None, after: SummaryQuality | None) -> str:
    if before is None or after is None:
        return ""
    rows = "\n".join(
        f"| {label} | {getattr(before, key):.{digits}f} | {getattr(after, key):.{digits}f} |"
        for label, key, digits in _ROWS
    )
    cut = ""
    if after.longest_source is not None:
        cut = (
            f"Sources were read as the model reads them, {after.longest_source:,} tokens at most: in a longer "
            "document,\nwhat a summary says of the rest counts as unsupported.\n"
        )
    return f"""\
Measured on {after.documents} documents of the evaluation set, before and after contrastive training:

| | before | after |
|---|---:|---:|
{rows}

QUALS scores: `{after.signature}`; compare only scores with the same signature.
{cut}
"""


def _readable(key: str) -> str:
    return key.replace("_", " ").capitalize()


def _number(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
