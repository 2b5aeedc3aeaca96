"""Data sets of the Hub as input of the commands: a small Hub's, and a folder's that is laid out like one."""

from __future__ import annotations

from pathlib import Path

import datasets
import huggingface_hub
import pytest
from support.hub_repo import Blob, Repo
from support.hub_server import FakeHub
from support.scale_data import names, rows, score, write

from trainer_ext.cli.main import main
from trainer_ext.io.hub_tables import HubTable
from trainer_ext.io.tables import read_table

Captured = pytest.CaptureFixture[str]
NAME = "hub:org/news"
CARD = """---
configs:
- config_name: short
  data_files: [{split: train, path: train.jsonl}, {split: test, path: test.jsonl}]
- config_name: long
  data_files: [{split: test, path: long.jsonl}]
- config_name: broken
  data_files: [{split: test, path: broken.jsonl}]
---
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of datasets'."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    return tmp_path / "cache"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data set of two configurations."""
    folder = tmp_path / "news"
    folder.mkdir()
    (folder / "README.md").write_text(CARD)
    write(folder / "train.jsonl", rows(4))
    write(folder / "test.jsonl", rows(5, 4))
    write(folder / "long.jsonl", rows(3, 9))
    (folder / "broken.jsonl").write_text("{")
    return folder


@pytest.fixture
def news(hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repo:
    """A data set of two versions on the small Hub, which datasets asks too."""
    config, constants = datasets.config, huggingface_hub.constants
    monkeypatch.setattr(config, "HF_ENDPOINT", hub.endpoint)
    monkeypatch.setattr(config, "HUB_DATASETS_URL", hub.endpoint + "/datasets/{repo_id}/resolve/{revision}/{path}")
    monkeypatch.setattr(config, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(config, "USE_PARQUET_EXPORT", False)  # asks another server
    files = hub.endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", files)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    repo = hub.repos["dataset", "org/news"] = Repo(False, None)
    for first in (0, 100):
        datasets.Dataset.from_list(rows(3, first)).to_parquet(tmp_path / "content")
        content = (tmp_path / "content").read_bytes()
        repo.commit({"README.md": Blob(b"# News\n", False), "test.parquet": Blob(content, False)})
    return repo


def numbers(revision: str | None = None) -> list[int]:
    return list(HubTable(Path(NAME), revision=revision).read()["n"])


@pytest.mark.parametrize(("config", "file"), [("short", "test"), ("long", "long")])
def test_a_split_is_scored_as_its_file_alone(
    tiny_asking: Path, folder: Path, tmp_path: Path, config: str, file: str
) -> None:
    assert score(tiny_asking, folder / f"{file}.jsonl", "--output", tmp_path / "file.jsonl") == 0
    options = ["--dataset-config", config, "--dataset-split", "test"]
    assert score(tiny_asking, f"hub:{folder}", *options, "--output", tmp_path / "hub.jsonl") == 0
    assert (tmp_path / "hub.jsonl").read_bytes() == (tmp_path / "file.jsonl").read_bytes()


def test_columns_parts_and_shards_of_a_split(tiny_asking: Path, folder: Path, tmp_path: Path) -> None:
    options = [f"hub:{folder}", "--dataset-config", "short", "--dataset-split", "train[1:3]", "--output"]
    options += [tmp_path / "out.parquet", "--source-column", "summary", "--summary-column", "source"]
    for end in (["--shard", "1/1"], ["--join"]):
        assert score(tiny_asking, *options, *end) == 0
    assert [row["n"] for row in read_table(tmp_path / "out.parquet")] == [1, 2]


@pytest.mark.parametrize("command", [["mine", "--steps", "sample"], ["rerank"]], ids=["mine", "rerank"])
def test_mine_and_rerank_read_it_too(tiny_asking: Path, folder: Path, tmp_path: Path, command: list[str]) -> None:
    output = tmp_path / "out.jsonl"
    options = ["--dataset-config", "long", "--model", str(tiny_asking), "--generation-max-length", "8"]
    options += ["--num-candidates", "2", "--checkpoint", str(tiny_asking), "--device", "cpu", "--output", str(output)]
    assert main([*command, f"hub:{folder}", *options]) == 0
    written = list(read_table(output))
    assert [row["n"] for row in written] == [9, 10, 11]
    assert [len(row["candidates"]) for row in written] == [2, 2, 2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "cannot be loaded (Config name is missing"),
        (["--dataset-config", "short"], "has the splits train, test: choose one with --dataset-split"),
        (["--dataset-config", "other"], "cannot be loaded (BuilderConfig 'other' not found"),
        (["--dataset-config", "short", "--dataset-split", "dev"], "cannot be loaded (Unknown split"),
        (["--dataset-config", "short", "--dataset-split", "test[9:]"], "cannot be loaded (Instruction"),
        (["--dataset-config", "broken"], "cannot be loaded (JSON parse error"),
    ],
)
def test_what_is_not_there_is_one_line(
    tiny_asking: Path, folder: Path, tmp_path: Path, capsys: Captured, options: list[str], message: str
) -> None:
    assert score(tiny_asking, f"hub:{folder}", *options, "--output", tmp_path / "out.jsonl") == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith(f"quals score: hub:{folder} {message}")
    assert "out.jsonl" not in names(tmp_path)


def test_options_of_the_hub_are_not_of_files(tiny_asking: Path, folder: Path, capsys: Captured) -> None:
    for given in (folder, folder / "test.jsonl"):
        assert score(tiny_asking, given, "--dataset-split", "test") == 2
        assert "--dataset-split is of a data set on the Hub: name that as hub:ORG/NAME" in capsys.readouterr().err


def test_files_that_are_no_tables_are_refused(tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "train.txt").write_text("a line\n")
    with pytest.raises(ValueError, match="its files are of the kind text"):
        HubTable(Path(f"hub:{tmp_path / 'texts'}")).read()


def test_the_hubs_newest_version_is_read_or_the_one_that_is_named(news: Repo) -> None:
    [old, _], [new, _] = news.commits
    assert numbers() == numbers(new) == [100, 101, 102]
    assert numbers(old) == [0, 1, 2]
    with pytest.raises(ValueError, match=r"hub:org/news cannot be loaded \(Revision 'v9' doesn't exist"):
        numbers("v9")
    with pytest.raises(ValueError, match=r"cannot be loaded \(Dataset 'org/other' doesn't exist on the Hub"):
        HubTable(Path("hub:org/other")).read()


def test_without_the_hub_no_other_version_is_taken_for_the_one_that_is_named(
    news: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    [old, _], [new, _] = news.commits
    assert numbers(new) == [100, 101, 102]
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    assert numbers() == numbers(new) == [100, 101, 102]
    for other in (old, "main"):
        with pytest.raises(ValueError, match=f"the Hub is not reached, and the cache has the version {new}"):
            numbers(other)
