"""Scoring and mining beyond one process: shards, folders of files, and the workers of a Ray cluster (extra ``ray``)."""

from __future__ import annotations

from trainer_ext.scale.ray_data import score_rows
from trainer_ext.scale.ray_pool import RayPool

__all__ = ["RayPool", "score_rows"]
