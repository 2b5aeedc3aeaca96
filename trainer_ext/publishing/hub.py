"""Make a repository of the Hub hold exactly the given files, in one commit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, get_token
from quals.errors import DataError, OptionError

from trainer_ext.publishing.failures import explained, quiet
from trainer_ext.publishing.repository import Repository

_MADE_BY_THE_HUB = (".gitattributes",)
_OF_A_NEW_REPOSITORY = (".gitattributes", ".gitignore", "README.md")
_MESSAGE = "Publish with quals"


@dataclass(frozen=True)
class Published:
    """What became of a repository.

    Attributes:
        url: its page.
        commit: the commit that it is at now.
        before: the commit that it was at; the same where nothing had changed.
        removed: paths that were there and are no longer.
        private: whether only members see it.
    """

    url: str
    commit: str
    before: str
    removed: tuple[str, ...]
    private: bool

    def outcome(self, repository: Repository) -> str:
        """What became of it in words, with the commit to go back to."""
        if self.commit == self.before:
            return f"{repository}: nothing has changed, it stays at {self.commit}: {self.url}"
        lines = [f"{repository}: published as {self.commit}, before {self.before}: {self.url}"]
        lines += [f"removed: {', '.join(self.removed)}"] if self.removed else []
        return "\n".join([*lines, f"changes: {self.url}/commit/{self.commit}"])


class Hub:
    """The Hub as one user sees it.

    Args:
        token: the user's; None takes the one that huggingface_hub finds (HF_TOKEN, or the one of ``hf auth login``).

    Raises:
        OptionError: there is no token, or what is there cannot be one.
        PublishError: the Hub cannot be reached, or does not accept the token.
    """

    def __init__(self, token: str | None = None) -> None:
        token = token or get_token()
        if not token:
            raise OptionError(
                "There is no token for the Hub: run `hf auth login` with one that has write access, or set HF_TOKEN."
            )
        if not re.fullmatch(r"[!-~]+", token):  # as a header it would be refused with a message that shows it
            raise OptionError("The token for the Hub holds characters that no token has: copy it again.")
        self._token = token
        self._api = HfApi(token=token)
        with self._trying("Checking the token", "your account"):
            self._api.whoami()["name"]

    def publish(self, repository: Repository, private: bool | None = None) -> Published:
        """Make the repository, if it is not there, and bring it to hold the given files.

        The change is one commit on top of the commit that was there at the beginning; if the repository has moved on
        meanwhile, the Hub refuses the commit. Files that have not changed are not sent.

        Args:
            repository: what it shall hold.
            private: whether a new repository is private, and one that is there must be; None is as the owner has it.

        Raises:
            DataError: it is public and should be private, or holds something else.
            PublishError: the Hub could not be reached or refused; the old version is whole.
        """
        info, there = self._state(repository, private)
        url = f"{self._api.endpoint}/{repository.page}"
        if private and not info.private:
            raise DataError(
                f"{repository} is there already and public: --private makes new repositories private only. Change it "
                f"at {url}/settings, then run the same command again."
            )
        others = [path for path in there if path not in _OF_A_NEW_REPOSITORY]
        if others and not any(path in there for path in repository.landmarks):
            raise DataError(
                f"{repository} is there already and holds something else ({others[0]}, but no "
                f"{' or '.join(repository.landmarks)}): choose another name, or delete it at {url}/settings."
            )
        kept = {*_MADE_BY_THE_HUB, *(file.path for file in repository.files)}
        removed = tuple(path for path in there if path not in kept)
        commit = self._commit(repository, info.sha, removed, ".gitignore" in there)
        return Published(url, commit, info.sha, removed, bool(info.private))

    def _state(self, repository: Repository, private: bool | None) -> tuple[Any, list[str]]:
        """What the Hub knows of the repository, which is made if it is not there, and the files in it."""
        kind = repository.kind
        sdk = "gradio" if kind == "space" else None
        with self._trying(f"Creating {repository}", repository.namespace):
            # exist_ok also lets tokens pass that may write to the repository and not create one.
            self._api.create_repo(repository.repo_id, repo_type=kind, private=private, space_sdk=sdk, exist_ok=True)
        with self._trying(f"Looking up {repository}", repository.namespace):
            info: Any = self._api.repo_info(repository.repo_id, repo_type=kind)
            if not re.fullmatch("[0-9a-f]{40}", info.sha):
                raise ValueError(f"its commit is {info.sha!r}")
            return info, [entry.rfilename for entry in info.siblings]

    def _commit(self, repository: Repository, parent: str, removed: tuple[str, ...], gitignore: bool) -> str:
        repo_id, kind, files = repository.repo_id, repository.kind, repository.files
        additions = [CommitOperationAdd(file.path, file.content) for file in files]
        deletions = [CommitOperationDelete(path, is_folder=False) for path in removed]
        if gitignore:  # one that stands there would keep files back without a word
            with self._trying(f"Uploading to {repository}", repository.namespace):
                self._api.preupload_lfs_files(
                    repo_id, additions, repo_type=kind, free_memory=False, gitignore_content=""
                )
        with self._trying(f"Committing to {repository}", repository.namespace, commits=True):
            info = self._api.create_commit(
                repo_id,
                operations=[*deletions, *additions],
                commit_message=_MESSAGE,
                repo_type=kind,
                parent_commit=parent,
            )
            return str(info.oid)

    @contextmanager
    def _trying(self, doing: str, namespace: str, commits: bool = False) -> Iterator[None]:
        # huggingface_hub's warnings about retries show signed addresses, which are as good as a password.
        with quiet(), explained(doing, namespace, self._token, commits):
            yield
