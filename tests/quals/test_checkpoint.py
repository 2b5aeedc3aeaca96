"""What loads as a QAGen, and what is refused with which reason."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from quals import checkpoint
from quals.checkpoint import find_default, load_qagen
from safetensors.torch import load_file, save_file
from support.tiny import save_tiny_qagen, tiny_model, tiny_tokenizer
from transformers import BertConfig, BertModel


@pytest.mark.parametrize("kind", ["bart", "t5", "pegasus"])
def test_each_family_loads(tmp_path: Path, kind: str) -> None:
    qagen = load_qagen(str(save_tiny_qagen(tmp_path, kind)))
    assert qagen.tokenizer.convert_ids_to_tokens(qagen.separator_id) == "<sep>"
    assert qagen.max_source_tokens == 64
    assert not qagen.model.training


def test_half_precision_weights_load_as_float32(tmp_path: Path) -> None:
    tiny_model("bart").half().save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    assert load_qagen(str(tmp_path)).model.dtype == torch.float32


def test_the_fingerprint_is_of_all_that_computes_and_of_nothing_else(tmp_path: Path) -> None:
    first = save_tiny_qagen(tmp_path / "first")
    shutil.copytree(first, tmp_path / "copy")
    save_tiny_qagen(tmp_path / "weights", seed=1)
    change_config(shutil.copytree(first, tmp_path / "config"), scale_embedding=True)
    rules = shutil.copytree(first, tmp_path / "tokenizer") / "tokenizer.json"
    rules.write_text(rules.read_text().replace('"Lowercase"', '"NFC"'))
    loaded = {name: load_qagen(str(tmp_path / name)) for name in ("first", "copy", "weights", "config", "tokenizer")}
    assert loaded["first"].fingerprint == loaded["copy"].fingerprint
    assert len({qagen.fingerprint for qagen in loaded.values()}) == 4
    loaded["copy"].tokenizer(["a cat"], truncation=True, max_length=3, padding="max_length")  # leaves its settings
    assert load_qagen(str(first)).fingerprint == loaded["first"].fingerprint


def refusal(folder: Path) -> str:
    with pytest.raises(ValueError, match="QAGen") as caught:
        load_qagen(str(folder))
    return str(caught.value)


def change_config(folder: Path, **values: object) -> Path:
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config.update(values)
    path.write_text(json.dumps({name: value for name, value in config.items() if value != "remove"}))
    return folder


def test_refusals_name_the_reason(tmp_path: Path) -> None:
    assert "neither a folder" in refusal(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    assert "config.json" in refusal(tmp_path / "empty")
    BertModel(
        BertConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8, vocab_size=9)
    ).save_pretrained(tmp_path / "bert")
    assert "bert model, and a QAGen is an encoder-decoder" in refusal(tmp_path / "bert")
    unnamed = change_config(save_tiny_qagen(tmp_path / "unnamed"), qagen_separator="remove")
    assert "names no 'qagen_separator'" in refusal(unnamed)
    unknown = change_config(save_tiny_qagen(tmp_path / "unknown"), qagen_separator="<other>")
    assert "'<other>' is not one token" in refusal(unknown)
    weightless = save_tiny_qagen(tmp_path / "weightless")
    (weightless / "model.safetensors").unlink()
    assert "is not a QAGen" in refusal(weightless)


def test_weights_that_are_not_whole_are_refused(tmp_path: Path) -> None:
    cut = save_tiny_qagen(tmp_path / "cut") / "model.safetensors"
    cut.write_bytes(cut.read_bytes()[:2000])
    assert "cannot be read" in refusal(cut.parent)
    pointer = save_tiny_qagen(tmp_path / "pointer") / "model.safetensors"
    pointer.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    assert "cannot be read" in refusal(pointer.parent)
    partial = save_tiny_qagen(tmp_path / "partial") / "model.safetensors"
    kept = {name: weight for name, weight in load_file(partial).items() if ".decoder." not in name}
    save_file(kept, partial, metadata={"format": "pt"})
    assert "its weights lack model.decoder" in refusal(partial.parent)
    assert "cannot be read" in refusal(change_config(save_tiny_qagen(tmp_path / "sizes"), decoder_ffn_dim=32))
    model, tokenizer = tiny_model("bart"), tiny_tokenizer()
    tokenizer.add_tokens(["<later>"], special_tokens=True)
    model.config.qagen_separator = "<later>"
    model.save_pretrained(tmp_path / "later")
    tokenizer.save_pretrained(tmp_path / "later")
    assert "that its weights do not know" in refusal(tmp_path / "later")


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    folder = save_tiny_qagen(tmp_path / "pickled")
    (folder / "model.safetensors").unlink()
    torch.save(tiny_model("bart").state_dict(), folder / "pytorch_model.bin")
    assert "is not a QAGen" in refusal(folder)


def test_a_published_copy_takes_its_own_qagen_although_the_package_is_installed(
    embedded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = ("org/qagen", "0" * 40)
    monkeypatch.setattr(checkpoint, "PUBLISHED", published)
    assert find_default() == (str(embedded.resolve()), None), "a clone has it beside itself"
    monkeypatch.setattr(checkpoint, "__file__", str(tmp_path / "checkpoint.py"))
    assert find_default() == published
    with pytest.raises(ValueError, match="org/qagen"):  # offline
        load_qagen()
    monkeypatch.setattr(checkpoint, "PUBLISHED", None)
    assert find_default() == (str(embedded.resolve()), None), "the package's"


def test_embedded_ones_load_by_their_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    beside = save_tiny_qagen(tmp_path / "qagen-small")
    monkeypatch.setattr(checkpoint, "__file__", str(tmp_path / "checkpoint.py"))
    monkeypatch.chdir(tmp_path)
    assert load_qagen("small", "a revision").fingerprint == load_qagen(str(beside)).fingerprint
    assert load_qagen("mini").fingerprint == load_qagen().fingerprint
    own = save_tiny_qagen(tmp_path / "small", seed=1)  # a folder of that name is meant, if there is one
    assert load_qagen("small").fingerprint == load_qagen(str(own)).fingerprint
    monkeypatch.setitem(checkpoint.NAMED, "mini", "qagen-nowhere")
    with pytest.raises(ValueError, match=r"no qagen-nowhere beside this metric.*a folder, or a model of the Hub"):
        load_qagen("mini")


def test_a_lonely_copy_says_where_it_looked(tmp_path: Path) -> None:
    source = Path(__file__).resolve().parents[2] / "metrics" / "quals"
    package = tmp_path / "lonely"
    package.mkdir()
    for name in ("attention", "checkpoint", "errors", "loading", "matmul", "published", "special_tokens"):
        shutil.copy(source / f"{name}.py", package)
    (package / "__init__.py").touch()
    script = (
        "import lonely.checkpoint as c, lonely.loading\n"
        "lonely.loading.find_spec = lambda name: None\n"
        "try: c.find_embedded()\n"
        "except ValueError as error: print(error)\n"
        f"import json, pathlib; note = pathlib.Path(c.__file__).parent / 'quals.json'\n"
        f"folder = pathlib.Path({str(tmp_path)!r}) / 'origin' / c.EMBEDDED; folder.mkdir(parents=True)\n"
        "(folder / 'config.json').touch()\n"
        "note.write_text(json.dumps({'original file path': str(folder.parent / 'quals.py')}))\n"
        "print(c.find_embedded() == folder)\n"
        "note.write_text('not json')\n"
        "try: c.find_embedded()\n"
        "except ValueError as error: print('again refused')\n"
    )
    result = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    lines = result.stdout.splitlines()
    assert "not beside this metric" in lines[0]
    assert lines[1:] == ["True", "again refused"]
