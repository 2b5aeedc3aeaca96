"""A model that would be loaded with weights drawn at random is not published."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from support.tiny import tiny_model
from support.trained import CARD
from transformers import AutoModelForSeq2SeqLM, PreTrainedModel

from trainer_ext.cli.main import main


@torch.no_grad()
def logits(model: PreTrainedModel) -> torch.Tensor:
    """Of one text, (1, 3, V)."""
    ids, decoder_input_ids = torch.tensor([[1, 7, 9, 2]]), torch.tensor([[1, 8, 9]])
    result: torch.Tensor = model.eval()(input_ids=ids, decoder_input_ids=decoder_input_ids).logits
    return result


def merged(kind: str, own: list[str]) -> PreTrainedModel:
    """A model that an adapter was merged into, with some modules of its own, as after training."""
    targets = ["q", "v"] if kind == "t5" else ["q_proj", "v_proj"]
    adapted = get_peft_model(tiny_model(kind), LoraConfig(target_modules=targets, modules_to_save=own or None))
    torch.manual_seed(1)
    for name, weight in adapted.named_parameters():
        if "lora_B" in name or "modules_to_save" in name:
            weight.data.normal_()
    model: PreTrainedModel = adapted.merge_and_unload()
    return model


def published(model: PreTrainedModel, folder: Path) -> int:
    model.save_pretrained(folder)
    (folder / "README.md").write_text(CARD)
    return main(["publish", "model", "--repo-id", "org/x", str(folder), "--dry-run"])


@pytest.mark.filterwarnings("ignore::UserWarning:peft", "ignore::FutureWarning:transformers")
@pytest.mark.parametrize(("kind", "own"), [("bart", []), ("pegasus", []), ("t5", []), ("t5", ["lm_head"])])
def test_a_merged_model_that_is_whole_is_published(kind: str, own: list[str], tmp_path: Path) -> None:
    model = merged(kind, own)
    assert published(model, tmp_path) == 0
    again = AutoModelForSeq2SeqLM.from_pretrained(tmp_path)
    torch.testing.assert_close(logits(again), logits(model), atol=1e-5, rtol=1e-5)


@pytest.mark.filterwarnings("ignore::UserWarning:peft", "ignore::FutureWarning:transformers")
@pytest.mark.parametrize("kind", ["bart", "pegasus"])
def test_a_merged_model_that_loads_with_random_embeddings_is_refused(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = merged(kind, ["lm_head"])
    assert published(model, tmp_path) == 2
    assert "embed_tokens.weight" in capsys.readouterr().err.splitlines()[-1]
    # As the message says: with tensors of its own for what is shared, it can be loaded again.
    for side in (model.get_encoder(), model.get_decoder()):
        side.embed_tokens.weight = torch.nn.Parameter(side.embed_tokens.weight.detach().clone())
    assert published(model, tmp_path) == 0
    again = AutoModelForSeq2SeqLM.from_pretrained(tmp_path)
    torch.testing.assert_close(logits(again), logits(model), atol=1e-5, rtol=1e-5)


def test_weights_of_another_model_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny_model("bart").save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "encoder_layers": 3}))
    (tmp_path / "README.md").write_text(CARD)
    assert main(["publish", "model", "--repo-id", "org/x", str(tmp_path), "--dry-run"]) == 2
    assert "model.encoder.layers.2" in capsys.readouterr().err
