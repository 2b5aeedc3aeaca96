"""A metric of the evaluate library as a ranker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from datasets import Value

from trainer_ext.io.hashing import hash_json
from trainer_ext.mining.ranker import Ranker, checked_scores

_TEXTS = ("predictions", "sources", "references")
# Two texts that a metric is tried on, so that what it cannot do is known before hours of sampling.
_TRIAL = (
    ["The river floods the old town every spring.", "She sold her bakery and moved to Lisbon."],
    ["The river floods the town.", "He sold her bakery."],
    ["Each spring the old town is flooded.", "She sold her bakery."],
)


class MetricRanker(Ranker):
    """A loaded metric of the evaluate library that gives one score per example.

    Its result holds the scores under ``scores``, or else as its only list of the right length.

    Args:
        metric: from ``evaluate.load``; its features say whether it takes sources and references.
        options: passed to its ``compute``.

    Raises:
        ValueError: it takes other columns than texts under predictions, sources and references.
    """

    def __init__(self, metric: Any, **options: Any) -> None:
        self.name = str(metric.name)
        self._metric, self._options = metric, options
        formats = metric.features if isinstance(metric.features, list) else [metric.features]
        fitting = [form for form in formats if _takes_texts(form)]
        if not fitting:
            raise ValueError(
                f"The metric {self.name} takes {' or '.join(str(sorted(form)) for form in formats)}: a ranker is given "
                "texts as predictions, sources and references, so give a function of these instead."
            )
        self._format = fitting[0]
        self.needs_reference = "references" in self._format
        self._signature = ""

    @property
    def signature(self) -> str:
        """The signature in the metric's result; if there is none, a hash that covers the scores of two trial texts."""
        if not self._signature:
            sources, summaries, references = _TRIAL
            result = self._compute(sources, summaries, references)
            scores = checked_scores(_list_of_scores(result, len(summaries), self.name), len(summaries), self.name)
            own = result.get("signature")
            # Three digits: the last ones differ between machines.
            trial = own if isinstance(own, str) else [f"{score:.3g}" for score in scores]
            digest = hash_json(config=self._metric.config_name, options=self._options, trial=trial)
            self._signature = f"{self.name}-{digest[:16]}"
        return self._signature

    def _scores(self, sources: list[str], summaries: list[str], references: list[str] | None) -> Any:
        return _list_of_scores(self._compute(sources, summaries, references), len(summaries), self.name)

    def _compute(self, sources: list[str], summaries: list[str], references: list[str] | None) -> Mapping[str, Any]:
        texts: dict[str, Any] = {"predictions": summaries}
        if "sources" in self._format:
            texts["sources"] = sources
        if "references" in self._format:
            single = isinstance(self._format["references"], Value)
            texts["references"] = references if single else [[text] for text in references or []]
        result: Mapping[str, Any] = self._metric.compute(**texts, **self._options)
        return result


def _takes_texts(form: Mapping[str, Any]) -> bool:
    text = Value("string")
    return (
        set(form) <= set(_TEXTS)
        and all(form[name] == text for name in ("predictions", "sources") if name in form)
        and "predictions" in form
        and _is_text_or_texts(form.get("references", text))
    )


def _is_text_or_texts(feature: Any) -> bool:
    inner = feature[0] if isinstance(feature, list) else getattr(feature, "feature", feature)
    return bool(inner == Value("string"))


def _list_of_scores(result: Mapping[str, Any], count: int, name: str) -> Any:
    parts = {key: value.tolist() if hasattr(value, "tolist") else value for key, value in (result or {}).items()}
    if "scores" in parts:
        return parts["scores"]
    lists = [value for value in parts.values() if isinstance(value, (list, tuple)) and len(value) == count]
    if len(lists) != 1:
        raise ValueError(
            f"The metric {name} gave {', '.join(parts) or 'nothing'}; {len(lists)} of these are lists with one number "
            "per summary, and exactly one is needed. Choose it by an option of the metric (e.g. use_aggregator=False "
            "and one of rouge_types), or give a function that returns it."
        )
    return lists[0]
