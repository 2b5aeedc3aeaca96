"""The model card of a consistency classifier: what it was trained on, how, and what was measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from transformers import AutoConfig, TrainerState

from trainer_ext.recipes.cards import evaluations, file_name, origins, passes, precision, write_card_files
from trainer_ext.recipes.factcc.claims import NOT_STATED, STATED, Claim
from trainer_ext.recipes.factcc.recipe import FactCCRecipe


def write_card(
    recipe: FactCCRecipe,
    quality: Mapping[str, tuple[float, int]],
    state: TrainerState,
    claims: Sequence[Claim],
    documents: int,
) -> None:
    """Write ``README.md`` and ``quality.json`` into the classifier's folder.

    Args:
        recipe: its settings.
        quality: for each kind of claim, and ``balanced`` for all, the share judged right and the number of claims.
        state: state of the trainer after training.
        claims: claims that were trained on.
        documents: number of their documents.
    """
    folder = Path(recipe.output_dir)
    config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    made = Counter(claim.kind for claim in claims)
    kinds = "\n".join(
        f"| {kind} | {made.get(kind, 0):,} | {share:.3f} | {count:,} |"
        for kind, (share, count) in quality.items()
        if kind != "balanced"
    )
    balanced, measured = quality["balanced"]
    more = (
        "\nA head, for training alone, learned to point at the document's sentence and at the changed words, as in "
        "FactCCX."
        if recipe.span_weight
        else ""
    )
    told = made[STATED] + made[NOT_STATED]
    if told:
        more = f"\nBesides, {told:,} statements about sources, of which {made[STATED]:,} are stated.{more}"
    card = f"""---
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

{origins(recipe, "Documents")}

{len(claims) - told:,} synthetic claims about {documents:,} documents, cut at up to {recipe.document_words} words and
parsed by `{recipe.pipeline}`. Claims come in pairs: a sentence as it is, and the same sentence with one fact changed.
A change swaps a name, number or date for another of this or another document, swaps a pronoun, or negates. Some claims
have words dropped or repeated. In {recipe.shortened:.0%} of the pairs both leave out clauses or other parts that the
sentence can do without, where it has any. The paper's back-translation is left out.{more}

{state.global_step:,} steps of {recipe.batch} claims ({passes(recipe)}), AdamW, peak learning rate
{recipe.learning_rate:g}, {precision(recipe)}, seed {recipe.seed}. Architecture: {config.model_type}; weights stored in
{recipe.dtype}. The checkpoint with the best balanced accuracy was kept, on claims about documents that were not trained
on:

{evaluations(state, "eval_balanced_accuracy", "balanced accuracy")}

## Quality

Balanced accuracy {balanced:.3f} on the {measured:,} claims that chose the checkpoint, about documents of
{file_name(recipe.validation_file)}. By kind:

| kind | claims in training | judged right | of |
|---|---:|---:|---:|
{kinds}

## Limits

Synthetic mistakes are easier than those of real summarizers; only a benchmark with human judgements shows what it is
worth on those. It reads at most {recipe.max_tokens} tokens of document and claim together, and judges one sentence
at a time.
"""
    shares = {kind: {"right": share, "claims": count} for kind, (share, count) in quality.items()}
    write_card_files(folder, card, shares)
