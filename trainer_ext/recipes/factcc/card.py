"""The model card of a consistency classifier: what it was trained on, how, and what was measured."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from transformers import AutoConfig, TrainerState

from trainer_ext.recipes.factcc.claims import Claim

if TYPE_CHECKING:
    from trainer_ext.recipes.factcc.train import FactCCRecipe


def write_card(
    folder: Path,
    recipe: FactCCRecipe,
    quality: Mapping[str, tuple[float, int]],
    state: TrainerState,
    claims: Sequence[Claim],
    documents: int,
) -> None:
    """Write ``README.md`` and ``quality.json`` into the classifier's folder."""
    shares = {kind: {"right": share, "claims": count} for kind, (share, count) in quality.items()}
    (folder / "quality.json").write_text(json.dumps(shares, indent=2) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(_card(folder, recipe, quality, state, claims, documents), encoding="utf-8")


def _card(
    folder: Path,
    recipe: FactCCRecipe,
    quality: Mapping[str, tuple[float, int]],
    state: TrainerState,
    claims: Sequence[Claim],
    documents: int,
) -> str:
    config = AutoConfig.from_pretrained(folder)
    made = Counter(claim.kind for claim in claims)
    kinds = "\n".join(
        f"| {kind} | {made.get(kind, 0):,} | {share:.3f} | {count:,} |"
        for kind, (share, count) in quality.items()
        if kind != "balanced"
    )
    balanced, measured = quality["balanced"]
    credit = "\n".join(f"- {line}" for line in recipe.data_credit or [Path(name).name for name in recipe.train_files])
    base = recipe.base_credit or f"`{Path(recipe.model).name}`"
    passes = "1 pass" if recipe.epochs == 1 else f"{recipe.epochs:g} passes"
    pointed = (
        "\nA head, for training alone, learnt to point at the document's sentence and at the changed words, as in "
        "FactCCX."
        if recipe.span_weight
        else ""
    )
    evaluations = "\n".join(
        f"| {entry['step']} | {entry['eval_balanced_accuracy']:.3f} |"
        for entry in state.log_history
        if "eval_balanced_accuracy" in entry
    )
    return f"""---
library_name: transformers
pipeline_tag: text-classification
tags: [factcc, factual-consistency, summarization]
---

# {folder.name}

A classifier of claims against documents, trained as FactCC was (Kryscinski et al. 2020): given a document and one
sentence, is the sentence consistent with the document (`{config.id2label[0]}`) or not (`{config.id2label[1]}`)?

```python
from transformers import AutoModelForSequenceClassification, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("path/to/this/folder")
model = AutoModelForSequenceClassification.from_pretrained("path/to/this/folder")
inputs = tokenizer(document, sentence, truncation="only_first", return_tensors="pt")
probability = model(**inputs).logits.softmax(-1)[0, 0].item()  # of being consistent
```

## Training

Base: {base}

Documents:

{credit}

{len(claims):,} synthetic claims about {documents:,} documents, cut at up to {recipe.document_words} words, parsed by
`{recipe.pipeline}`: pairs of a sentence as it is and the same sentence with a name, number or date swapped for another
of the document or of another document, a pronoun swapped, or negated; some of both with words dropped or repeated, and
both of some pairs without clauses or other parts that the sentence can miss ({recipe.shortened:.0%}, where it has such
parts). The paper's back-translation is left out.{pointed}

{state.global_step:,} steps of {recipe.batch} claims ({passes}), AdamW, peak learning rate {recipe.learning_rate:g},
{"bfloat16 autocast" if recipe.bf16 else "float32"}, seed {recipe.seed}. Architecture: {config.model_type}; weights
stored in {recipe.dtype}. Kept is the checkpoint with the best balanced accuracy on claims about documents that were not
trained on:

| step | balanced accuracy |
|---:|---:|
{evaluations}

## Quality

On the {measured:,} claims that chose the checkpoint, about documents of {Path(recipe.validation_file).name}, balanced
accuracy {balanced:.3f}. By kind:

| kind | claims in training | judged right | of |
|---|---:|---:|---:|
{kinds}

## Limits

Synthetic mistakes are easier than those of real summarizers: what it is worth on those is for a benchmark with human
judgements to say. It reads at most {recipe.max_tokens} tokens of document and claim together, and judges one sentence
at a time.
"""
