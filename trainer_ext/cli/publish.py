"""Publish the metric, or a trained summarizer, to the Hugging Face Hub, in one commit per repository.

Example: quals publish model --repo-id ORG/NAME --dry-run FOLDER

The metric becomes a Space, which evaluate.load("ORG/quals") finds, and its QAGen a model, whose commit the Space names.
Files that have not changed are not sent. --dry-run shows every file, its size and where it goes, without network and
token. The token comes from HF_TOKEN or `hf auth login`. Uploads through Xet (where hf-xet is installed) have not been
tested; HF_HUB_DISABLE_XET=1 uses the way that has.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from trainer_ext.io.terminal import say

if TYPE_CHECKING:
    from trainer_ext.publishing.hub import Hub, Published
    from trainer_ext.publishing.repository import Repository

_UNKNOWN_COMMIT = "0" * 40  # as long as the commit that is known only after the QAGen is published


def add_arguments(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="what", required=True, metavar="WHAT", help="thing to publish")
    metric = commands.add_parser("metric", help="the metric's Space and its QAGen", description=_publish_metric.__doc__)
    metric.add_argument("--repo-id", required=True, metavar="ORG/quals", help="the Space")
    metric.add_argument(
        "--qagen-repo-id", metavar="ORG/NAME", help="the QAGen's repository; default: named as its folder"
    )
    metric.add_argument("--checkpoint", type=Path, metavar="DIR", help="the QAGen's folder; default: the embedded one")
    model = commands.add_parser("model", help="a trained summarizer", description=_publish_model.__doc__)
    model.add_argument("--repo-id", required=True, metavar="ORG/NAME", help="the model's repository")
    model.add_argument("folder", type=Path, metavar="DIR", help="the folder that it was saved to, with its card")
    for command in (metric, model):
        command.add_argument("--private", action="store_true", help="make new repositories private")
        command.add_argument("--dry-run", action="store_true", help="show what would be published, and send nothing")


def run(arguments: argparse.Namespace) -> None:
    {"metric": _publish_metric, "model": _publish_model}[arguments.what](arguments)


def _publish_metric(arguments: argparse.Namespace) -> None:
    """Publish the metric's Space, and the QAGen that it loads as a model repository."""
    from quals.checkpoint import EMBEDDED

    from trainer_ext.publishing.hub import Hub
    from trainer_ext.publishing.metric import metric_folder, qagen_repository, space_repository

    folder: Path = arguments.checkpoint or metric_folder() / EMBEDDED
    qagen_id: str = (
        arguments.qagen_repo_id or f"{arguments.repo_id.split('/')[0]}/{Path(os.path.realpath(folder)).name}"
    )
    # Both are checked before the first is sent.
    space = space_repository(arguments.repo_id, qagen_id, _UNKNOWN_COMMIT)
    qagen = qagen_repository(qagen_id, folder)
    if arguments.dry_run:
        say(f"{qagen.plan()}\n{space.plan()}\nnote: the Space names the commit of {qagen_id}, which is not known yet")
        return
    hub = Hub()
    published = _publish(hub, qagen, arguments.private)
    space = space_repository(arguments.repo_id, qagen_id, published.commit)
    visible = not _publish(hub, space, arguments.private).private
    if published.private and visible:
        say(f"note: {qagen_id} is private: only those who may see it can use the metric")


def _publish_model(arguments: argparse.Namespace) -> None:
    """Publish a trained summarizer: the files of the model and its card, and nothing else that lies in the folder."""
    from trainer_ext.publishing.hub import Hub
    from trainer_ext.publishing.model import model_repository

    repository = model_repository(arguments.repo_id, arguments.folder)
    if arguments.dry_run:
        say(repository.plan())
        return
    _publish(Hub(), repository, arguments.private)


def _publish(hub: Hub, repository: Repository, private: bool) -> Published:
    say(repository.plan())
    published = hub.publish(repository, private or None)
    say(published.outcome(repository))
    return published
