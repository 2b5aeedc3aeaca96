"""Make a small encoder-decoder that knows language: a stock BART out of a BERT encoder's weights.

sentence-transformers/all-MiniLM-L6-v2 gives the base of the embedded QAGen.
"""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", required=True, help="folder or Hub name of a BERT encoder")
    parser.add_argument("--output-dir", required=True, type=Path, help="where the BART goes")
    parser.add_argument("--decoder-layers", type=int, default=3, help="decoder layers, copied from the encoder's")


def run(arguments: argparse.Namespace) -> None:
    from transformers import AutoTokenizer, BertModel

    from trainer_ext.recipes.checkpoints import save
    from trainer_ext.recipes.qagen.bart_from_bert import bart_from_bert

    tokenizer = AutoTokenizer.from_pretrained(arguments.model)
    bert = BertModel.from_pretrained(arguments.model, add_pooling_layer=False, use_safetensors=True)
    bart = bart_from_bert(bert, arguments.decoder_layers, tokenizer.cls_token_id, tokenizer.sep_token_id)
    save(bart, tokenizer, arguments.output_dir)
