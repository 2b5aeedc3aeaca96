"""Whether a model's folder holds all weights that loading it will ask for."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from quals.errors import CheckpointError


def check_reload(folder: Path, architecture: str | None) -> None:
    """Refuse a folder of which transformers would draw weights at random, as of one that was saved with shared ones.

    An adapter that was merged with its own output projection (``modules_to_save``) is such a model: BART's encoder and
    decoder share their embeddings, save_pretrained() of transformers 5.24 leaves the shared ones out, and the config
    says that nothing is shared. The folder is loaded without memory for its weights, which needs accelerate.

    Args:
        folder: a saved model.
        architecture: its class in transformers; None, or a class that transformers does not have, is not checked.

    Raises:
        CheckpointError: weights are missing, or transformers cannot load the folder.
    """
    import transformers
    from quals.loading import without_reports

    from trainer_ext.publishing.failures import quiet

    model_class = getattr(transformers, architecture or "", None)
    if model_class is None or find_spec("accelerate") is None:
        return
    try:
        with quiet(), without_reports():
            _, info = model_class.from_pretrained(
                folder, device_map="meta", use_safetensors=True, output_loading_info=True, trust_remote_code=False
            )
    except (OSError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{folder} cannot be loaded ({error}): save the model again.") from error
    if missing := sorted(info["missing_keys"]):
        raise CheckpointError(
            f"{folder} lacks {', '.join(missing[:3])}, which would be drawn at random wherever the model is loaded. "
            "Save the model again with these weights as tensors of their own, or publish the adapter instead of the "
            "merged model."
        )
