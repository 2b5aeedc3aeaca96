"""The model card's part on contrastive training: what was mined, the loss, QUALS and ROUGE before and after."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCard

from trainer_ext.losses import Objective

_BEFORE = "## Training procedure"
_TAGS = ("summarization", "factual-consistency", "quals", "contrastive-learning")
_ROWS = (
    ("QUALS, nats a token, higher is better", "quals", 3),
    ("share of the summaries that QUALS scores", "coverage", 3),
    ("ROUGE-1 F1", "rouge1", 4),
    ("ROUGE-2 F1", "rouge2", 4),
    ("ROUGE-L F1", "rougeL", 4),
    ("words in a summary", "length", 1),
)
_METRICS = {"quals": "QUALS", "rouge1": "ROUGE-1", "rouge2": "ROUGE-2", "rougeL": "ROUGE-L"}


@dataclass(frozen=True)
class ContrastiveFacts:
    """What the card says.

    Attributes:
        objective: what was minimised.
        mining: the mining's summary as plain values; None where the candidates were brought.
        ranker: name of what ranked them; None where they were brought.
        before, after: measured quality as plain values, see ``SummaryQuality``; None where it was not measured.
        model_class: class that loads the model.
        source_prefix: what the model's inputs begin with.
    """

    objective: Objective
    mining: Mapping[str, Any] | None
    ranker: str | None
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    model_class: str
    source_prefix: str = ""


def extend_card(path: Path, facts: ContrastiveFacts, dataset: str | Sequence[str] | None = None) -> None:
    """Add a section and ``model-index`` entries to the card that Trainer wrote.

    Args:
        path: the card's file.
        facts: what to say.
        dataset: name of the evaluation data, for the entries.
    """
    card = ModelCard.load(path, ignore_metadata_errors=True)
    name = dataset if isinstance(dataset, str) else next(iter(dataset or ()), "the evaluation set")
    tags = list(card.data.tags or [])
    card.data.tags = tags + [tag for tag in _TAGS if tag not in tags]
    if facts.before is not None and facts.after is not None:
        ours = [
            EvalResult(
                task_type="summarization",
                task_name="Summarization",
                dataset_type=name,
                dataset_name=name,
                metric_type="quals" if key == "quals" else "rouge",
                metric_name=f"{label}{when}",
                metric_value=round(float(measured[key]), 4),
            )
            for key, label in _METRICS.items()
            for measured, when in ((facts.after, ""), (facts.before, " before contrastive training"))
            if not math.isnan(measured[key])
        ]
        card.data.eval_results = [*(card.data.eval_results or []), *ours]
        card.data.model_name = card.data.model_name or path.parent.name
    section = _section(facts)
    text = card.text
    card.text = text.replace(_BEFORE, section + _BEFORE, 1) if _BEFORE in text else f"{text.rstrip()}\n\n{section}"
    card.save(path)


def _section(facts: ContrastiveFacts) -> str:
    parts = ["## Training for factual consistency\n", _training(facts), _measured(facts), _loading(facts)]
    return "\n".join(part for part in parts if part) + "\n"


def _training(facts: ContrastiveFacts) -> str:
    objective = facts.objective
    loss = objective.loss
    names: list[str] = [option.name for option in fields(loss)] if is_dataclass(loss) else []
    settings = ", ".join(f"{name} {getattr(loss, name):g}" for name in names)
    described = f"{type(loss).__name__.lower()}{f' ({settings})' if settings else ''}"
    lines = [
        "Trained with `ContrastiveSeq2SeqTrainer`: towards target summaries and away from inaccurate candidates",
        "([Nan et al. 2021](https://arxiv.org/abs/2105.04623)).",
        "",
        f"- Contrastive loss: {described}, weight {objective.weight:g}; weight of the targets' likelihood "
        f"{objective.mle_weight:g}, label smoothing {objective.label_smoothing:g}.",
    ]
    if facts.mining is None:
        lines.append("- Candidates: brought with the training set.")
    else:
        lines.append(f"- Candidates: sampled from the model itself, ranked by {facts.ranker}.")
        lines += [f"- {_readable(key)}: {_number(value)}" for key, value in facts.mining.items()]
    return "\n".join(lines) + "\n"


def _measured(facts: ContrastiveFacts) -> str:
    if facts.before is None or facts.after is None:
        return ""
    before, after = facts.before, facts.after
    rows = [f"| {label} | {before[key]:.{digits}f} | {after[key]:.{digits}f} |" for label, key, digits in _ROWS]
    return "\n".join(
        [
            f"Measured on {after['documents']} documents of the evaluation set, before and after contrastive training:",
            "",
            "| | before | after |",
            "|---|---:|---:|",
            *rows,
            "",
            f"QUALS scores: `{after['signature']}`; only scores with the same signature can be compared.",
            "",
        ]
    )


def _loading(facts: ContrastiveFacts) -> str:
    return "\n".join(
        [
            "```python",
            f"from transformers import AutoTokenizer, {facts.model_class}",
            "",
            'folder = "path/to/this/folder"',
            f"model = {facts.model_class}.from_pretrained(folder)",
            "tokenizer = AutoTokenizer.from_pretrained(folder)",
            f"inputs = tokenizer({f'{facts.source_prefix!r} + ' if facts.source_prefix else ''}text, truncation=True, "
            'return_tensors="pt")',
            "print(tokenizer.batch_decode(model.generate(**inputs), skip_special_tokens=True)[0])",
            "```",
            "",
        ]
    )


def _readable(key: str) -> str:
    return key.replace("_", " ").capitalize()


def _number(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
