"""Bring a repository of the Hub to what it is to hold, in one commit that holds only what changed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, get_token
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError
from huggingface_hub.hf_api import RepoFile

from trainer_ext.publishing.failures import explained
from trainer_ext.publishing.quiet import quiet
from trainer_ext.publishing.repository import File, Repository

_MADE_BY_THE_HUB = (".gitattributes",)
_OF_A_NEW_REPOSITORY = (".gitattributes", ".gitignore", "README.md")


@dataclass(frozen=True)
class Published:
    """What became of a repository.

    Attributes:
        url: its page.
        commit: that it is at now.
        before: the commit that it was at.
        changed, removed: paths.
        private: whether only members see it.
    """

    url: str
    commit: str
    before: str
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    private: bool


class Hub:
    """The Hub as one user sees it.

    Args:
        say: told what is done, a line at a time.
        token: the user's; None is the one that huggingface_hub finds: HF_TOKEN, or what ``hf auth login`` left.

    Raises:
        ValueError: there is no token, or what is there cannot be one.
        PublishError: the Hub cannot be reached, or does not accept the token.
    """

    def __init__(self, say: Callable[[str], None], token: str | None = None) -> None:
        token = token or get_token()
        if not token:
            raise ValueError(
                "There is no token for the Hub: run `hf auth login` with one that has write access, or set HF_TOKEN."
            )
        if not re.fullmatch(r"[!-~]+", token):  # as a header it would be refused with a message that shows it
            raise ValueError("The token for the Hub holds characters that no token has: copy it again.")
        self._token = token
        self._say = say
        self._api = HfApi(token=token)
        with self._trying("Checking the token", "your account"):
            self._user = str(self._api.whoami()["name"])

    def full_name(self, name: str) -> str:
        """``namespace/name``; without a namespace, the user's own."""
        return name if "/" in name else f"{self._user}/{name}"

    def create(self, repository: Repository, private: bool | None = None) -> None:
        """Make the repository, if it is not there.

        Raises:
            PublishError: the Hub could not be reached or refused.
        """
        self._found_or_created(repository, private)

    def publish(
        self,
        repository: Repository,
        private: bool | None = None,
        *,
        keep_others: bool = False,
        message: str = "Publish with quals",
        revision: str | None = None,
    ) -> Published:
        """Make the repository, if it is not there, and bring it to hold the given files.

        All changes are one commit on top of the state that they were computed from; if that has moved on meanwhile, the
        Hub refuses the commit.

        Args:
            repository: what it is to hold.
            private: make a new one private; without ``keep_others``, one that is there must be.
            keep_others: leave files alone that stand there already, whatever they are; else they are removed.
            message: of the commit.
            revision: branch to commit to; None is the main one.

        Raises:
            ValueError: it is public and should be private, or holds something else.
            PublishError: the Hub could not be reached or refused; the old version is whole.
        """
        found = self._found_or_created(repository, private)
        if revision is not None:
            with self._trying(f"Looking up {revision} of {repository}", repository.namespace):
                found = self._api.repo_info(repository.repo_id, repo_type=repository.kind, revision=revision)
        url = f"{self._api.endpoint}/{'spaces/' if repository.kind == 'space' else ''}{repository.repo_id}"
        if private and not found.private and not keep_others:
            raise ValueError(
                f"{repository} is there already and public: --private makes new repositories private only. Change it "
                f"at {url}/settings, then run the same command again."
            )
        there = self._tree(repository, found.sha)
        others = [path for path in there if path not in _OF_A_NEW_REPOSITORY]
        if others and not keep_others and not any(path in there for path in repository.landmarks):
            raise ValueError(
                f"{repository} is there already and holds something else ({others[0]}, but no "
                f"{' or '.join(repository.landmarks)}): choose another name, or delete it at {url}/settings."
            )
        wanted = {file.path for file in repository.files}
        changed = [file for file in repository.files if not _same(file, there.get(file.path))]
        removed = [path for path in there if path not in wanted and path not in _MADE_BY_THE_HUB]
        if keep_others:
            removed = []
        commit = found.sha
        if changed or removed:
            commit = self._commit(repository, found.sha, changed, removed, message, revision)
        names = tuple(file.path for file in changed)
        return Published(url, commit, found.sha, names, tuple(removed), bool(found.private))

    def _found_or_created(self, repository: Repository, private: bool | None) -> Any:
        """What the Hub knows of the repository. It is looked for first: not every token that may write may create."""
        found = self._find(repository)
        if found is not None:
            return found
        repo_id, kind = repository.repo_id, repository.kind
        with self._trying(f"Creating {repository}", repository.namespace):
            try:
                self._api.create_repo(
                    repo_id,
                    repo_type=kind,
                    private=private,  # None: as the organisation has it
                    space_sdk="gradio" if kind == "space" else None,
                )
            except HfHubHTTPError as error:
                # 409: another created it meanwhile, or the Hub is busy; the next look tells.
                found = self._find(repository) if error.response.status_code == 409 else None
                if found is None:
                    raise
                return found
        with self._trying(f"Looking up {repository}", repository.namespace):
            return self._api.repo_info(repo_id, repo_type=kind)

    def _find(self, repository: Repository) -> Any:
        with self._trying(f"Looking up {repository}", repository.namespace):
            try:
                return self._api.repo_info(repository.repo_id, repo_type=repository.kind)
            except HfHubHTTPError as error:
                # The Hub may say 401 of what is not there.
                if isinstance(error, RepositoryNotFoundError) or error.response.status_code == 404:
                    return None
                raise

    def _tree(self, repository: Repository, commit: str) -> dict[str, RepoFile]:
        with self._trying(f"Listing the files of {repository}", repository.namespace):
            entries = self._api.list_repo_tree(
                repository.repo_id, recursive=True, revision=commit, repo_type=repository.kind
            )
            return {entry.path: entry for entry in entries if isinstance(entry, RepoFile)}

    def _commit(
        self,
        repository: Repository,
        parent: str,
        changed: list[File],
        removed: list[str],
        message: str,
        revision: str | None,
    ) -> str:
        repo_id, kind = repository.repo_id, repository.kind
        size = sum(file.size for file in changed)
        self._say(f"{repository}: files to send: {len(changed)}, {readable_size(size)}")
        additions = [CommitOperationAdd(file.path, file.content) for file in changed]
        deletions = [CommitOperationDelete(path, is_folder=False) for path in removed]
        with self._trying(f"Uploading to {repository}", repository.namespace):
            # Without this argument a .gitignore that stands there would keep files back, silently.
            self._api.preupload_lfs_files(
                repo_id, additions, repo_type=kind, revision=revision, free_memory=False, gitignore_content=""
            )
        with self._trying(f"Committing to {repository}", repository.namespace, commits=True):
            info = self._api.create_commit(
                repo_id,
                operations=[*deletions, *additions],
                commit_message=message,
                repo_type=kind,
                revision=revision,
                parent_commit=parent,
            )
        return str(info.oid)

    @contextmanager
    def _trying(self, doing: str, namespace: str, commits: bool = False) -> Iterator[None]:
        # huggingface_hub's warnings on retries show addresses that are signed, which is as good as a password.
        with quiet(), explained(doing, namespace, self._token, commits):
            yield


def readable_size(size: float) -> str:
    """As in "59.8 MB"."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def _same(file: File, there: RepoFile | None) -> bool:
    if there is None or there.size != file.size:
        return False
    return there.lfs.sha256 == file.sha256() if there.lfs else there.blob_id == file.git_hash()
