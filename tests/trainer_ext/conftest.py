"""A tiny QAGen that asks: a random one almost never writes a pair that survives the filter."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer, BartForConditionalGeneration

QUESTION = 8  # words of a question
ANSWERS = "joshua klitschko paris london city king queen cat dog won lost red blue".split()


@pytest.fixture(scope="session")
def asking_qagen(tiny_qagen: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a tiny BART QAGen whose decoder positions want eight words, the separator, an answer, and the end.

    Which words they are is left to the random weights and the text.
    """
    model = BartForConditionalGeneration.from_pretrained(tiny_qagen)
    tokenizer = AutoTokenizer.from_pretrained(tiny_qagen)
    vocabulary = tokenizer.get_vocab()
    words = [token for token in vocabulary if token not in ("<pad>", "<s>", "</s>", "<unk>", "<sep>")]
    decoder = model.model.decoder
    with torch.no_grad():
        for layer in decoder.layers:  # the position speaks louder than what attention and text add
            for linear in (layer.self_attn.out_proj, layer.encoder_attn.out_proj, layer.fc2):
                linear.weight *= 0.3
        offset = decoder.embed_positions.offset
        for place in range(QUESTION + 3):
            wanted = (
                words if place < QUESTION else [["<sep>"], ANSWERS, ["</s>"]][place - QUESTION]
            )
            scores = torch.full((len(vocabulary),), -1.0)
            scores[[vocabulary[token] for token in wanted]] = 1.0
            position = torch.linalg.lstsq(model.lm_head.weight, scores[:, None]).solution[:, 0]
            decoder.embed_positions.weight[place + offset] = 8 * position / position.std()
    folder = tmp_path_factory.mktemp("asking")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
