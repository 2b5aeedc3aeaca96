"""The end of a training in several processes."""

from __future__ import annotations

from transformers import Trainer


def end_training(trainer: Trainer) -> None:
    """Close what several processes share: the last line of a script that ``accelerate launch`` or ``torchrun`` starts.

    Any ``Trainer`` will do. A single process is left as it is, apart from the trackers, which are finished. The trainer
    cannot train in several processes afterwards.

    A process that ends without this now and then aborts. One that calls ``trainer.accelerator.end_training()`` alone
    can wait for ever, because the model's wrapper then holds the group of processes last. When the wrapper is freed,
    the group waits for a thread of its own while it holds Python's lock, and the thread waits for the lock (seen with
    torch 2.13 and gloo). So the wrapper is freed first here.

    Example:
        >>> from trainer_ext import ContrastiveSeq2SeqTrainer, ContrastiveSeq2SeqTrainingArguments, end_training
        >>> # trainer = ContrastiveSeq2SeqTrainer(...); trainer.train(); trainer.save_model()
        >>> # end_training(trainer)
    """
    trainer.model_wrapped = trainer.model  # type: ignore[assignment]
    trainer.accelerator.free_memory()  # its list of wrapped models, and what only the garbage collector frees
    trainer.accelerator.end_training()
