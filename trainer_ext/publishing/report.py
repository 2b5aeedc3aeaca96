"""What will be published, and what was, in words."""

from __future__ import annotations

from huggingface_hub import constants

from trainer_ext.publishing.hub import Published
from trainer_ext.publishing.repository import Repository, readable_size


def plan(repository: Repository) -> str:
    """Where it goes, every file with its size, what is left out and why, and what the publisher should know."""
    prefix = "spaces/" if repository.kind == "space" else ""
    lines = [f"{repository} ({constants.ENDPOINT}/{prefix}{repository.repo_id})"]
    lines += [f"{readable_size(file.size):>12}  {file.path}" for file in repository.files]
    lines += [f"{readable_size(sum(file.size for file in repository.files)):>12}  in {len(repository.files)} files"]
    lines += [f"left out: {path} ({reason})" for path, reason in repository.left_out]
    return "\n".join([*lines, *(f"note: {note}" for note in repository.notes)])


def outcome(repository: Repository, published: Published) -> str:
    """What became of it, and the commit to go back to."""
    if published.commit == published.before:
        return f"{repository}: nothing has changed, it stays at {published.commit}: {published.url}"
    lines = [f"{repository}: published as {published.commit}, before {published.before}: {published.url}"]
    lines += [f"removed: {', '.join(published.removed)}"] if published.removed else []
    return "\n".join([*lines, f"changes: {published.url}/commit/{published.commit}"])
