"""Show why a summary scored as it did: its pairs in the terminal, as a figure and as a page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from quals.markup import count, depth, signed

if TYPE_CHECKING:
    from quals.results import QualsResult, ScoredPair

NO_PAIRS = "No question-answer pair survived, so QUALS is undefined for this summary (NaN)."


@dataclass(frozen=True)
class Explanation:
    """A score with the texts it belongs to.

    Attributes:
        source, summary: the texts.
        result: of the scorer.
        signature: of the scorer's settings.
    """

    source: str
    summary: str
    result: QualsResult
    signature: str

    @property
    def worst_first(self) -> list[ScoredPair]:
        """The pairs, those first that the source supports least."""
        return sorted(self.result.pairs, key=lambda pair: pair.score)

    @property
    def headline(self) -> str:
        """The score and what it is the mean of."""
        return f"QUALS {signed(self.result.score)}, the mean of {count(len(self.result.pairs), 'pair')}"

    @property
    def notes(self) -> list[str]:
        """What a reader must know of how the texts were read."""
        notes = []
        if self.result.source_truncated:
            notes.append("The end of the source was not read.")
        if self.result.source_windows > 1:
            notes.append(f"The source was read in {self.result.source_windows} windows.")
        if self.result.summary_truncated:
            notes.append("The end of the summary was not read.")
        return notes

    @property
    def depth(self) -> int:
        """Nats that the longest bar needs."""
        return depth(self.result.pairs)
