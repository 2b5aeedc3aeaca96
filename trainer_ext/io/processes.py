"""The processes of one training: how they wait for each other, and how they end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import Trainer

_AT_MOST = timedelta(days=30)


def patient_wait(accelerator: Any) -> Callable[[], None]:
    """What returns when all processes have called it, and ends none of them because another is busy for long.

    A barrier of the run's own group fails after half an hour. This timeout is there for collectives that hang, and a
    process may rank candidates or measure summaries for longer than the others. So this barrier has a group of its own.
    A process that dies still ends the others.

    All processes must call this at the same point, as ``torch.distributed.new_group``.

    Args:
        accelerator: an ``accelerate.Accelerator``, such as ``trainer.accelerator``.
    """
    from torch import distributed  # here, so that --help is quick

    if accelerator.num_processes == 1 or not (distributed.is_available() and distributed.is_initialized()):
        wait: Callable[[], None] = accelerator.wait_for_everyone
        return wait
    accelerator.wait_for_everyone()  # to make the group takes no longer than the run's own timeout
    # On CPUs: a GPU that waits in NCCL is busy.
    backend = "gloo" if distributed.is_gloo_available() else None
    return partial(distributed.barrier, distributed.new_group(timeout=_AT_MOST, backend=backend))


def end_training(trainer: Trainer) -> None:
    """Close what several processes share: the last line of a script that ``accelerate launch`` or ``torchrun`` starts.

    Any ``Trainer`` will do. Save before: the trainer cannot train or evaluate in several processes afterwards. Where
    there is one process, only accelerate's trackers are finished.

    A process that ends without this now and then aborts. One that calls ``trainer.accelerator.end_training()`` alone
    can wait for ever, because DDP's wrapper of the model then holds the group of processes last. When the wrapper is
    freed, the group waits for a thread of its own while it holds Python's lock, and the thread waits for the lock (seen
    with torch 2.13 and gloo). So the wrapper is freed first here.

    Example:
        >>> from trainer_ext import ContrastiveSeq2SeqTrainer, ContrastiveSeq2SeqTrainingArguments, end_training
        >>> # trainer = ContrastiveSeq2SeqTrainer(...); trainer.train(); trainer.save_model()
        >>> # end_training(trainer)
    """
    if trainer.accelerator.num_processes > 1:
        trainer.model_wrapped = trainer.model  # type: ignore[assignment]
        if hasattr(trainer, "_workers"):  # a group in which ours wait
            trainer._workers = None
        trainer.accelerator.free_memory()  # its list of wrapped models, and what only the garbage collector frees
    trainer.accelerator.end_training()
