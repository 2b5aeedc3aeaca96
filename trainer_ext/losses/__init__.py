"""Contrastive losses, and the token log-likelihoods that they read."""

from __future__ import annotations

from trainer_ext.losses.contrastive import (
    LOSSES,
    ContrastiveLoss,
    Hellinger,
    Hinge,
    Margin,
    Preference,
    Unlikelihood,
    make_loss,
)
from trainer_ext.losses.likelihoods import Likelihoods, likelihoods

__all__ = [
    "LOSSES",
    "ContrastiveLoss",
    "Hellinger",
    "Hinge",
    "Likelihoods",
    "Margin",
    "Preference",
    "Unlikelihood",
    "likelihoods",
    "make_loss",
]
