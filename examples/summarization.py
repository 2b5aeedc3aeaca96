"""Fine-tune a summarizer, in the shape of Hugging Face's run_summarization.py, and train it for facts.

    python examples/summarization.py --model_name_or_path facebook/bart-base --train_file train.jsonl \
        --validation_file validation.jsonl --output_dir out --do_train --do_eval --predict_with_generate

The class in the import is all that makes this training contrastive: import ``Seq2SeqTrainer`` and
``Seq2SeqTrainingArguments`` from transformers instead, and it is an ordinary fine-tuning script.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

from datasets import Dataset, load_dataset
from transformers import (
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    DataCollatorForSeq2Seq,
    HfArgumentParser,
    PreTrainedTokenizerBase,
    set_seed,
)
from transformers.trainer_utils import get_last_checkpoint

from trainer_ext import ContrastiveSeq2SeqTrainer as Seq2SeqTrainer
from trainer_ext import ContrastiveSeq2SeqTrainingArguments as Seq2SeqTrainingArguments
from trainer_ext import QualsComputeMetrics, end_training


@dataclass
class DataArguments:
    """The model and the data."""

    model_name_or_path: str = field(metadata={"help": "encoder-decoder to train: folder or Hub name"})
    train_file: str | None = field(default=None, metadata={"help": "JSON lines with a document and a summary each"})
    validation_file: str | None = field(default=None, metadata={"help": "likewise"})
    text_column: str = field(default="document", metadata={"help": "column with the documents"})
    summary_column: str = field(default="summary", metadata={"help": "column with the summaries"})
    source_prefix: str = field(default="", metadata={"help": "text before each document, such as 'summarize: ' for T5"})
    max_source_length: int = field(default=512, metadata={"help": "tokens that are read of a document"})
    max_target_length: int = field(default=64, metadata={"help": "tokens of a summary, at most"})
    max_train_samples: int | None = field(default=None, metadata={"help": "use the first rows only"})
    max_eval_samples: int | None = field(default=None, metadata={"help": "use the first rows only"})


def main() -> None:
    """Train, evaluate, save, and write the card."""
    parser = HfArgumentParser((DataArguments, Seq2SeqTrainingArguments))
    data: DataArguments
    args: Seq2SeqTrainingArguments
    data, args = parser.parse_args_into_dataclasses()
    set_seed(args.seed)
    if args.predict_with_generate:
        args.include_for_metrics = ["inputs"]  # which documents were summarized, for QualsComputeMetrics
    tokenizer = AutoTokenizer.from_pretrained(data.model_name_or_path, trust_remote_code=False)
    model = AutoModelForSeq2SeqLM.from_pretrained(data.model_name_or_path, dtype="float32", trust_remote_code=False)
    train = read(data.train_file, data.max_train_samples) if args.do_train else None
    validation = read(data.validation_file, data.max_eval_samples) if args.do_eval else None
    trainer = Seq2SeqTrainer(
        model=model,
        args=args,
        train_dataset=tokenized(train, tokenizer, data, args),
        eval_dataset=tokenized(validation, tokenizer, data, args),
        data_collator=DataCollatorForSeq2Seq(tokenizer, model=model, label_pad_token_id=-100),
        processing_class=tokenizer,
        compute_metrics=QualsComputeMetrics(tokenizer, validation[data.text_column])
        if validation is not None and args.predict_with_generate
        else None,
    )
    if args.do_train:
        # The first process makes the folder, and the others may be here before.
        last = get_last_checkpoint(args.output_dir) if Path(args.output_dir).is_dir() else None
        result = trainer.train(resume_from_checkpoint=args.resume_from_checkpoint or last)
        trainer.save_model()
        trainer.log_metrics("train", result.metrics)
        trainer.save_metrics("train", result.metrics)
        trainer.save_state()
    if args.do_eval:
        metrics = trainer.evaluate(max_length=data.max_target_length, metric_key_prefix="eval")
        trainer.log_metrics("eval", metrics)
        trainer.save_metrics("eval", metrics)
    card = {"tasks": "summarization", "finetuned_from": data.model_name_or_path}
    if args.push_to_hub:
        trainer.push_to_hub(**card)
    else:
        trainer.create_model_card(**card)
    end_training(trainer)  # without it, several processes now and then abort or hang at their end


def read(file: str | None, rows: int | None) -> Dataset:
    """The first rows of a JSON lines file."""
    if file is None:
        sys.exit("summarization.py: --do_train needs --train_file, and --do_eval needs --validation_file.")
    dataset = load_dataset("json", data_files=file, split="train")
    return dataset if rows is None else dataset.select(range(min(rows, len(dataset))))


def tokenized(
    dataset: Dataset | None, tokenizer: PreTrainedTokenizerBase, data: DataArguments, args: Seq2SeqTrainingArguments
) -> Dataset | None:
    """Token ids of documents and summaries; their texts are dropped, and mined candidates stay."""
    if dataset is None:
        return None

    def encode(rows: dict[str, list[str]]) -> dict[str, list[list[int]]]:
        documents = [data.source_prefix + document for document in rows[data.text_column]]
        inputs = tokenizer(documents, max_length=data.max_source_length, truncation=True)
        labels = tokenizer(text_target=rows[data.summary_column], max_length=data.max_target_length, truncation=True)
        return {**inputs, "labels": labels["input_ids"]}

    with args.main_process_first(desc="tokenization"):
        return dataset.map(encode, batched=True, remove_columns=[data.text_column, data.summary_column])


if __name__ == "__main__":
    main()
