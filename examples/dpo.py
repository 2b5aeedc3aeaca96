"""Train a decoder-only summarizer with TRL's DPO on preference pairs that ``quals mine`` has written.

    quals mine articles.jsonl --model Qwen/Qwen3-0.6B --generation-max-length 128 --output pairs.jsonl
    python examples/dpo.py --model_name_or_path Qwen/Qwen3-0.6B --train_file pairs.jsonl --output_dir out

KTOTrainer takes the same file.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from datasets import load_dataset
from transformers import AutoTokenizer, HfArgumentParser
from trl import DPOConfig, DPOTrainer

from trainer_ext import end_training


@dataclass
class DataArguments:
    """The model and the pairs."""

    model_name_or_path: str = field(metadata={"help": "decoder-only model that the pairs were sampled from"})
    train_file: str = field(metadata={"help": "JSON lines with prompt, chosen and rejected, from quals mine"})


def main() -> None:
    """Train and save."""
    data: DataArguments
    args: DPOConfig
    data, args = HfArgumentParser((DataArguments, DPOConfig)).parse_args_into_dataclasses()
    trainer = DPOTrainer(
        data.model_name_or_path,
        args=args,
        train_dataset=load_dataset("json", data_files=data.train_file, split="train"),
        processing_class=AutoTokenizer.from_pretrained(data.model_name_or_path, trust_remote_code=False),
    )
    trainer.train()
    trainer.save_model()
    end_training(trainer)  # without it, several processes now and then abort or hang at their end


if __name__ == "__main__":
    main()
