"""Damaged and hostile checkpoints are refused in one line that says why, and nothing of theirs is run or unpickled."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
from quals import CheckpointError
from quals.checkpoint import load_qagen
from support.tiny import save_tiny_qagen

DEEP = "[" * 100_000 + "]" * 100_000


def config(**values: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **values}))

    return change


def written(name: str, content: str | bytes) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())

    return change


def cut(name: str, share: float) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: int(len(content) * share)])

    return change


DAMAGES = {
    "config: empty": written("config.json", ""),
    "config: list": written("config.json", "[1]"),
    "config: deep": written("config.json", DEEP),
    "config: bytes": written("config.json", b"\xff\xfe\x00"),
    "config: words for numbers": config(d_model="wide"),
    "config: null for numbers": config(encoder_layers=None),
    "config: negative": config(vocab_size=-5),
    "config: no such model": config(model_type="brat"),
    "config: model type a number": config(model_type=3),
    "config: heads do not divide": config(encoder_attention_heads=7, decoder_attention_heads=7),
    "config: no such activation": config(activation_function="gulp"),
    "config: tokens outside": config(eos_token_id=10**6, forced_eos_token_id=None),
    "config: padding a list": config(pad_token_id=[1]),
    "config: separator a number": config(qagen_separator=5),
    "tokenizer: empty": written("tokenizer.json", ""),
    "tokenizer: list": written("tokenizer.json", "[1]"),
    "tokenizer: deep": written("tokenizer.json", DEEP),
    "tokenizer: cut": cut("tokenizer.json", 0.5),
    "tokenizer: other": written("tokenizer.json", '{"version": "1.0", "model": {"type": "Nothing"}}'),
    "tokenizer config: list": written("tokenizer_config.json", "[1]"),
    "tokenizer config: deep": written("tokenizer_config.json", DEEP),
    "weights: empty": written("model.safetensors", b""),
    "weights: header too long": written("model.safetensors", b"\xff" * 64),
    "weights: cut": cut("model.safetensors", 0.5),
    "weights: a header of lists": written("model.safetensors", b"\x02\0\0\0\0\0\0\0[]"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_one_line(tmp_path: Path, damage: str) -> None:
    folder = save_tiny_qagen(tmp_path)
    DAMAGES[damage](folder)
    with pytest.raises(CheckpointError) as refused:
        load_qagen(str(folder))
    message = str(refused.value)
    assert "\n" not in message
    assert str(folder) in message
    assert len(message) < 1500


class Evil:
    """Makes a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "../outside.safetensors", "model.safetensors.bin"])
def test_an_index_that_names_anything_but_safetensors_is_refused_unopened(tmp_path: Path, name: str) -> None:
    folder = save_tiny_qagen(tmp_path / "model")
    (folder / "model.safetensors").unlink()
    (folder / name).write_bytes(pickle.dumps(Evil(tmp_path / "ran")))
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"model.shared.weight": name}}))
    with pytest.raises(CheckpointError, match="only safetensors"):
        load_qagen(str(folder))
    assert not (tmp_path / "ran").exists()


def test_a_config_may_not_name_a_pickle_either(tmp_path: Path) -> None:
    folder = save_tiny_qagen(tmp_path / "model")
    config(transformers_weights="evil.bin")(folder)
    (folder / "evil.bin").write_bytes(pickle.dumps(Evil(tmp_path / "ran")))
    with pytest.raises(CheckpointError, match=r"evil\.bin"):
        load_qagen(str(folder))
    assert not (tmp_path / "ran").exists()


def test_a_checkpoints_own_code_is_neither_run_nor_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = save_tiny_qagen(tmp_path / "model")
    (folder / "own.py").write_text(f"import os\nos.mkdir({str(tmp_path / 'ran')!r})\n")
    config(model_type="own", auto_map={"AutoConfig": "own.OwnConfig", "AutoModelForSeq2SeqLM": "own.Own"})(folder)

    def asked(*_: object) -> str:
        raise AssertionError("asked at the terminal")

    monkeypatch.setattr("builtins.input", asked)
    with pytest.raises(CheckpointError):
        load_qagen(str(folder))
    assert not (tmp_path / "ran").exists()
