"""What a model's files may hold to be published."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.hub_server import FakeHub
from support.publishing import REPO, publish, refusal
from support.trained import CARD

from trainer_ext.publishing.model import model_repository


def test_where_a_model_was_loaded_from_is_not_published(summarizer: Path, hub: FakeHub) -> None:
    origin = {"_name_or_path": str(summarizer), "model_type": "bart", "vocab_size": 9}
    (summarizer / "config.json").write_text(json.dumps(origin))
    (summarizer / "tokenizer_config.json").write_text(
        json.dumps({"name_or_path": "org/name", "tokenizer_file": "/a/b"})
    )
    assert publish(summarizer) == 0
    contents = hub.contents("model", REPO)
    assert json.loads(contents["config.json"]) == {"model_type": "bart", "vocab_size": 9}
    assert json.loads(contents["tokenizer_config.json"]) == {"name_or_path": "org/name"}
    assert str(summarizer).encode() not in b"".join(contents.values())


@pytest.mark.parametrize(
    ("name", "line", "reason"),
    [
        ("README.md", "base: /home/me/bart", "line 11 holds a path of this machine"),
        ("README.md", "see `/Users/me/run 1`", "line 11 holds a path of this machine"),
        ("README.md", "C:\\\\runs\\\\bart", "line 11 holds a path of this machine"),
        ("README.md", "hf_" + "a1B2" * 9, "line 11 holds what looks like a secret"),
        ("generation_config.json", '{"a": 1,\n "cache": "/mnt/x/y"}', "line 2 holds a path of this machine"),
    ],
)
def test_paths_and_secrets_are_refused_with_their_line(
    summarizer: Path, hub: FakeHub, capsys: pytest.CaptureFixture[str], name: str, line: str, reason: str
) -> None:
    (summarizer / name).write_text((CARD.rstrip("\n") + "\n" if name == "README.md" else "") + line + "\n")
    message = refusal(summarizer, capsys, "--dry-run")
    assert f"{name}, {reason}" in message or reason.replace("11", "13") in message
    assert hub.requests == []


def test_addresses_and_times_are_not_paths(summarizer: Path) -> None:
    (summarizer / "README.md").write_text(CARD + "https://x.org/home/a/b, and/or, 1/2, a:/b, src/home/x, ~/.cache\n")
    assert model_repository(REPO, summarizer)


def test_what_a_dry_run_shows_is_what_a_push_does(
    summarizer: Path, hub: FakeHub, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(summarizer, "--dry-run")
    shown = capsys.readouterr().out
    assert publish(summarizer) == 0
    assert capsys.readouterr().out.startswith(shown)
    sizes = {path: len(data) for path, data in hub.contents("model", REPO).items() if path != ".gitattributes"}
    assert {line.split()[-1] for line in shown.splitlines() if line.startswith(" ")} == {*sizes, "files"}


@pytest.mark.parametrize(
    "head",
    [
        "base_model: ./runs/x/y",
        "base_model: [a--b]",
        "tags: summarization",
        "datasets: [a b]",
        "license: my own",
        "model-index: foo",
        "model-index: [{name: a}]",
        "model-index: [{name: a, results: [{task: {type: b}, dataset: {name: c}, metrics: []}]}]",
        "model-index: [{name: a, results: [{task: {type: b}, dataset: {type: c, name: c}, metrics: [{type: d}]}]}]",
    ],
)
def test_a_card_head_that_the_hub_refuses_is_told(
    summarizer: Path, hub: FakeHub, capsys: pytest.CaptureFixture[str], head: str
) -> None:
    (summarizer / "README.md").write_text(f"---\n{head}\n---\n# A summarizer\n")
    message = refusal(summarizer, capsys)
    assert "head of the card" in message
    assert head.partition(":")[0] in message
    # A model-index that cannot be read is refused here; the Hub refuses the rest.
    assert ("What stood there before is unchanged" in message) == ("model-index" not in head)
    assert ("model", REPO) not in hub.repos or len(hub.repos["model", REPO].commits) == 1


def test_deep_files_and_shards_that_are_pickles_are_one_line(
    summarizer: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index = summarizer / "model.safetensors.index.json"
    for shard in ("pytorch_model.bin", "../model.safetensors", "/tmp/model.safetensors", 3):
        index.write_text(json.dumps({"weight_map": {"a": shard}}))
        assert "is not a safetensors file" in refusal(summarizer, capsys)
    index.unlink()
    (summarizer / "README.md").write_text("---\na: " + "[" * 5000 + "\n---\n")
    assert "head of the card" in refusal(summarizer, capsys)
    (summarizer / "README.md").write_text(CARD)
    (summarizer / "config.json").write_text("[" * 100_000)
    assert "nested too deep" in refusal(summarizer, capsys)
