"""A trainer's way to the Hub: the files that others need, in one commit, with errors that say what to do."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from huggingface_hub import CommitInfo
from transformers import Seq2SeqTrainer
from transformers.trainer_utils import HubStrategy, SaveStrategy

from trainer_ext.publishing import Hub, Repository, model_repository
from trainer_ext.publishing.report import outcome, remarks
from trainer_ext.publishing.selection import select_files

logger = logging.getLogger(__name__)
_SNAPSHOT = "_push"  # what begins with an underscore is never published
_CARD = "README.md"


class PublishingSeq2SeqTrainer(Seq2SeqTrainer):
    """Seq2SeqTrainer whose ``push_to_hub``, called or set in its arguments, goes the way of ``quals publish model``.

    What differs from Trainer's own way: pickles and states of the training stay here (``training_args.bin`` among
    them), a folder without whole weights is refused before anything is sent, a push is one commit, and nothing is sent
    that stands there already. As with Trainer, other files that stand there stay. ``hub_strategy="checkpoint"`` and
    ``"all_checkpoints"`` send what a training goes on from, which is pickles, and so go Trainer's way while it lasts.
    """

    args: Any
    processing_class: Any
    hub_model_id: Any  # namespace/name, once the repository is there
    push_in_progress: Any = None  # a future of ours, or a queue of Trainer's
    _pushes: ThreadPoolExecutor | None = None

    def init_hf_repo(self, token: str | None = None, private: bool | None = None) -> None:
        """Make the repository ``hub_model_id``, if it is not there.

        Raises:
            ValueError: there is no token.
            PublishError: the Hub could not be reached or refused.
        """
        if not self.is_world_process_zero():
            return
        hub = self._hub(token)
        name = self.args.hub_model_id or Path(self.args.output_dir).absolute().name
        self.hub_model_id = hub.full_name(name)
        private = self.args.hub_private_repo if private is None else private
        hub.create(Repository(self.hub_model_id, "model", (), ()), private)

    def push_to_hub(
        self,
        commit_message: str | None = "End of training",
        blocking: bool = True,
        token: str | None = None,
        revision: str | None = None,
        private: bool | None = None,
        **kwargs: Any,
    ) -> Any:
        """Save the model, write its card, and publish both to ``hub_model_id``.

        Args:
            commit_message: of the commit.
            blocking: wait for it.
            token: None is the arguments', or the one that huggingface_hub finds.
            revision: branch to commit to; None is the arguments', or the main one.
            private: make a new repository private; None is the arguments'.
            kwargs: for :meth:`create_model_card`.

        Returns:
            What was committed, or with ``blocking=False`` a future of it; on other ranks than the first None.

        Raises:
            ValueError: there is no token, or the output folder holds no whole model.
            PublishError: the Hub could not be reached or refused; what stood there is whole.
        """
        self.callback_handler.on_push_begin(self.args, self.state, self.control)
        if self.hub_model_id is None:
            self.init_hf_repo(token, private)
        self.save_model(_internal_call=True)
        if not self.is_world_process_zero():
            return None
        tags = getattr(self.model, "model_tags", None)
        if tags is not None:
            given = kwargs.get("tags") or []
            given = [given] if isinstance(given, str) else list(given)
            kwargs["tags"] = given + [tag for tag in tags if tag not in given]
        kwargs.setdefault("model_name", str(self.hub_model_id).rpartition("/")[2])
        self.create_model_card(**kwargs)
        repository = model_repository(str(self.hub_model_id), Path(self.args.output_dir))
        push = self._push(repository, commit_message or "End of training", token, revision, private)
        if not blocking:
            return self._later(push)
        self._finish_current_push()
        return push()

    def _push_from_checkpoint(self, checkpoint_folder: str) -> None:
        """While training goes on: the checkpoint's model, from a snapshot that the next save leaves alone."""
        if not self.is_world_process_zero() or self.args.hub_strategy == HubStrategy.END:
            return
        if self.args.hub_strategy != HubStrategy.EVERY_SAVE:  # with states to go on from
            if isinstance(self.push_in_progress, Future):  # of push_to_hub; Trainer looks into a queue of its own kind
                self._finish_current_push()
                self.push_in_progress = None
            super()._push_from_checkpoint(checkpoint_folder)
            return
        if self.push_in_progress is not None and not self.push_in_progress.done() and not self.args.hub_always_push:
            return
        self.callback_handler.on_push_begin(self.args, self.state, self.control)
        state = self.state
        steps = self.args.save_strategy == SaveStrategy.STEPS
        at = f"step {state.global_step}" if steps else f"epoch {int(state.epoch or 0)}"
        card = Path(self.args.output_dir) / _CARD
        snapshot = Path(self.args.output_dir) / f"{_SNAPSHOT}-{state.global_step}"
        try:
            if not card.is_file():
                self.create_model_card(model_name=str(self.hub_model_id).rpartition("/")[2])
            _copy(Path(checkpoint_folder), card, snapshot)
            repository = model_repository(str(self.hub_model_id), snapshot)
        except (OSError, ValueError) as error:  # no whole model, say, where each process saves a part of it
            shutil.rmtree(snapshot, ignore_errors=True)
            logger.warning("A checkpoint could not be pushed, and the training goes on: %s", error)
            return
        push = self._push(repository, f"Training in progress, {at}", None, None, None, snapshot)
        self._later(push).add_done_callback(_tell_failure)

    def _finish_current_push(self) -> None:
        pushing = getattr(self, "push_in_progress", None)
        if not isinstance(pushing, Future):
            super()._finish_current_push()
            return
        if not pushing.done():
            logger.info("Waiting for the push of a checkpoint to end.")
        wait([pushing])  # what went wrong has been told

    def _hub(self, token: str | None) -> Hub:
        return Hub(logger.info, token or self.args.hub_token)

    def _push(
        self,
        repository: Repository,
        message: str,
        token: str | None,
        revision: str | None,
        private: bool | None,
        snapshot: Path | None = None,
    ) -> _Push:
        revision = revision if revision is not None else getattr(self.args, "hub_revision", None)
        private = self.args.hub_private_repo if private is None else private
        return _Push(lambda: self._hub(token), repository, message, revision, private, snapshot)

    def _later(self, push: _Push) -> Future[CommitInfo]:
        """Push in the background, after what is being pushed."""
        if self.push_in_progress is not None and not isinstance(self.push_in_progress, Future):
            super()._finish_current_push()  # Trainer's own queue, which nobody would wait for any more
        if self._pushes is None:
            self._pushes = ThreadPoolExecutor(max_workers=1, thread_name_prefix="push_to_hub")
        self.push_in_progress = self._pushes.submit(push)
        return self.push_in_progress


class _Push:
    """One push; afterwards the snapshot that it was made of, if any, is gone."""

    def __init__(
        self,
        hub: Callable[[], Hub],  # asked for where it pushes: it talks to the Hub
        repository: Repository,
        message: str,
        revision: str | None,
        private: bool | None,
        snapshot: Path | None,
    ) -> None:
        self.hub, self.repository, self.message = hub, repository, message
        self.revision, self.private, self.snapshot = revision, private, snapshot

    def __call__(self) -> CommitInfo:
        for remark in remarks(self.repository):
            logger.info(remark)
        try:
            published = self.hub().publish(
                self.repository, self.private, keep_others=True, message=self.message, revision=self.revision
            )
        finally:
            if self.snapshot is not None:
                shutil.rmtree(self.snapshot, ignore_errors=True)
        logger.info(outcome(self.repository, published))
        return CommitInfo(
            commit_url=f"{published.url}/commit/{published.commit}",
            commit_message=self.message,
            commit_description="",
            oid=published.commit,
        )


def _copy(checkpoint: Path, card: Path, snapshot: Path) -> None:
    """Put a checkpoint's public files and the card into a folder of their own."""
    shutil.rmtree(snapshot, ignore_errors=True)
    files, _ = select_files(checkpoint)
    for file in files:
        if file.path == _CARD:  # peft's own
            continue
        target = snapshot / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(checkpoint / file.path, target)  # no second copy of the weights: a checkpoint is only ever removed
        except OSError:  # a file system without links
            shutil.copyfile(checkpoint / file.path, target)
    shutil.copyfile(card, snapshot / _CARD)


def _tell_failure(future: Future[CommitInfo]) -> None:
    error = future.exception()
    if error is not None:
        logger.warning("A push during training failed, and the training goes on: %s", error)
