"""The rankers that are built in: QUALS, ROUGE, the source's word pairs, or a function."""

from __future__ import annotations

import math
from collections.abc import Callable
from importlib.metadata import version
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from quals.pairs import fold

from trainer_ext.mining.fingerprint import object_fingerprint
from trainer_ext.mining.metric_ranker import MetricRanker
from trainer_ext.mining.ranker import Ranker
from trainer_ext.options import RANKERS
from trainer_ext.rouge import rouge_scorer

if TYPE_CHECKING:
    from quals import QualsScorer


class QualsRanker(Ranker):
    """QUALS of a summary against its source, in nats per token.

    Args:
        scorer: what scores; None makes one of ``options`` when it is first needed.
        options: passed to :class:`quals.QualsScorer`.
    """

    name = "quals"

    def __init__(self, scorer: QualsScorer | None = None, **options: Any) -> None:
        self._scorer = scorer
        self._options = options

    @property
    def scorer(self) -> QualsScorer:
        """The scorer, loaded from here on.

        Raises:
            ValueError: an option is out of range, or the checkpoint is not a QAGen.
        """
        if self._scorer is None:
            from quals import QualsScorer

            self._scorer = QualsScorer(**self._options)
        return self._scorer

    @property
    def signature(self) -> str:
        return self.scorer.signature

    def to(self, device: str) -> None:
        self.scorer.to(device)

    @property
    def processes(self) -> int:
        return self.scorer.processes

    def _scores(self, sources: list[str], summaries: list[str], references: list[str] | None) -> Any:
        return [result.score for result in self.scorer.score(sources, summaries, progress=False)]


class RougeRanker(Ranker):
    """Mean of ROUGE-1, ROUGE-2 and ROUGE-L F1 against the reference, stemmed, from 0 to 1: the paper's baseline.

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
        return f"rouge-1-2-L-f1-stemmed-unicode-{version('rouge-score')}"

    def _scores(self, sources: list[str], summaries: list[str], references: list[str] | None) -> Any:
        scores = (self._scorer.score(a, b) for a, b in zip(references or [], summaries, strict=True))
        return [sum(kinds[kind].fmeasure for kind in self._KINDS) / len(self._KINDS) for kinds in scores]


class WordPairsRanker(Ranker):
    """Share of a summary's word pairs that its source has, from 0 to 1; no score for fewer than two words.

    It costs nothing, and rewards copying. What it taught a summarizer of news is in docs/experiment.md.
    """

    name = "word_pairs"
    signature = "source-word-pairs-1"

    def _scores(self, sources: list[str], summaries: list[str], references: list[str] | None) -> Any:
        return [ngram_share(source, summary, 2) for source, summary in zip(sources, summaries, strict=True)]


def ngram_share(source: str, summary: str, order: int) -> float:
    """Share of the summary's word n-grams, repeats counted, that the source has, from 0 to 1.

    Words are compared without case, accents and punctuation. NaN where the summary has fewer words than ``order``.

    Example:
        >>> ngram_share("The cat sat on the mat.", "the cat sat down", 2)
        0.6666666666666666
    """
    wanted = _ngrams(summary, order)
    if not wanted:
        return math.nan
    known = set(_ngrams(source, order))
    return sum(ngram in known for ngram in wanted) / len(wanted)


def _ngrams(text: str, order: int) -> list[tuple[str, ...]]:
    words = [word.folded for word in fold(text)]
    return list(zip(*(words[start:] for start in range(order)), strict=False))


class FunctionRanker(Ranker):
    """A function ``(sources, summaries, references) -> scores``.

    Its attribute ``needs_reference`` says whether it does (default False). Its attribute ``signature`` must change when
    its scores do; where there is none, the function itself is hashed.
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
        ranker: a name in ``trainer_ext.options.RANKERS``, a :class:`quals.QualsScorer`, a metric from
            ``evaluate.load``, a function ``(sources, summaries, references) -> scores``, or a ranker.
        options: passed to :class:`quals.QualsScorer` for ``"quals"``, and to ``compute`` for a metric.

    Raises:
        ValueError: it is none of these, or has options and takes none.
    """
    import evaluate
    from quals import QualsScorer

    meant = resolve_name(RANKERS[ranker]) if isinstance(ranker, str) and ranker in RANKERS else ranker
    if meant is QualsRanker:
        return QualsRanker(**options)
    if isinstance(meant, evaluate.EvaluationModule):
        return MetricRanker(meant, **options)
    if options:
        raise ValueError(f"The ranker {ranker!r} takes no options, and got {', '.join(options)}: leave them out.")
    if isinstance(meant, type) and issubclass(meant, Ranker):
        return meant()
    if isinstance(meant, Ranker):
        return meant
    if isinstance(meant, QualsScorer):
        return QualsRanker(meant)
    if callable(meant):
        return FunctionRanker(meant)
    raise ValueError(
        f"The ranker is {ranker!r}: give {', '.join(map(repr, RANKERS))}, a metric from evaluate.load, or a function "
        "(sources, summaries, references) -> scores."
    )
