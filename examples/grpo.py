"""Train a decoder-only summarizer with TRL's GRPO towards summaries that state what their source states.

    python examples/grpo.py --model_name_or_path Qwen/Qwen3-0.6B --train_file articles.jsonl --output_dir out \
        --num_generations 8 --max_completion_length 128

Each row of the file has a ``document``. The reward is QUALS of the completion against it, less where it is copied.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from datasets import load_dataset
from transformers import AutoTokenizer, HfArgumentParser
from trl import GRPOConfig, GRPOTrainer

from trainer_ext import end_training
from trainer_ext.trl import quals_reward


@dataclass
class DataArguments:
    """The model, the data and the reward."""

    model_name_or_path: str = field(metadata={"help": "decoder-only model to train: folder or Hub name"})
    train_file: str = field(metadata={"help": "JSON lines with a document each"})
    text_column: str = field(default="document", metadata={"help": "column with the documents"})
    instruction: str = field(
        default="Summarize this text in one or two sentences. State only what it states.",
        metadata={"help": "what the model is asked to do with the document"},
    )
    copy_penalty: float = field(default=0.5, metadata={"help": "nats per token off where all is copied"})
    qagen: str | None = field(default=None, metadata={"help": "QAGen that rewards; the embedded one if not given"})


def main() -> None:
    """Train and save."""
    data: DataArguments
    args: GRPOConfig
    data, args = HfArgumentParser((DataArguments, GRPOConfig)).parse_args_into_dataclasses()
    tokenizer = AutoTokenizer.from_pretrained(data.model_name_or_path, trust_remote_code=False)
    chat = tokenizer.chat_template is not None

    def with_prompt(row: dict[str, str]) -> dict[str, object]:
        text = f"{data.instruction}\n\n{row[data.text_column]}"
        return {"prompt": [{"role": "user", "content": text}] if chat else f"{text}\n\nSummary:\n"}

    rows = load_dataset("json", data_files=data.train_file, split="train").map(with_prompt)
    options = {"source_column": data.text_column, "copy_penalty": data.copy_penalty, "checkpoint": data.qagen}
    trainer = GRPOTrainer(
        data.model_name_or_path,
        reward_funcs=quals_reward(**options),
        args=args,
        train_dataset=rows,
        processing_class=tokenizer,
    )
    trainer.train()
    trainer.save_model()
    end_training(trainer)  # without it, several processes now and then abort or hang at their end


if __name__ == "__main__":
    main()
