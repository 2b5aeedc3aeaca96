"""Other metrics on the same rows, beside QUALS: QAGS, FactCC, ROUGE and a cosine of embeddings."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from quals.batching import encode_texts, token_budget_batches
from quals.loading import longest_input, model_fingerprint
from tqdm.auto import tqdm

from benchmarks.agreement.data import Row
from benchmarks.agreement.lines import append_lines, read_lines
from trainer_ext.evaluation import rouge
from trainer_ext.study.statistics import Floats

QAGS, FACTCC, ENTAILMENT, COSINE = "QAGS", "FactCC", "entailment", "cosine"
ROUGE = {"ROUGE-1": "rouge1", "ROUGE-2": "rouge2", "ROUGE-L": "rougeL"}
RIVALS = (QAGS, FACTCC, ENTAILMENT, *ROUGE, COSINE)
_CHUNK = 64  # rows between two writes


@dataclass(frozen=True)
class Rival:
    """A metric of a summary against its document.

    Attributes:
        name: for the table.
        signature: names model and settings; empty where there is only one way to score.
        score: from documents and summaries to scores, NaN where there is no score.
    """

    name: str
    signature: str
    score: Callable[[list[str], list[str]], list[float]]


@dataclass(frozen=True)
class Checkpoints:
    """The models that rivals use; None is the embedded one.

    Attributes:
        questioner, reader: models of QAGS.
        pipeline: spaCy pipeline of QAGS.
        classifier: model of FactCC.
        encoder: sentence encoder of the cosine; none is embedded.
        entailment: classifier of natural language inference, which judges as FactCC does; none is embedded.
    """

    questioner: str | None = None
    reader: str | None = None
    pipeline: str = "en_core_web_sm"
    classifier: str | None = None
    encoder: str | None = None
    entailment: str | None = None


def load_rivals(names: Sequence[str], checkpoints: Checkpoints) -> list[Rival]:
    """The named rivals with their models loaded.

    Raises:
        ValueError: a model cannot be loaded.
    """
    return [_load(name, checkpoints) for name in names]


def _load(name: str, checkpoints: Checkpoints) -> Rival:
    if name in ROUGE:
        return Rival(name, "", _rouge(ROUGE[name]))
    if name == COSINE:
        if checkpoints.encoder is None:
            raise ValueError("The rival cosine needs --encoder, a folder or Hub name of a sentence encoder.")
        cosine = _Cosine(checkpoints.encoder)
        return Rival(name, f"cosine-{cosine.fingerprint}", cosine)
    scorer: Any
    if name == QAGS:
        from qags import QAGSScorer

        scorer = QAGSScorer(checkpoints.questioner, checkpoints.reader, pipeline=checkpoints.pipeline)
    else:
        from factcc import FactCCScorer

        if name == ENTAILMENT and checkpoints.entailment is None:
            raise ValueError("The rival entailment needs --entailment, a folder or Hub name of an NLI classifier.")
        scorer = FactCCScorer(checkpoints.entailment if name == ENTAILMENT else checkpoints.classifier)
    return Rival(
        name, scorer.signature, lambda documents, summaries: [r.score for r in scorer.score(documents, summaries)]
    )


def rival_scores(rival: Rival, rows: Sequence[Row], folder: Path, description: str) -> Floats:
    """The rival's scores of the rows, shape ``(rows,)``; those on disk are not computed again.

    Raises:
        ValueError: the file on disk cannot be read.
    """
    file = folder / f"{rival.signature}.jsonl" if rival.signature else None
    known = dict(read_lines(file, _keyed)) if file else {}
    pending = [row for row in rows if (row.id, row.digest) not in known]
    with tqdm(total=len(pending), desc=f"{rival.name}, {description}", unit="row", disable=None) as bar:
        for first in range(0, len(pending), _CHUNK):
            chunk = pending[first : first + _CHUNK]
            scores = rival.score([row.document for row in chunk], [row.summary for row in chunk])
            known |= {(row.id, row.digest): score for row, score in zip(chunk, scores, strict=True)}
            if file:
                append_lines(file, map(_record, chunk, scores))
            bar.update(len(chunk))
    return np.array([known[row.id, row.digest] for row in rows], dtype=np.float64)


def on_common_rows(metrics: Mapping[str, Floats]) -> dict[str, Floats]:
    """The same scores, ``(rows,)`` each; a row that some metric cannot score is NaN for all."""
    unknown = np.isnan(np.stack(list(metrics.values()))).any(0)  # (rows,)
    return {name: np.where(unknown, np.nan, scores) for name, scores in metrics.items()}


def _keyed(values: dict[str, Any]) -> tuple[tuple[str, str], float]:
    score = values["score"]
    return (values["id"], values["texts"]), math.nan if score is None else float(score)


def _record(row: Row, score: float) -> dict[str, Any]:
    return {"id": row.id, "texts": row.digest, "score": None if math.isnan(score) else score}


def _rouge(kind: str) -> Callable[[list[str], list[str]], list[float]]:
    """ROUGE F1 of the summary against the document, because these sets have no reference."""
    return lambda documents, summaries: [
        rouge([summary], [document])[kind] for document, summary in zip(documents, summaries, strict=True)
    ]


class _Cosine:
    """Cosine between the mean token states of the document, cut at the encoder's limit, and of the summary."""

    def __init__(self, checkpoint: str) -> None:
        from transformers import AutoModel, AutoTokenizer

        self._tokenizer = AutoTokenizer.from_pretrained(checkpoint, trust_remote_code=False)
        self._model = AutoModel.from_pretrained(
            checkpoint, dtype=torch.float32, use_safetensors=True, trust_remote_code=False
        ).eval()
        self._limit = min(512, longest_input(self._model, self._tokenizer))
        self.fingerprint = model_fingerprint(self._model, self._tokenizer)

    def __call__(self, documents: list[str], summaries: list[str]) -> list[float]:
        unique = list(dict.fromkeys([*documents, *summaries]))
        states = dict(zip(unique, self._encode(unique), strict=True))
        return [
            float(torch.nn.functional.cosine_similarity(states[document], states[summary], dim=0))
            for document, summary in zip(documents, summaries, strict=True)
        ]

    def _encode(self, texts: list[str]) -> list[torch.Tensor]:
        ids = self._tokenizer(texts, truncation=True, max_length=self._limit, split_special_tokens=True)["input_ids"]
        lengths = list(map(len, ids))
        states_of: list[torch.Tensor] = [torch.empty(0)] * len(texts)
        for batch in token_budget_batches(lengths, 8192):
            inputs, mask = encode_texts([ids[i] for i in batch], self._tokenizer.pad_token_id, self._model.device)
            with torch.inference_mode():
                states = self._model(input_ids=inputs, attention_mask=mask).last_hidden_state  # (B, S, d)
            means = (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)  # (B, d)
            for place, mean in zip(batch, means, strict=True):
                states_of[place] = mean
        return states_of
