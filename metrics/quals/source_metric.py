"""What metrics of summaries and their sources have in common: texts in, checked and shaped, nothing lost on errors."""

from __future__ import annotations

import hashlib
import inspect
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any, ClassVar

import datasets
import evaluate

from .inputs import checked_texts
from .results import mean_score


class SourceMetric(evaluate.Metric, ABC):
    """A metric with the features ``predictions`` and ``sources``, whose work a scorer does.

    It is abstract, and so evaluate passes it by where it looks for a metric in a module that imports this.
    """

    _of_the_call: ClassVar[tuple[str, ...]] = ("explain", "progress")  # options that are not the scorer's
    _loaded: Any = None  # what the last scorer computes with, and what was asked for when it was loaded
    _loaded_for: Any = (None, "")

    def __init__(self, config_name: str | os.PathLike[str] | None = None, **kwargs: Any) -> None:
        default = config_name is None or config_name == "default"
        self._checkpoint = None if default else os.fspath(config_name)  # type: ignore[arg-type]
        # evaluate writes into a folder of this name, which must not be the checkpoint's own.
        name = "default" if self._checkpoint is None else hashlib.sha256(self._checkpoint.encode()).hexdigest()[:16]
        super().__init__(config_name=name, **kwargs)

    @abstractmethod
    def _scorer(self, **options: Any) -> Any:
        """A scorer with these options: it has ``score(sources, summaries, progress=)``.

        Raises:
            ValueError: an option is out of range, or the checkpoint cannot be used.
        """

    def _scorer_on_loaded(
        self, scorer_class: Any, attribute: str, device: str | None, dtype: str, options: dict[str, Any]
    ) -> Any:
        """A scorer with these options, on the weights in memory where they serve; it has them as ``attribute``."""
        loaded, (known_device, known_dtype) = self._loaded, self._loaded_for
        if loaded and dtype == known_dtype and device in (None, known_device, str(loaded.model.device)):
            return scorer_class(loaded, dtype=dtype, **options)
        scorer = scorer_class(self._checkpoint, device=device, dtype=dtype, **options)
        self._loaded, self._loaded_for = getattr(scorer, attribute), (device, dtype)
        return scorer

    def _described(self, description: str, citation: str, inputs_description: str, url: str) -> evaluate.MetricInfo:
        """What evaluate wants to know."""
        text = datasets.Value("string")
        return evaluate.MetricInfo(
            description=description,
            citation=citation,
            inputs_description=inputs_description,
            features=[
                datasets.Features({"predictions": text, "sources": text}),
                datasets.Features({"predictions": datasets.Sequence(text), "sources": text}),
            ],
            license="Apache-2.0",
            reference_urls=[url],
        )

    def _download_and_prepare(self, dl_manager: Any) -> None:
        if self.process_id == 0:  # the one that computes
            self._scorer()

    def add(self, *, prediction: Any = None, reference: Any = None, source: Any = None, **kwargs: Any) -> None:
        """Add one summary, or one list of candidates, and its source.

        Raises:
            ValueError: something is not text; what was added before is kept.
        """
        prediction, source = kwargs.pop("predictions", prediction), kwargs.pop("sources", source)
        predictions, sources = self._checked([prediction], [source])
        super().add(prediction=predictions[0], reference=reference, sources=sources[0], **kwargs)

    def add_batch(self, *, predictions: Any = None, references: Any = None, sources: Any = None, **kwargs: Any) -> None:
        """Add a summary, or a list of candidates, for each source.

        Raises:
            ValueError: something is not text, or the lists differ in length; what was added before is kept.
        """
        predictions, sources = self._checked(predictions, sources)
        super().add_batch(predictions=predictions, references=references, sources=sources, **kwargs)

    def compute(self, *, predictions: Any = None, references: Any = None, **kwargs: Any) -> dict[str, Any] | None:
        """Score what is given, and what was added before.

        Raises:
            ValueError: there is nothing to score, something is not text, or an option is out of range; what was added
                before is kept.
        """
        options = {name: value for name, value in kwargs.items() if name != "sources"}
        inspect.signature(self._compute).bind([], [], **options)
        if self.process_id == 0:
            self._scorer(**{name: value for name, value in options.items() if name not in self._of_the_call})
        if predictions is None and kwargs.get("sources") is None and not len(self):
            raise ValueError("There is nothing to score: give predictions and sources, or add some before.")
        result: dict[str, Any] | None = super().compute(predictions=predictions, references=references, **kwargs)
        return result

    def _scored(
        self,
        scorer: Any,
        predictions: list[str] | list[list[str]],
        sources: list[str],
        progress: bool | None,
        name: str,
        parts: str,
        explained: Callable[[Any], dict[str, Any]] | None,
    ) -> dict[str, Any]:
        """What the metric returns.

        Args:
            scorer: with ``score(sources, summaries, progress=)`` and ``signature``.
            predictions, sources, progress: as they were given.
            name: of the mean.
            parts: what a result's score is the mean of: the name of its attribute, which is a sequence.
            explained: makes a dictionary of a part; None leaves the parts out.
        """
        nested = [text if isinstance(text, list) else [text] for text in predictions]
        summaries = [text for candidates in nested for text in candidates]
        repeated = [source for source, candidates in zip(sources, nested, strict=True) for _ in candidates]
        try:
            results = scorer.score(repeated, summaries, progress=progress)
        except BaseException:  # an interrupt too
            self._forget()
            raise

        def shaped(values: Iterable[Any]) -> list[Any]:
            """Values, one a summary, in the form of the predictions."""
            rest = iter(values)
            return [list(islice(rest, len(text))) if isinstance(text, list) else next(rest) for text in predictions]

        def sources_with(flags: Iterable[bool]) -> int:
            """Sources with a flag on their summary, or on any of their candidates."""
            return sum(any(flag) if isinstance(flag, list) else flag for flag in shaped(flags))

        scores = [result.score for result in results]
        found = [getattr(result, parts) for result in results]
        output = {
            name: mean_score(scores),
            "scores": shaped(scores),
            f"num_{parts}": shaped(map(len, found)),
            "coverage": sum(map(bool, found)) / len(results),
            "truncated_sources": sources_with(result.source_truncated for result in results),
            "windowed_sources": sources_with(result.source_windows > 1 for result in results),
            "truncated_summaries": sum(result.summary_truncated for result in results),
            "signature": scorer.signature,
        }
        if explained is not None:
            output[parts] = shaped([explained(part) for part in mine] for mine in found)
        return output

    def _forget(self) -> None:
        """Drop the texts of a computation that failed: evaluate leaves their file there, and locked."""
        self.data = self.buf_writer = None
        for lock, path in zip(self.filelocks or (), self.file_paths or (), strict=True):
            if os.path.exists(path):
                os.remove(path)
            lock.release()

    def _checked(self, predictions: Any, sources: Any) -> tuple[list[Any], list[str]]:
        if self.writer is None:
            return checked_texts(predictions, sources)
        known = self.selected_feature_format["predictions"]
        return checked_texts(predictions, sources, nested=not isinstance(known, datasets.Value))
