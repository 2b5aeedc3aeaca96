"""`quals publish model`: what is published, what is left out, what is refused, and publishing again."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from huggingface_hub import ModelCard
from support.hub_repo import TOKEN, Blob
from support.hub_server import FakeHub
from support.publishing import REPO, publish, refusal
from support.trained import CARD, PUBLISHED

from trainer_ext.publishing.failures import PublishError
from trainer_ext.publishing.hub import Hub
from trainer_ext.publishing.model import model_repository
from trainer_ext.publishing.repository import Repository


def test_a_dry_run_shows_all_and_asks_nobody(
    summarizer: Path, hub: FakeHub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    assert publish(summarizer, "--dry-run") == 0
    printed = capsys.readouterr().out
    assert f"model {REPO} ({hub.endpoint}/{REPO})" in printed
    shown = [line.split()[-1] for line in printed.splitlines() if line.startswith(" ")]
    assert shown == [*PUBLISHED, "files"]
    assert f"{len(CARD)} B  README.md" in printed
    assert "left out: training_args.bin (state of the training)" in printed
    assert "left out: renamed.dat (pickle" in printed
    assert "left out: checkpoint-10/ (checkpoint of the training)" in printed
    assert "left out: _contrastive/ (private" in printed
    assert hub.requests == []


def test_exactly_these_files_arrive(summarizer: Path, hub: FakeHub, capsys: pytest.CaptureFixture[str]) -> None:
    assert publish(summarizer) == 0
    contents = hub.contents("model", REPO)
    assert sorted(contents) == [".gitattributes", *PUBLISHED]
    for name in PUBLISHED:
        assert contents[name] == (summarizer / name).read_bytes()
    repo = hub.repos["model", REPO]
    assert not repo.private
    assert len(repo.commits) == 2  # the Hub's own, and ours
    captured = capsys.readouterr()
    assert repo.head in captured.out
    assert f"{hub.endpoint}/{REPO}" in captured.out
    assert TOKEN not in captured.out + captured.err
    scores = ModelCard(contents["README.md"].decode()).data.eval_results
    assert scores is not None
    assert scores[0].metric_value == -0.5


def test_again_sends_only_what_changed_in_one_commit(
    summarizer: Path, hub: FakeHub, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(summarizer)
    before = hub.repos["model", REPO].head
    hub.requests.clear()
    capsys.readouterr()
    assert publish(summarizer) == 0
    assert "nothing has changed" in capsys.readouterr().out
    assert "commit" not in hub.requests
    assert "lfs_upload" not in hub.requests
    (summarizer / "merges.txt").unlink()
    (summarizer / "README.md").write_text(CARD + "More.\n")
    assert publish(summarizer) == 0
    printed = capsys.readouterr().out
    assert "removed: merges.txt" in printed
    assert f"before {before}" in printed
    assert f"changes: {hub.endpoint}/{REPO}/commit/{hub.repos['model', REPO].head}" in printed
    assert hub.requests.count("commit") == 1
    assert "lfs_upload" not in hub.requests
    assert sorted(hub.contents("model", REPO)) == [".gitattributes", *(n for n in PUBLISHED if n != "merges.txt")]


def test_a_new_repository_can_be_private(summarizer: Path, hub: FakeHub, capsys: pytest.CaptureFixture[str]) -> None:
    assert publish(summarizer, "--private") == 0
    assert hub.repos["model", REPO].private
    assert publish(summarizer) == 0  # and stays so


def test_a_public_repository_is_not_taken_for_a_private_one(
    summarizer: Path, hub: FakeHub, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(summarizer)
    (summarizer / "merges.txt").write_text("secret")
    assert "public" in refusal(summarizer, capsys, "--private")
    assert b"secret" not in hub.contents("model", REPO).values()


def test_a_repository_of_something_else_is_left_alone(
    summarizer: Path, hub: FakeHub, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(summarizer)
    hub.repos["model", REPO].commit({"precious.gguf": Blob(b"weights", True)})
    assert "holds something else (precious.gguf" in refusal(summarizer, capsys)
    assert list(hub.contents("model", REPO)) == ["precious.gguf"]


def test_a_gitignore_there_holds_nothing_back(summarizer: Path, hub: FakeHub) -> None:
    publish(summarizer)
    repo = hub.repos["model", REPO]
    repo.commit({**repo.commits[-1][1], ".gitignore": Blob(b"config.json model.safetensors", False)})
    (summarizer / "config.json").write_text(json.dumps({"model_type": "t5"}))
    assert publish(summarizer) == 0
    assert b"t5" in hub.contents("model", REPO)["config.json"]


@pytest.mark.parametrize("step", ["preupload", "lfs_batch", "commit"])
def test_a_change_by_others_meanwhile_is_not_lost(summarizer: Path, hub: FakeHub, step: str) -> None:
    publish(summarizer)
    (summarizer / "README.md").write_text(CARD + "More.\n")
    repo = hub.repos["model", REPO]
    hub.meanwhile[step] = lambda: repo.commit({**repo.commits[-1][1], "theirs.txt": Blob(b"theirs", False)})
    with pytest.raises(PublishError, match="something else is changing it"):
        Hub().publish(model_repository(REPO, summarizer))
    assert hub.contents("model", REPO)["theirs.txt"] == b"theirs"
    assert hub.contents("model", REPO)["README.md"] == CARD.encode()


def test_what_is_no_whole_model_is_refused(
    summarizer: Path, hub: FakeHub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "is not a folder" in refusal(tmp_path / "nowhere", capsys)
    weights = (summarizer / "model.safetensors").read_bytes()
    (summarizer / "model.safetensors").write_bytes(weights[:-4])
    assert "cannot be read" in refusal(summarizer, capsys)
    (summarizer / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    assert "git lfs pull" in refusal(summarizer, capsys)
    (summarizer / "model.safetensors").unlink()
    assert "has no model.safetensors" in refusal(summarizer, capsys)
    index = summarizer / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}))
    (summarizer / "model-1.safetensors").write_bytes(weights)
    assert "model-2.safetensors" in refusal(summarizer, capsys)
    index.unlink()
    (summarizer / "model.safetensors").write_bytes(weights)
    (summarizer / "README.md").write_text("---\ntags: [\n---\n# A card\n")
    assert "head of the card" in refusal(summarizer, capsys)
    (summarizer / "README.md").unlink()
    assert "has no README.md" in refusal(summarizer, capsys)
    (summarizer / "README.md").write_text(CARD)
    (summarizer / "config.json").write_text("{")
    assert "not readable JSON" in refusal(summarizer, capsys)
    (summarizer / "config.json").unlink()
    assert "has no config.json" in refusal(summarizer, capsys)
    assert hub.requests == []


def make_adapter(folder: Path, **config: object) -> None:
    (folder / "config.json").unlink()
    (folder / "model.safetensors").rename(folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", **config}, indent=2))


def test_an_adapter_is_a_model_too(summarizer: Path, hub: FakeHub) -> None:
    make_adapter(summarizer, base_model_name_or_path="facebook/bart-base")
    assert publish(summarizer) == 0
    assert "adapter_model.safetensors" in hub.contents("model", REPO)


@pytest.mark.parametrize("base", ["/data/bart", "./bart", "runs/bart/final", "C:\\bart", "here", "", None])
def test_an_adapter_of_a_folder_is_refused(
    summarizer: Path,
    hub: FakeHub,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    base: str | None,
) -> None:
    monkeypatch.chdir(summarizer)
    (summarizer / "here").mkdir()
    make_adapter(summarizer, base_model_name_or_path=base)
    message = refusal(summarizer, capsys, "--dry-run")
    assert "base_model_name_or_path" in message
    assert ("adapter_config.json, line 3" in message) == bool(base)
    assert hub.requests == []


def test_a_card_without_scores_is_told(summarizer: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (summarizer / "README.md").write_text("# A summarizer\n")
    (summarizer / "tokenizer_config.json").unlink()
    assert publish(summarizer, "--dry-run") == 0
    printed = capsys.readouterr().out
    assert "note: the card has no scores" in printed
    assert "note: the folder has no tokenizer" in printed


@pytest.mark.parametrize("repo", ["summarizer", "org/with space", "a/b/c", "org/", "org/x--y"])
def test_what_can_be_no_name_is_refused(
    summarizer: Path, hub: FakeHub, capsys: pytest.CaptureFixture[str], repo: str
) -> None:
    assert "--repo-id" in refusal(summarizer, capsys, repo=repo)
    assert hub.requests == []


def test_without_a_token_it_says_how_to_get_one(
    summarizer: Path, hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "token"))
    assert "hf auth login" in refusal(summarizer, capsys)
    monkeypatch.setenv("HF_TOKEN", f"{TOKEN}\N{HORIZONTAL ELLIPSIS}")
    assert "copy it again" in refusal(summarizer, capsys)
    assert hub.requests == []


def test_a_wrong_token_and_a_strange_namespace(
    summarizer: Path, hub: FakeHub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "may not do this in others" in refusal(summarizer, capsys, repo="others/summarizer")
    assert Hub(TOKEN).publish(model_repository(REPO, summarizer)).url == f"{hub.endpoint}/{REPO}"
    monkeypatch.setenv("HF_TOKEN", f"{TOKEN}x")
    assert f"{hub.endpoint}/settings/tokens" in refusal(summarizer, capsys)
    assert list(hub.repos) == [("model", REPO)]


def test_offline_is_told(
    summarizer: Path, hub: FakeHub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE" in refusal(summarizer, capsys)


def test_what_is_no_hub_is_told(summarizer: Path, hub: FakeHub, capsys: pytest.CaptureFixture[str]) -> None:
    hub.close()
    assert "connection" in refusal(summarizer, capsys)


def test_a_folder_that_cannot_be_read_is_not_passed_over(
    summarizer: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scan = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("summarizer"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert "Permission denied" in refusal(summarizer, capsys, "--dry-run")


def test_links_out_of_the_folder_are_left_out_and_loops_end_nothing(summarizer: Path, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    target.mkdir()
    (target / "vocab.txt").write_text("a")
    os.symlink(target, summarizer / "linked")
    os.symlink(target / "vocab.txt", summarizer / "vocab.txt")
    os.symlink(target / "missing.txt", summarizer / "vocab.json")
    os.symlink("spiece.model", summarizer / "spiece.model")
    os.symlink("merges.txt", summarizer / "added_tokens.json")
    repository: Repository = model_repository(REPO, summarizer)
    paths = [file.path for file in repository.files]
    assert "added_tokens.json" in paths, "a link to a file beside it"
    assert not {"vocab.txt", "vocab.json", "spiece.model"} & set(paths)
    assert {("linked/", "link to a folder"), ("vocab.txt", "link out of the folder")} <= set(repository.left_out)


def test_weights_behind_a_link_out_of_the_folder_are_refused(
    summarizer: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (summarizer / "model.safetensors").rename(tmp_path / "model.safetensors")
    os.symlink(tmp_path / "model.safetensors", summarizer / "model.safetensors")
    assert "link out of the folder" in refusal(summarizer, capsys, "--dry-run")


def test_a_folder_of_the_hubs_cache_can_be_published(summarizer: Path, tmp_path: Path) -> None:
    blobs, snapshot = tmp_path / "cache" / "blobs", tmp_path / "cache" / "snapshots" / "0a1b"
    blobs.mkdir(parents=True)
    snapshot.mkdir(parents=True)
    for name in PUBLISHED:
        (summarizer / name).rename(blobs / name)
        os.symlink(f"../../blobs/{name}", snapshot / name)
    assert [file.path for file in model_repository(REPO, snapshot).files] == PUBLISHED


def test_pictures_go_with_the_card_that_shows_them(summarizer: Path) -> None:
    (summarizer / "README.md").write_text(CARD + "![scores](scores.png)\n")
    for name in ("scores.png", "screenshot.png"):
        (summarizer / name).write_bytes(b"\x89PNG")
    repository = model_repository(REPO, summarizer)
    assert "scores.png" in [file.path for file in repository.files]
    assert ("screenshot.png", "not a file of a model") in repository.left_out
