"""CaPE, a rival: the likelihood model plus what tells training on consistent references from that on others.

Choubey, Fabbri, Vig, Wu, Liu and Rajani, "CaPE: Contrastive Parameter Ensembling for Reducing Hallucination in
Abstractive Summarization", Findings of ACL 2023, arXiv 2110.07166. There the data are split by entailment or by entity
overlap; here by the QUALS of the references.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from transformers import PreTrainedModel

from benchmarks.common.summarizers import load
from benchmarks.common.work_folder import DONE, finish
from benchmarks.paper.arms import Arm
from benchmarks.paper.mining import Mined
from benchmarks.paper.stages import Settings
from trainer_ext.mining.columns import reference_scores

_HALVES = ("consistent", "inconsistent")
_COLUMNS = ("input_ids", "attention_mask", "labels", "document")  # without candidates, training is by likelihood


def halves(settings: Settings, name: str, mined: Callable[[], Mined]) -> tuple[Path, Path]:
    """Folders of the mined documents whose references QUALS scores highest, and of those with the lowest.

    Documents without a score are in neither. ``mined`` is called only if a folder is missing.

    Raises:
        ValueError: fewer than two references have a score.
    """
    consistent, inconsistent = (settings.work / name / f"selected-cape-{half}" for half in _HALVES)
    folders = (consistent, inconsistent)
    if all((folder / DONE).is_file() for folder in folders):
        return folders
    rows = mined().scored["quals"]
    scores = np.array(reference_scores(rows))
    best_first = [int(place) for place in np.argsort(-scores, kind="stable") if not np.isnan(scores[place])]
    half = len(best_first) // 2
    if not half:
        raise ValueError(f"{name}: QUALS scores {len(best_first)} references, too few for CaPE: leave out its arm.")
    for folder, places in zip(folders, (best_first[:half], best_first[-half:]), strict=True):
        rows.select_columns(list(_COLUMNS)).select(sorted(places)).save_to_disk(str(folder))
        finish(folder, {"documents": len(scores), "selected": half, "mean_quals": float(scores[places].mean())})
    return folders


@dataclass(frozen=True)
class Cape(Arm):
    """Parameters of the likelihood model, plus ``alpha`` times those trained on one half minus on the other.

    Attributes:
        halves: folders of the consistent and of the inconsistent rows.
        alpha: how far to go; 0 is the likelihood model.
    """

    halves: tuple[Path, Path]
    alpha: float

    @property
    def folder_name(self) -> str:
        """Seed and alpha."""
        return f"cape-{self.seed}-alpha={self.alpha:g}"

    def finish(self) -> None:
        """Train on each half, add and summarize."""
        common = self.common
        if not (self.folder / DONE).is_file():
            places = [common.settings.work / common.name / f"cape-{self.seed}-{half}" for half in _HALVES]
            for place, rows in zip(places, self.halves, strict=True):
                common.trained(place, rows, self.seed, common.settings)
            model, towards, away = (load(place, common.settings.max_target) for place in (common.mle, *places))
            shifted(model, towards, away, self.alpha).save_pretrained(self.folder)
            common.tokenizer.save_pretrained(self.folder)
            finish(self.folder, {"alpha": self.alpha})
        self.summarize()


def shifted(
    model: PreTrainedModel, consistent: PreTrainedModel, inconsistent: PreTrainedModel, alpha: float
) -> PreTrainedModel:
    """``model`` itself, with ``alpha * (consistent - inconsistent)`` added to its parameters.

    Shared parameters are shifted once, because they are named once.
    """
    towards, away = dict(consistent.named_parameters()), dict(inconsistent.named_parameters())
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.add_(towards[name] - away[name], alpha=alpha)
    return model
