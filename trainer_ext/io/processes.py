"""The processes of one training: how they begin alike, wait for each other, and end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import Trainer

_AT_MOST = timedelta(days=30)


def send_weights(trainer: Trainer) -> None:
    """Send the first process's weights and buffers to all others, as DDP does when the training begins.

    Mining comes before that. The weights may differ where a script sets no seed before it makes new ones, and after a
    training on unlike GPUs. Weights that are split between processes or devices stay as they are.
    """
    import torch  # here, so that --help is quick
    from transformers.integrations.deepspeed import is_deepspeed_zero3_enabled

    split = trainer.is_fsdp_enabled or is_deepspeed_zero3_enabled() or getattr(trainer, "is_model_parallel", False)
    if trainer.accelerator.num_processes == 1 or split or trainer.model is None:
        return
    if not torch.distributed.is_initialized():  # XLA has collectives of its own
        return
    with torch.no_grad():
        for tensor in (*trainer.model.parameters(), *trainer.model.buffers()):
            # Trainer leaves the model where it is until it trains, if it evaluates in half precision.
            sent = tensor.detach().to(trainer.args.device).contiguous()
            torch.distributed.broadcast(sent, src=0)
            if sent.data_ptr() != tensor.data_ptr():
                tensor.copy_(sent)


def patient_wait(accelerator: Any) -> Callable[[], None]:
    """What returns when all processes have called it, and ends none of them because another is busy for long.

    A barrier of the run's own group fails after half an hour. This timeout is there for collectives that hang, and a
    process may rank candidates or measure summaries for longer than the others. So this barrier has a group of its own.
    A process that dies still ends the others.

    All processes must call this at the same point, as ``torch.distributed.new_group``.

    Args:
        accelerator: an ``accelerate.Accelerator``, such as ``trainer.accelerator``.
    """
    from torch import distributed

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
