"""Rankers: what says how good a candidate is. QUALS, ROUGE, a metric of the evaluate library, or a function."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from numbers import Real
from typing import TYPE_CHECKING, Any

from trainer_ext.io.hashing import hash_json
from trainer_ext.mining.fingerprint import object_fingerprint
from trainer_ext.rouge import rouge_scorer

if TYPE_CHECKING:
    from quals import QualsScorer

References = Sequence[str] | None  # None where the data have none
_TEXTS = ("predictions", "sources", "references")
# Two texts that a metric is tried on, so that what it cannot do is known before hours of sampling.
_TRIAL = (
    ["The river floods the old town every spring.", "She sold her bakery and moved to Lisbon."],
    ["The river floods the town.", "He sold her bakery."],
    ["Each spring the old town is flooded.", "She sold her bakery."],
)


class Ranker(ABC):
    """Scores summaries; higher is better.

    Attributes:
        name: for people.
        needs_reference: whether the score depends on the reference summary.
        signature: changes when scores do; loads what the ranker needs.
    """

    name: str
    needs_reference: bool = False

    @property
    @abstractmethod
    def signature(self) -> str:
        """See the class."""

    @abstractmethod
    def _scores(self, sources: list[str], summaries: list[str], references: list[str] | None) -> Any:
        """One score a summary; None or NaN where there is none."""

    def __call__(self, sources: Sequence[str], summaries: Sequence[str], references: References = None) -> list[float]:
        """Scores of summaries.

        Args:
            sources, summaries: texts of the same number.
            references: likewise; None where there are none.

        Returns:
            One finite score a summary, NaN where there is none.

        Raises:
            ValueError: the ranker needs references and there are none, or it gave something else than scores.
        """
        if not summaries:
            return []
        if references is None:
            self.require_no_reference()
        given = self._scores(list(sources), list(summaries), None if references is None else list(references))
        return _checked(given, len(summaries), self.name)

    def require_no_reference(self) -> None:
        """For data without reference summaries.

        Raises:
            ValueError: the ranker needs them.
        """
        if self.needs_reference:
            raise ValueError(
                f"The ranker {self.name} compares with reference summaries, and the data have none: add labels, name a "
                "column of texts, or take another ranker."
            )


class QualsRanker(Ranker):
    """QUALS of a summary against its source, by a :class:`quals.QualsScorer` that is loaded when it is first needed."""

    name = "quals"

    def __init__(self, scorer: QualsScorer | None = None, **options: Any) -> None:
        self._scorer = scorer
        self._options = options

    @property
    def scorer(self) -> QualsScorer:
        """Loaded from here on.

        Raises:
            ValueError: an option is out of range, or the checkpoint is no QAGen.
        """
        if self._scorer is None:
            from quals import QualsScorer

            self._scorer = QualsScorer(**self._options)
        return self._scorer

    @property
    def signature(self) -> str:
        return self.scorer.signature

    def _scores(self, sources: list[str], summaries: list[str], references: list[str] | None) -> Any:
        return [result.score for result in self.scorer.score(sources, summaries, progress=False)]


class RougeRanker(Ranker):
    """Mean of ROUGE-1, ROUGE-2 and ROUGE-L F1 against the reference, with stemming: the paper's baseline.

    Raises:
        ValueError: the package rouge-score is not installed.
    """

    name = "rouge"
    needs_reference = True
    _KINDS = ("rouge1", "rouge2", "rougeL")

    def __init__(self) -> None:
        self._scorer = rouge_scorer(*self._KINDS, stem=True)

    @property
    def signature(self) -> str:
        return f"rouge-1-2-L-f1-stemmed-{version('rouge-score')}"

    def _scores(self, sources: list[str], summaries: list[str], references: list[str] | None) -> Any:
        found = (self._scorer.score(a, b) for a, b in zip(references or [], summaries, strict=True))
        return [sum(scores[kind].fmeasure for kind in self._KINDS) / len(self._KINDS) for scores in found]


class MetricRanker(Ranker):
    """A loaded metric of the evaluate library that gives a score an example.

    Its result holds them under ``scores``, or else as its only list of the right length.

    Args:
        metric: from ``evaluate.load``; its features say whether it takes sources and references.
        options: for its ``compute``.

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
        """The one in its result where it gives one; else a hash that the scores of two trial texts are part of."""
        if not self._signature:
            sources, summaries, references = _TRIAL
            result = self._compute(sources, summaries, references)
            scores = _checked(_list_of_scores(result, len(summaries), self.name), len(summaries), self.name)
            told = result.get("signature")
            # Three digits: the last ones differ between machines.
            trial = told if isinstance(told, str) else [f"{score:.3g}" for score in scores]
            known = hash_json(config=self._metric.config_name, options=self._options, trial=trial)
            self._signature = f"{self.name}-{known[:16]}"
        return self._signature

    def _scores(self, sources: list[str], summaries: list[str], references: list[str] | None) -> Any:
        return _list_of_scores(self._compute(sources, summaries, references), len(summaries), self.name)

    def _compute(self, sources: list[str], summaries: list[str], references: list[str] | None) -> Mapping[str, Any]:
        from datasets import Value

        texts: dict[str, Any] = {"predictions": summaries}
        if "sources" in self._format:
            texts["sources"] = sources
        if "references" in self._format:
            single = isinstance(self._format["references"], Value)
            texts["references"] = references if single else [[text] for text in references or []]
        result: Mapping[str, Any] = self._metric.compute(**texts, **self._options)
        return result


class FunctionRanker(Ranker):
    """A function ``(sources, summaries, references) -> scores``.

    Its attribute ``needs_reference`` says whether it does (default False); ``signature`` must change when its scores
    do, and where there is none the function itself is hashed.
    """

    def __init__(self, function: Callable[[list[str], list[str], list[str] | None], Any]) -> None:
        self.name = str(getattr(function, "__name__", type(function).__name__))
        self.needs_reference = bool(getattr(function, "needs_reference", False))
        self._function = function

    @property
    def signature(self) -> str:
        """See the class.

        Raises:
            ValueError: it has none, and cannot be hashed.
        """
        own = getattr(self._function, "signature", None)
        if own is not None:
            return str(own)
        try:
            return f"{self.name}-{object_fingerprint(self._function)}"
        except Exception as error:  # dill raises whatever the function's parts raise
            raise ValueError(
                f"The ranker {self.name} cannot be hashed ({error}), so nothing tells when its scores change: give it "
                "an attribute `signature`, a text that changes when they do."
            ) from error

    def _scores(self, sources: list[str], summaries: list[str], references: list[str] | None) -> Any:
        return self._function(sources, summaries, references)


def resolve_ranker(ranker: Any, **options: Any) -> Ranker:
    """The ranker that is meant.

    Args:
        ranker: ``"quals"``, ``"rouge"``, a :class:`quals.QualsScorer`, a metric from ``evaluate.load``, a function
            ``(sources, summaries, references) -> scores``, or a ranker.
        options: of :class:`quals.QualsScorer` for ``"quals"``, of ``compute`` for a metric.

    Raises:
        ValueError: none of these, or options where there are none to give.
    """
    import evaluate
    from quals import QualsScorer

    if ranker == "quals":
        return QualsRanker(**options)
    if isinstance(ranker, evaluate.EvaluationModule):
        return MetricRanker(ranker, **options)
    if options:
        raise ValueError(f"The ranker {ranker!r} takes no options, and got {', '.join(options)}: leave them out.")
    if isinstance(ranker, Ranker):
        return ranker
    if isinstance(ranker, QualsScorer):
        return QualsRanker(ranker)
    if ranker == "rouge":
        return RougeRanker()
    if callable(ranker):
        return FunctionRanker(ranker)
    raise ValueError(
        f"The ranker is {ranker!r}: give 'quals', 'rouge', a metric from evaluate.load, or a function (sources, "
        "summaries, references) -> scores."
    )


def _takes_texts(form: Mapping[str, Any]) -> bool:
    from datasets import Value

    text = Value("string")
    return (
        set(form) <= set(_TEXTS)
        and all(form[name] == text for name in ("predictions", "sources") if name in form)
        and "predictions" in form
        and _is_text_or_texts(form.get("references", text))
    )


def _is_text_or_texts(feature: Any) -> bool:
    from datasets import Value

    inner = feature[0] if isinstance(feature, list) else getattr(feature, "feature", feature)
    return bool(inner == Value("string"))


def _list_of_scores(result: Mapping[str, Any], count: int, name: str) -> Any:
    found = {key: value.tolist() if hasattr(value, "tolist") else value for key, value in (result or {}).items()}
    if "scores" in found:
        return found["scores"]
    lists = [value for value in found.values() if isinstance(value, (list, tuple)) and len(value) == count]
    if len(lists) != 1:
        raise ValueError(
            f"The metric {name} gave {', '.join(found) or 'nothing'}, of which {len(lists)} are lists of a number for "
            "each summary, and one is needed: choose it by an option of the metric (e.g. use_aggregator=False and one "
            "of rouge_types), or give a function that returns it."
        )
    return lists[0]


def _checked(scores: Any, count: int, name: str) -> list[float]:
    scores = scores.tolist() if hasattr(scores, "tolist") else scores
    if isinstance(scores, (str, bytes, Mapping)) or not hasattr(scores, "__iter__"):
        raise ValueError(f"The ranker {name} gave {type(scores).__name__}: give a list of a score for each summary.")
    scores = list(scores)
    if len(scores) != count:
        raise ValueError(f"The ranker {name} gave {len(scores)} scores for {count} summaries: give one for each.")
    return [_number(score, name) for score in scores]


def _number(score: Any, name: str) -> float:
    if score is None:
        return math.nan
    score = score.item() if hasattr(score, "item") else score
    if isinstance(score, bool) or not isinstance(score, Real) or math.isinf(score):
        raise ValueError(f"The ranker {name} gave the score {score!r}: give a finite number, or None for no score.")
    return float(score)
