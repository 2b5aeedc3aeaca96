"""What the scorers have in common: options, models given or loaded, the signature, and the loop over texts."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from operator import attrgetter
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

import torch
from tqdm.auto import tqdm
from transformers import PreTrainedTokenizerBase

from .batching import LONG_SOURCES
from .doubts import Doubts
from .errors import OptionError
from .inputs import one_of, paired_texts, whole_number
from .loading import DTYPES, dtype_name, require_loaded_as, usable_device
from .processes import processes_of
from .typography import TYPOGRAPHY, plain

Result = TypeVar("Result")
Model = TypeVar("Model")

_BATCH_TOKENS_ON_DEVICE = 32768


class _Chunk(NamedTuple):
    given: list[tuple[str, str]]
    plain: list[tuple[str, str]]  # in plain typography
    rows: list[tuple[str, str]]  # of these the different ones: equal ones are scored once


class SourceScorer(ABC, Generic[Result]):
    """Scores summaries by their sources: the base of QUALS, QAGS and FactCC.

    A scorer states its ``NAME``, its ``VERSION``, its ``settings`` and :meth:`_score_chunk`; a metric for evaluate over
    it is a :class:`~quals.source_metric.SourceMetric`.

    Args:
        device: ``"cuda"``, ``"mps"``, ``"cpu"``, ...; None takes the first of these that is there.
        dtype: dtype of the computation: ``"float32"``, ``"bfloat16"``, ``"float16"``, or torch's own of that name.
        batch_tokens: most tokens, padding included, in one pass of a model; None is ``BATCH_TOKENS`` on a CPU, else
            32,768.
        long_sources: ``"windows"`` reads all of a long source in overlapping windows, ``"truncate"`` its beginning.
        chunk: number of summaries that are read, scored and given out together; None is ``CHUNK``.
        processes: number of processes that score, a chunk each at a time; 1 is this process alone. See :meth:`score`.

    Raises:
        OptionError: an option is out of range.

    Example:
        A metric without a model, the share of a summary's words that its source has:

        >>> class OverlapScorer(SourceScorer[float]):
        ...     NAME = "Overlap"
        ...     VERSION = "1"
        ...
        ...     def _score_chunk(self, rows, advance):
        ...         for source, summary in rows:
        ...             words = summary.lower().split()
        ...             yield sum(word in source.lower().split() for word in words) / len(words)
        >>> scorer = OverlapScorer()
        >>> scorer.score(["The cat sat.", "The cat sat."], ["the cat", "the dog"])
        [1.0, 0.5]
        >>> scorer.signature[:11]
        'overlap-v1-'
    """

    NAME: ClassVar[str]
    VERSION: ClassVar[str]  # of the computation: changes when scores do
    CHUNK: ClassVar[int] = 64
    BATCH_TOKENS: ClassVar[int] = 4096  # on a CPU

    def __init__(
        self,
        *,
        device: str | None = None,
        dtype: str | torch.dtype = "float32",
        batch_tokens: int | None = None,
        long_sources: str = "windows",
        chunk: int | None = None,
        processes: int = 1,
    ) -> None:
        whole_number("batch_tokens", 1 if batch_tokens is None else batch_tokens, 1)
        whole_number("chunk", 1 if chunk is None else chunk, 1)
        whole_number("processes", processes, 1)
        one_of("long_sources", long_sources, LONG_SOURCES)
        self.dtype = dtype_name(dtype)
        self.device = usable_device(device)
        self.long_sources = long_sources
        self.chunk = chunk or self.CHUNK
        self.processes = processes
        if processes > 1 and self.device.type != "cpu":
            raise OptionError(
                f"processes is {processes}, and the model computes on {self.device}, which one process fills: leave "
                "processes at 1, or give device='cpu'."
            )
        self._asked_device, self._asked_batch_tokens = device, batch_tokens
        self._told: set[str] = set()  # what doubts about texts were warned of

    def _loaded(self, given: Any, kind: type[Model], load: Callable[..., Model]) -> Model:
        """A model that was given loaded, or else by its name.

        Args:
            given: of this kind, or what ``load`` takes first.
            kind: a class with the attribute ``model``.
            load: takes ``device`` and ``dtype`` too.

        Raises:
            OptionError: the loaded model has another dtype than was asked for, or is on another device.
            CheckpointError: ``load`` could not load it.
        """
        if not isinstance(given, kind):
            return load(given, device=self.device, dtype=DTYPES[self.dtype])
        model = given.model  # type: ignore[attr-defined]
        require_loaded_as(kind.__name__, model, self._asked_device, self.dtype)
        self.device = model.device
        return given

    def is_on(self, device: str | None) -> bool:
        """Whether the models serve for this device: it is theirs, it was asked for, or it is None."""
        return device in (None, self._asked_device, str(self.device))

    def to(self, device: str) -> None:
        """Move the models to another device; scores there differ in their last digits."""
        for loaded in self.models.values():
            getattr(loaded, "model", loaded).to(device)
        self.device = torch.device(device)

    @property
    def models(self) -> dict[str, Any]:
        """The models in memory by the constructor's arguments that take them, for another scorer with other options."""
        return {}

    @property
    def tokenizers(self) -> Sequence[PreTrainedTokenizerBase]:
        """The models' tokenizers; texts of languages that they do not know are warned of."""
        return ()

    @property
    def batch_tokens(self) -> int:
        """Most tokens, padding included, in one pass of a model."""
        return self._asked_batch_tokens or (self.BATCH_TOKENS if self.device.type == "cpu" else _BATCH_TOKENS_ON_DEVICE)

    @property
    def settings(self) -> dict[str, Any]:
        """All that changes scores, as values for JSON; what two scorers differ in is why their signatures differ."""
        return {"long_sources": self.long_sources, "dtype": self.dtype, "typography": TYPOGRAPHY}

    @property
    def signature(self) -> str:
        """Name, version and hash over the settings: scores with one signature are comparable."""
        digest = hashlib.sha256(json.dumps(self.settings, sort_keys=True).encode()).hexdigest()
        return f"{self.NAME.lower()}-v{self.VERSION}-{digest[:12]}"

    def score(self, sources: Iterable[str], summaries: Iterable[str], *, progress: bool | None = None) -> list[Result]:
        """Score every summary against the source at the same place.

        Args:
            sources, summaries: texts; any iterables of the same length, one text at least.
            progress: whether to show a progress bar; None shows one on a terminal.

        With ``processes``, each process computes on its share of this one's threads (``torch.set_num_threads``), and
        all read one model in shared memory. They start on the first call, which takes some seconds, and stay until the
        scorer is gone. What is scored together does not depend on their number: results are equal to the last bit where
        each has as many threads as one process alone, and else to rounding. A chunk is the work of one process: make
        ``chunk`` small where there are few texts. In a script, the code that scores must stand under
        ``if __name__ == "__main__":``.

        Returns:
            One result per summary, in order. A result depends on its own two texts alone, to rounding: where two
            choices are about equally good, other texts in the batch can tip them.

        Raises:
            DataError: a text is not a string, there is no text, or there are more sources than summaries or fewer. In
                lists this is found before anything is scored.
            ChildProcessError: one of several processes was ended from outside, or none could start.

        Warns:
            DoubtfulTextWarning: on the whole the summaries are longer than their sources, a source has no words, or a
                tokenizer does not know the language of a text. A scorer warns of each once.
        """
        return list(self.iter_score(sources, summaries, progress=progress))

    def iter_score(
        self, sources: Iterable[str], summaries: Iterable[str], *, progress: bool | None = None
    ) -> Iterator[Result]:
        """As :meth:`score`, but lazily: ``chunk`` texts are read, scored and given out at a time."""
        pairs, total = paired_texts(sources, summaries)
        doubts = Doubts(self.NAME, self.tokenizers, self._told)
        disable = None if progress is None else not progress  # None: tqdm looks for a terminal
        with tqdm(total=total, desc=self.NAME, unit="summary", disable=disable) as bar:
            read = 0
            for chunk, results in self._scored(self._chunks(pairs, doubts), bar.update):
                read += len(chunk.given)
                bar.update(read - bar.n)
                known = dict(zip(chunk.rows, results, strict=True))
                for row, (source, summary) in zip(chunk.plain, chunk.given, strict=True):
                    yield self._of_given(known[row], source, summary)

    def _chunks(self, pairs: Iterator[tuple[str, str]], doubts: Doubts) -> Iterator[_Chunk]:
        while given := list(islice(pairs, self.chunk)):
            texts = [(plain(source), plain(summary)) for source, summary in given]
            doubts.look(texts)
            yield _Chunk(given, texts, list(dict.fromkeys(texts)))

    def _scored(
        self, chunks: Iterator[_Chunk], advance: Callable[[int], Any]
    ) -> Iterator[tuple[_Chunk, Iterable[Result]]]:
        if self.processes > 1:
            return processes_of(self, self.processes).map(chunks, attrgetter("rows"))
        return ((chunk, self._score_chunk(chunk.rows, advance)) for chunk in chunks)

    @abstractmethod
    def _score_chunk(self, rows: list[tuple[str, str]], advance: Callable[[int], Any]) -> Iterable[Result]:
        """Results of different (source, summary) rows, in order.

        Args:
            rows: up to ``chunk`` of them, in plain typography (:mod:`quals.typography`).
            advance: moves the progress bar by a number of summaries; the bar ends at the rows' number by itself.
        """

    def _of_given(self, result: Result, source: str, summary: str) -> Result:
        """The result of a row as that of the two texts as they were given, in whatever typography.

        A result that holds places in a text overrides this, see :func:`quals.typography.given_span`.
        """
        return result
