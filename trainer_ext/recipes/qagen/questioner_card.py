"""The model card of a question generator: what it was trained on, how, and what was measured."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from transformers import TrainerState

from trainer_ext.recipes.qa_data import Passage
from trainer_ext.recipes.qagen.card import file_name, training_section
from trainer_ext.recipes.qagen.questioner_quality import QuestionerQuality
from trainer_ext.recipes.qagen.trainer import SEPARATOR

if TYPE_CHECKING:
    from trainer_ext.recipes.qagen.train import QAGenRecipe


def write_card(
    folder: Path, recipe: QAGenRecipe, quality: QuestionerQuality, state: TrainerState, passages: Sequence[Passage]
) -> None:
    """Write ``README.md`` and ``quality.json`` into the generator's folder."""
    (folder / "quality.json").write_text(json.dumps(asdict(quality), indent=2) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(
        f"""---
library_name: transformers
tags: [question-generation, qags, factual-consistency]
---

# {folder.name}

A question generator: its encoder reads a passage, and its decoder, made to begin with `answer {SEPARATOR}`, goes on
with a question that the answer answers. QAGS (Wang, Cho and Lewis 2020) asks such questions of a summary and of its
source.

{training_section(folder, recipe, state, passages)}
## Quality

Measured on {file_name(recipe.validation_file)}, which was not trained on: negative log-likelihood of
{quality.questions:,} questions given their answers, {quality.negative_log_likelihood:.3f} nats a token.

## Limits

It reads at most {recipe.max_tokens} tokens. It knows the kind of text and of question it was trained on.
""",
        encoding="utf-8",
    )
