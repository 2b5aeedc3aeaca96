"""Ways to make one number of a summary's question-answer pairs, all from the log-probabilities of a single pass.

The first four are the scorer's own weightings. The others are experiments, which the scorer does not offer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from quals.results import relative_loss, weighted_mean

from benchmarks.agreement.cache import PairRecord

Aggregation = Callable[[Sequence[PairRecord]], float]


def pair_score(pair: PairRecord, weighting: str) -> float:
    """Log-likelihood under the source minus that under the summary, in nats per token; usually at most 0."""
    source = weighted_mean(pair.source, pair.answer_tokens, weighting)
    return source - weighted_mean(pair.summary, pair.answer_tokens, weighting)


def mean_over_pairs(weighting: str) -> Aggregation:
    """QUALS: the mean of the pairs' scores."""
    return lambda pairs: _mean([pair_score(pair, weighting) for pair in pairs])


def information(pairs: Sequence[PairRecord]) -> float:
    """The share of what the summary tells that the source lacks, negative; 0 is the best."""
    return relative_loss((pair.source, pair.summary, pair.nothing) for pair in pairs)


def worst_pair(weighting: str) -> Aggregation:
    """The lowest of the pairs' scores: a summary is as consistent as its worst fact."""
    return lambda pairs: min((pair_score(pair, weighting) for pair in pairs), default=math.nan)


def worst_three(weighting: str) -> Aggregation:
    """The mean of the three lowest scores, which depends less on one odd question than the worst alone."""
    return lambda pairs: _mean(sorted(pair_score(pair, weighting) for pair in pairs)[:3])


def _worst_token(pairs: Sequence[PairRecord]) -> float:
    """Mean over pairs of the lowest difference among a pair's tokens."""
    return _mean([min(_differences(pair)) for pair in pairs])


def _losses_only(pairs: Sequence[PairRecord]) -> float:
    """Tokens that the source makes likelier than the summary does count 0, so that they cannot hide others."""
    return _mean([_mean([min(0.0, value) for value in _differences(pair)]) for pair in pairs])


def _answer_losses_only(pairs: Sequence[PairRecord]) -> float:
    """:func:`_losses_only` over the answer and the end of sequence."""
    return _mean([_mean([min(0.0, value) for value in _differences(pair)[pair.answer_tokens :]]) for pair in pairs])


def _sure_pairs(pairs: Sequence[PairRecord]) -> float:
    """Mean weighted by the likelihood under the summary: a pair that the summary itself makes unlikely says little."""
    weights = [math.exp(weighted_mean(pair.summary, pair.answer_tokens, "tokens")) for pair in pairs]
    scores = [pair_score(pair, "tokens") for pair in pairs]
    total = sum(weights)
    return sum(w * s for w, s in zip(weights, scores, strict=True)) / total if total else math.nan


def _source_only(pairs: Sequence[PairRecord]) -> float:
    """Log-likelihood under the source alone: shows what the comparison with the summary adds."""
    return _mean([weighted_mean(pair.source, pair.answer_tokens, "tokens") for pair in pairs])


WEIGHTED: dict[str, Aggregation] = {
    "QUALS tokens": mean_over_pairs("tokens"),
    "QUALS answer": mean_over_pairs("answer"),
    "QUALS balanced": mean_over_pairs("balanced"),
    "QUALS information": information,
}
EXPERIMENTS: dict[str, Aggregation] = {
    "worst pair": worst_pair("tokens"),
    "worst pair, answer": worst_pair("answer"),
    "worst three": worst_three("tokens"),
    "worst token": _worst_token,
    "losses only": _losses_only,
    "answer losses only": _answer_losses_only,
    "sure pairs": _sure_pairs,
    "source only": _source_only,
}


def _differences(pair: PairRecord) -> list[float]:
    return [source - summary for source, summary in zip(pair.source, pair.summary, strict=True)]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else math.nan
