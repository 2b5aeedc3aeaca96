"""QUALS: factual consistency of summaries by question-answer likelihoods."""

from .results import ScoredPair, SummaryScore
from .scorer import QualsScorer

__all__ = ["QualsScorer", "ScoredPair", "SummaryScore"]
