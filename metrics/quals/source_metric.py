"""What the metrics have in common: texts of evaluate's form, checked and shaped, and nothing lost on errors."""

from __future__ import annotations

import hashlib
import inspect
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from threading import RLock, get_ident
from typing import Any, ClassVar

import datasets
import evaluate

from .errors import DataError
from .inputs import checked_texts
from .loading import LOADING, dtype_name
from .results import mean_score
from .source_scorer import SourceScorer


class SourceMetric(evaluate.Metric, ABC):
    """A metric with the features ``predictions`` and ``sources``, whose work a :class:`SourceScorer` does.

    A metric states ``_scorer_class``, ``_info`` and ``_compute``. It is abstract, so that evaluate does not take it for
    the metric of a module that imports it.

    Any number of threads may call :meth:`compute` with texts of their own on one metric. What ``add`` and ``add_batch``
    collect is on the metric itself, whichever thread adds it: threads that add should have a metric each.
    """

    _scorer_class: ClassVar[Any]  # a SourceScorer that takes the checkpoint first
    _call_options: ClassVar[tuple[str, ...]] = ("explain", "progress")  # the options that are not the scorer's
    _model_options: ClassVar[tuple[str, ...]] = ()  # those that say, beside device and dtype, what is loaded
    _latest: SourceScorer[Any] | None = None  # a scorer on what was last loaded, and the options it was loaded for
    _latest_options: tuple[Any, ...] = ()

    def __init__(self, config_name: str | os.PathLike[str] | None = None, **kwargs: Any) -> None:
        default = config_name is None or config_name == "default"
        self._checkpoint = None if default else os.fspath(config_name)  # type: ignore[arg-type]
        # evaluate writes into a folder of this name, which must not be the checkpoint's own.
        name = "default" if self._checkpoint is None else hashlib.sha256(self._checkpoint.encode()).hexdigest()[:16]
        super().__init__(config_name=name, **kwargs)
        self._collecting = RLock()  # evaluate keeps what was added on the metric
        self._adders: set[int] = set()  # threads that added it

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_collecting"}  # a lock has no copy

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._collecting = RLock()

    @abstractmethod
    def _info(self) -> evaluate.MetricInfo:
        """What evaluate wants to know; :meth:`_described` makes it."""

    def _scorer(self, *, device: str | None, dtype: Any, **options: Any) -> Any:
        """A scorer with these options; the models in memory serve again where they are what was asked for.

        Args:
            device: None leaves the models where they are.
            dtype: dtype of the computation.
            options: all others of the scorer.

        Raises:
            OptionError: an option is out of range.
            CheckpointError: a model cannot be loaded.
        """
        asked = (dtype_name(dtype), *(options.get(name) for name in self._model_options))
        with LOADING:
            latest = self._latest
            if latest is not None and self._latest_options == asked and latest.is_on(device):
                others = {name: value for name, value in options.items() if name not in self._model_options}
                return self._scorer_class(**latest.models, dtype=dtype, **others)
            scorer = self._scorer_class(self._checkpoint, device=device, dtype=dtype, **options)
            self._latest, self._latest_options = scorer, asked
            return scorer

    def _scorer_options(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """All of the scorer's options, those that are not given at their defaults.

        Raises:
            TypeError: there is no such option.
        """
        parameters = list(inspect.signature(self._compute).parameters.values())
        if parameters[-1].kind is inspect.Parameter.VAR_KEYWORD:  # it takes whatever the scorer takes
            scorers = inspect.signature(self._scorer_class).parameters
            parameters[-1:] = [scorers[name] for name in scorers if name not in ("checkpoint", "revision", "chunk")]
        bound = inspect.Signature(parameters).bind([], [], **options)
        bound.apply_defaults()
        left_out = ("predictions", "sources", *self._call_options)
        return {name: value for name, value in bound.arguments.items() if name not in left_out}

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
            self._scorer(**self._scorer_options({}))

    def add(self, *, prediction: Any = None, reference: Any = None, source: Any = None, **kwargs: Any) -> None:
        """Add one summary, or one list of candidates, and its source.

        Raises:
            DataError: a value is not text; what was added before is kept.
        """
        prediction, source = kwargs.pop("predictions", prediction), kwargs.pop("sources", source)
        # evaluate itself checks first rows only: findings/evaluate-checks-the-first-row-only.sh
        with self._collecting:
            predictions, sources = self._checked([prediction], [source])
            super().add(prediction=predictions[0], reference=reference, sources=sources[0], **kwargs)
            self._adders.add(get_ident())

    def add_batch(self, *, predictions: Any = None, references: Any = None, sources: Any = None, **kwargs: Any) -> None:
        """Add a summary, or a list of candidates, for each source.

        Raises:
            DataError: a value is not text, or the lists differ in length; what was added before is kept.
        """
        with self._collecting:
            predictions, sources = self._checked(predictions, sources)
            super().add_batch(predictions=predictions, references=references, sources=sources, **kwargs)
            self._adders.add(get_ident())

    def compute(self, *, predictions: Any = None, references: Any = None, **kwargs: Any) -> dict[str, Any] | None:
        """Score what is given, and what was added before.

        Raises:
            DataError: there is nothing to score, a value is not text, or texts are given while those that another
                thread added are waiting; what was added before is kept.
            OptionError: an option is out of range; what was added before is kept.
        """
        options = {name: value for name, value in kwargs.items() if name != "sources"}
        wanted = self._scorer_options(options)
        if self.process_id == 0:
            self._scorer(**wanted)
        sources = kwargs.get("sources")
        given = predictions is not None or sources is not None
        with self._collecting:
            if self.writer is not None or self.num_process > 1 or not given:
                return self._compute_added(given, predictions=predictions, references=references, **kwargs)
        # Evaluate would first keep the texts on the metric, where those of another thread's call may be.
        predictions, sources = checked_texts(predictions, sources)
        scored: dict[str, Any] = self._compute(predictions=predictions, sources=sources, **options)
        return scored

    def _compute_added(self, given: bool, **inputs: Any) -> dict[str, Any] | None:
        if not given and not len(self):
            raise DataError("There is nothing to score: give predictions and sources, or add some before.")
        if given and not self._adders <= {get_ident()}:
            raise DataError(
                "Texts that another thread added are waiting in this metric: score them with compute() first, or give "
                "each thread a metric of its own."
            )
        try:
            result: dict[str, Any] | None = super().compute(**inputs)
        except BaseException:  # an interrupt too
            if self.data is not None:
                self._forget()
            raise
        finally:
            if self.writer is None:
                self._adders.clear()
        return result

    def _scored(
        self,
        scorer: SourceScorer[Any],
        predictions: list[str] | list[list[str]],
        sources: list[str],
        progress: bool | None,
        name: str,
        parts: str,
        explained: Callable[[Any], dict[str, Any]] | None,
    ) -> dict[str, Any]:
        """What the metric returns.

        Args:
            scorer: what scores them.
            predictions, sources, progress: as they were given.
            name: name of the mean.
            parts: name of a result's attribute, a sequence, that its score is the mean of.
            explained: makes a dictionary of each part; None leaves the parts out.
        """
        nested = [text if isinstance(text, list) else [text] for text in predictions]
        summaries = [text for candidates in nested for text in candidates]
        repeated = [source for source, candidates in zip(sources, nested, strict=True) for _ in candidates]
        results = scorer.score(repeated, summaries, progress=progress)

        def shaped(values: Iterable[Any]) -> list[Any]:
            """Values, one per summary, in the form of the predictions."""
            rest = iter(values)
            return [list(islice(rest, len(text))) if isinstance(text, list) else next(rest) for text in predictions]

        def sources_with(flags: Iterable[bool]) -> int:
            """Sources with a flag on their summary, or on any of their candidates."""
            return sum(any(flag) if isinstance(flag, list) else flag for flag in shaped(flags))

        scores = [result.score for result in results]
        all_parts = [getattr(result, parts) for result in results]
        output = {
            name: mean_score(scores),
            "scores": shaped(scores),
            f"num_{parts}": shaped(map(len, all_parts)),
            "coverage": sum(map(bool, all_parts)) / len(results),
            "truncated_sources": sources_with(result.source_truncated for result in results),
            "windowed_sources": sources_with(result.source_windows > 1 for result in results),
            "truncated_summaries": sum(result.summary_truncated for result in results),
            "signature": scorer.signature,
        }
        if explained is not None:
            output[parts] = shaped([explained(part) for part in result_parts] for result_parts in all_parts)
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
