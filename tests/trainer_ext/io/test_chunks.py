"""Chunks on disk: whole or absent, never another's, and stale work is never used."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from peft import LoraConfig, get_peft_model
from support.mining_data import FEW, documents, summarizer

from trainer_ext.io.chunks import ChunkStore, WorkFolder, run_chunks
from trainer_ext.io.hashing import hash_json
from trainer_ext.mining import SamplingSettings, Workers, sample_candidates
from trainer_ext.mining.fingerprint import data_fingerprint, summarizer_fingerprint

CONTENT = [[[1, 2, 3], []], [None, 0.1, -1e-300, "é\u2028\ud800"]]


@pytest.mark.parametrize("on_disk", [True, False])
def test_a_chunk_is_read_as_it_was_written(tmp_path: Path, on_disk: bool) -> None:
    store = ChunkStore(tmp_path if on_disk else None)
    assert store.read(12) is None
    store.write(12, CONTENT)
    assert store.read(12) == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["chunk-000012.json"] * on_disk


def test_what_is_torn_altered_or_anothers_is_no_chunk(tmp_path: Path) -> None:
    folder, other = tmp_path / "samples-a", tmp_path / "samples-b"
    folder.mkdir()
    other.mkdir()
    store = ChunkStore(folder)
    store.write(0, CONTENT)
    path = store.path(0)
    whole = path.read_bytes()
    for length in range(0, len(whole) - 1, 7):
        path.write_bytes(whole[:length])
        assert store.read(0) is None
    for wrong in (b"[]", b"null", b'{"chunk": 0}', b"\xff\xfe", whole.replace(b"0.1", b"0.2")):
        path.write_bytes(wrong)
        assert store.read(0) is None
    path.write_bytes(whole)
    assert store.read(0) == CONTENT
    store.path(1).write_bytes(whole)
    assert store.read(1) is None
    ChunkStore(other).path(0).write_bytes(whole)
    assert ChunkStore(other).read(0) is None


def test_only_missing_chunks_are_computed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    computed: list[int] = []

    def compute(number: int) -> list[int]:
        computed.append(number)
        return [number]

    def run(progress: bool = False, workers: Workers = Workers()) -> list[Any]:  # noqa: B008
        store = WorkFolder(tmp_path).open("samples", {"a": 1}, workers)
        return run_chunks(store, [10, 10, 10, 3], compute, workers, "Work", progress)

    assert run() == [[0], [1], [2], [3]]
    assert computed == [0, 1, 2, 3]
    [folder] = tmp_path.iterdir()
    (folder / "chunk-000001.json").unlink()
    (folder / "chunk-000003.json").write_bytes(b'{"chunk": 3, "cont')
    left = [
        ".chunk-000001.json.123.tmp",
        ".chunk-000002.json.9.tmp",
        ".settings.json.7.tmp",
        "notes.tmp",
        ".rank-0.json.5.tmp",
    ]
    for name in left:
        (folder / name).write_bytes(b"{")
    computed.clear()
    assert run(progress=True) == [[0], [1], [2], [3]]
    assert computed == [1, 3]
    assert "20/33" in capsys.readouterr().err  # the bar starts where the work stands
    chunks = [f"chunk-00000{number}.json" for number in range(4)]
    assert sorted(os.listdir(folder)) == [*chunks, "notes.tmp", "rank-0.lock", "settings.json"]
    assert json.loads((folder / "settings.json").read_bytes()) == {"a": 1}

    for name in left:
        (folder / name).write_bytes(b"{")
    run(workers=Workers(1, 2))  # another rank's are that rank's to remove: it may be writing them
    assert {name for name in os.listdir(folder) if name.startswith(".")} == {left[1], left[2], left[4]}


def test_a_full_disk_is_said_and_leaves_the_chunks_before(tmp_path: Path) -> None:
    store = ChunkStore(tmp_path)
    store.write(0, [1])
    store.path(1).mkdir()
    with pytest.raises(OSError, match="could not be written"):
        store.write(1, [2])
    assert sorted(os.listdir(tmp_path)) == ["chunk-000000.json", "chunk-000001.json"]
    assert store.read(0) == [1]


def folders(path: Path) -> set[str]:
    return {folder.name for folder in path.iterdir()}


def test_other_weights_data_or_settings_never_share_work(tmp_path: Path) -> None:
    dataset = documents(6)

    def run(model: Any = None, data: Dataset = dataset, settings: SamplingSettings = FEW) -> int:
        sample_candidates(model or summarizer(), data, settings, folder=tmp_path, progress=False)
        return len(folders(tmp_path))

    assert run() == 1
    assert run() == 1
    with torch.no_grad():
        changed = summarizer()
        next(changed.parameters())[3, 5] += 1e-6
    assert run(changed) == 2
    assert run(data=dataset.select([1, 0, 2, 3, 4, 5])) == 3
    assert run(data=dataset.select(range(5))) == 4
    assert run(settings=SamplingSettings(num_candidates=3, batch_tokens=160, max_length=10, temperature=0.7)) == 5
    longer = summarizer()
    longer.generation_config.min_length = 4
    assert run(longer) == 6
    # What has no part in sampling makes no other work.
    searching = summarizer()
    searching.generation_config.num_beams = 4
    assert run(searching) == 6
    assert run(data=dataset.remove_columns("number").with_format("torch")) == 6


def test_fingerprint_of_a_model() -> None:
    known = summarizer_fingerprint(summarizer())
    assert summarizer_fingerprint(summarizer()) == known
    assert summarizer_fingerprint(summarizer().train()) == known
    assert len(known) == 64
    other = [summarizer(seed=1), summarizer("pegasus"), summarizer().half(), summarizer().to(torch.bfloat16)]
    scaled = summarizer()
    scaled.config.scale_embedding = True
    adapters = [
        LoraConfig(task_type="SEQ_2_SEQ_LM", r=2, lora_alpha=alpha, target_modules=["v_proj"]) for alpha in (1, 2)
    ]
    for adapter in adapters:
        torch.manual_seed(0)
        other.append(get_peft_model(summarizer(), adapter))
    assert len({known, *map(summarizer_fingerprint, [*other, scaled])}) == 8


def test_fingerprint_of_data_is_of_its_contents() -> None:
    dataset = documents(10)
    known = data_fingerprint(dataset, ["input_ids", "number"])
    copy = Dataset.from_list(dataset.to_list())
    assert data_fingerprint(copy, ["number", "input_ids"]) == known
    assert data_fingerprint(dataset.select(range(10)).with_format("numpy"), ["input_ids", "number"]) == known
    assert data_fingerprint(dataset, ["input_ids"]) != known
    assert data_fingerprint(dataset.select(range(9, -1, -1)), ["input_ids", "number"]) != known
    assert data_fingerprint(dataset.rename_column("number", "n"), ["input_ids", "n"]) != known
    with pytest.raises(ValueError, match="no column 'labels'"):
        data_fingerprint(dataset, ["labels"])


def test_fingerprint_of_parts() -> None:
    assert hash_json(a=1, b={"x", "y"}) == hash_json(b={"y", "x"}, a=1)
    assert hash_json(a=1) != hash_json(a=2) != hash_json(a="2") != hash_json(b="2")
