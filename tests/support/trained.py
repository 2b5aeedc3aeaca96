"""A model's folder as training leaves it: what is for others, and what is not."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

CARD = """---
tags: [summarization]
model-index:
- name: summarizer
  results:
  - task: {type: summarization, name: Summarization}
    dataset: {type: news, name: news}
    metrics:
    - {type: quals, value: -0.5, name: QUALS}
---

# A summarizer
"""
PUBLISHED = ["README.md", "config.json", "merges.txt", "model.safetensors", "tokenizer_config.json"]


def write_trained_model(folder: Path) -> Path:
    """Folder of a trained model, with what training leaves beside it."""
    for name in ("checkpoint-10", "_contrastive", ".git", "runs", "extra", "wandb"):
        (folder / name).mkdir(parents=True)
    save_file({"weight": np.arange(6, dtype=np.float32)}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"model_type": "bart"}))
    (folder / "tokenizer_config.json").write_text("{}")
    (folder / "merges.txt").write_text("a b\n")
    (folder / "extra" / "notes.txt").write_text("notes")
    (folder / "README.md").write_text(CARD)
    for name in (
        "training_args.bin",
        "optimizer.pt",
        "rng_state_0.pth",
        "checkpoint-10/model.safetensors",
        "_contrastive/rows.jsonl",
        ".git/config",
        "runs/events.out.tfevents.1.host",
        ".DS_Store",
        "trainer_state.json",
        "train.log",
        "train.jsonl",
        "id_rsa",
        "wandb/run.json",
    ):
        (folder / name).write_bytes(b"not for others")
    (folder / "renamed.dat").write_bytes(pickle.dumps({"a": 1}))
    return folder
