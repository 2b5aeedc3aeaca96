"""QUALS and ROUGE of the model around the training, and the card that tells them."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset, IterableDataset
from support.tiny import tiny_tokenizer
from support.trainer_runs import Counting, documents, load, trainer


@pytest.mark.parametrize(
    "evaluation",
    [
        lambda: documents(3).to_list(),
        lambda: IterableDataset.from_generator(lambda: iter(documents(3).to_list())),
        lambda: documents(3).select([]),
        lambda: documents(3).remove_columns("labels"),
        lambda: {"a": documents(3), "b": documents(2)},
        lambda: documents(3),
    ],
)
def test_no_evaluation_set_keeps_training_from_its_end(
    tmp_path: Path, summarizer: Path, qagen: Path, evaluation: Any
) -> None:
    model = load(summarizer)
    model.generation_config.do_sample = True
    data = documents(6)
    texts = tiny_tokenizer().batch_decode(list(data["input_ids"]), skip_special_tokens=True)
    found = trainer(
        tmp_path,
        model,
        ranker=Counting(),
        train_dataset=data.add_column("document", texts),
        selection="all",
        source_column="document",
        eval_dataset=evaluation(),
        card_documents=2,
        ranker_checkpoint=str(qagen),
    )
    found.train()
    assert (found.quality_before is None) == (found.quality_after is None)
    if isinstance(found.eval_dataset, (dict, Dataset)) and found.quality_before is None:
        assert not len(found.eval_dataset) or "labels" not in found.eval_dataset.column_names


def test_other_settings_measure_anew(tmp_path: Path, summarizer: Path, qagen: Path) -> None:
    options = {"ranker_checkpoint": str(qagen), "eval_dataset": documents(4, seed=2), "card_documents": 2}
    one = trainer(tmp_path, load(summarizer), ranker=Counting(), **options)
    one.train()
    two = trainer(tmp_path, load(summarizer), ranker=Counting(), generation_num_beams=3, **options)
    key = json.loads((tmp_path / "_contrastive.json").read_text())["key"]
    two.train()
    assert json.loads((tmp_path / "_contrastive.json").read_text())["key"] != key


CARD = r"""---
(?P<metadata>.*
model-index:
- name: bart-for-facts
  results:
  - task:
      type: summarization
      name: Summarization
    dataset:
      name: the evaluation set
      type: the evaluation set
    metrics:
    - type: quals
      value: -?\d+\.\d+
      name: QUALS
    - type: quals
      value: -?\d+\.\d+
      name: QUALS before contrastive training
    - type: rouge
      value: \d\.\d+
      name: ROUGE-1
    - type: rouge
      value: \d\.\d+
      name: ROUGE-1 before contrastive training
    - type: rouge
      value: \d\.\d+
      name: ROUGE-2
    - type: rouge
      value: \d\.\d+
      name: ROUGE-2 before contrastive training
    - type: rouge
      value: \d\.\d+
      name: ROUGE-L
    - type: rouge
      value: \d\.\d+
      name: ROUGE-L before contrastive training
.*)---
.*
# bart-for-facts

This model was trained further, from a summarizer that the card does not name, on an unknown dataset\.
.*
## Training for factual consistency

Trained with `ContrastiveSeq2SeqTrainer`, towards target summaries and away from inaccurate candidates
\(\[Nan et al\. 2021\]\(https://arxiv\.org/abs/2105\.04623\)\)\.

- Contrastive loss: unlikelihood, weight 1; weight of the targets' likelihood 1, label smoothing 0\.1\.
- Candidates: sampled from the model itself, ranked by Counting\.
(?P<mining>(?:- [A-Z][^:\n]*: [^\n]+\n)+)
Measured on 5 documents of the evaluation set, before and after contrastive training:

\| \| before \| after \|
\|---\|---:\|---:\|
\| QUALS, nats per token, higher is better \| -?\d\.\d{3} \| -?\d\.\d{3} \|
\| share of summaries with a QUALS score \| [01]\.\d{3} \| [01]\.\d{3} \|
\| ROUGE-1 F1 \| [01]\.\d{4} \| [01]\.\d{4} \|
\| ROUGE-2 F1 \| [01]\.\d{4} \| [01]\.\d{4} \|
\| ROUGE-L F1 \| [01]\.\d{4} \| [01]\.\d{4} \|
\| words per summary \| \d+\.\d \| \d+\.\d \|

QUALS scores: `quals-v2-[0-9a-f]{12}`; compare only scores with the same signature\.
Sources were read as the model reads them, \d+ tokens at most: in a longer document,
what a summary says of the rest counts as unsupported\.

```python
from transformers import AutoTokenizer, BartForConditionalGeneration

folder = "path/to/this/folder"
model = BartForConditionalGeneration\.from_pretrained\(folder\)
tokenizer = AutoTokenizer\.from_pretrained\(folder\)
inputs = tokenizer\(text, truncation=True, return_tensors="pt"\)
print\(tokenizer\.batch_decode\(model\.generate\(\*\*inputs\), skip_special_tokens=True\)\[0\]\)
```

## Training procedure
.*"""


def test_the_whole_card(tmp_path: Path, summarizer: Path, qagen: Path) -> None:
    options = {
        "ranker": Counting(),
        "ranker_checkpoint": str(qagen),
        "eval_dataset": documents(9, seed=2),
        "card_documents": 5,
        "label_smoothing_factor": 0.1,
    }
    folder = tmp_path / "bart-for-facts"
    found = trainer(folder, load(summarizer), **options)
    found.train()
    found.create_model_card()
    text = (folder / "README.md").read_text()
    match = re.fullmatch(CARD, text, re.DOTALL)
    assert match, text
    assert "- Documents: 20\n" in match["mining"]
    assert "None" not in match["mining"]
    # A run that goes on elsewhere keeps what was measured before the training.
    again = trainer(folder, load(summarizer), **options)
    again.train()
    assert again.quality_before == found.quality_before
    shutil.rmtree(folder)
