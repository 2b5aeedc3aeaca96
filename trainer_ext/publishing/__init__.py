"""Publishing to the Hub: what goes there, how it gets there in one commit, and what to do when it does not."""

from trainer_ext.publishing.failures import PublishError
from trainer_ext.publishing.hub import Hub, Published
from trainer_ext.publishing.metric import qagen_repository, space_repository
from trainer_ext.publishing.model import model_repository
from trainer_ext.publishing.repository import File, Repository

__all__ = [
    "File",
    "Hub",
    "PublishError",
    "Published",
    "Repository",
    "model_repository",
    "qagen_repository",
    "space_repository",
]
