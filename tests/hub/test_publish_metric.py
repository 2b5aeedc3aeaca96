"""`quals publish metric`, and what a visitor meets: another process, nothing cached, none of our packages."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from evaluate.loading import get_imports
from quals import QualsScorer
from support.hub_repo import TOKEN, Blob
from support.hub_server import FakeHub
from support.tiny import REPOSITORY, save_tiny_qagen
from support.without_us import WITHOUT_US

from trainer_ext.cli.main import main

FOLDER = REPOSITORY / "metrics" / "quals"
SPACE, QAGEN = "org/quals", "org/qagen-tiny"
SUMMARIES, SOURCES = ["the king lost paris", ""], ["the king lost the red city paris", "the cat sat"]

VISITOR = (
    WITHOUT_US
    + """
import evaluate
from transformers import AutoModelForSeq2SeqLM
space, qagen, predictions, sources = json.loads(sys.argv[1])
metric = evaluate.load(space)
result = metric.compute(predictions=predictions, sources=sources)
model = AutoModelForSeq2SeqLM.from_pretrained(qagen)
print(json.dumps([type(metric).__module__, result, model.config.model_type]))
"""
)


def environment(server: FakeHub, home: Path, **more: str) -> dict[str, str]:
    """As a user's: nothing cached and no setting of these tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    ours = {"HF_ENDPOINT": server.endpoint, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1"}
    direct = {name: "127.0.0.1,localhost" for name in ("NO_PROXY", "no_proxy")}
    return {**kept, **ours, **direct, "HF_UPDATE_DOWNLOAD_COUNTS": "0", **more}


def visit(server: FakeHub, home: Path, **more: str) -> tuple[str, dict[str, Any], str]:
    home.mkdir(exist_ok=True)
    command = [sys.executable, "-c", VISITOR, json.dumps([SPACE, QAGEN, SUMMARIES, SOURCES])]
    done = subprocess.run(
        command, cwd=home, env=environment(server, home, **more), capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    module, result, kind = json.loads(done.stdout.splitlines()[-1])
    return module, result, kind


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone that may be changed, and that is published from; it has no app yet."""
    folder = tmp_path / "clone" / "metrics" / "quals"
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("qagen-*", "app.py"))
    shutil.copy(REPOSITORY / "hub_card.md", tmp_path / "clone")
    monkeypatch.setattr("trainer_ext.publishing.metric.metric_folder", lambda: folder)
    return tmp_path / "clone"


def publish(checkpoint: Path, *options: str) -> int:
    return main(["publish", "metric", "--repo-id", SPACE, "--checkpoint", str(checkpoint), *options])


def test_published_then_loaded_and_scored_by_a_visitor(server: FakeHub, tiny_asking: Path, tmp_path: Path) -> None:
    code = "from trainer_ext.cli.main import main; raise SystemExit(main())"
    arguments = ["publish", "metric", "--repo-id", SPACE, "--checkpoint", str(tiny_asking)]
    settings = environment(server, tmp_path / "publisher", HF_TOKEN=TOKEN)
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, env=settings, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert TOKEN not in done.stdout + done.stderr
    space, qagen = server.repos["space", SPACE], server.repos["model", QAGEN]
    assert space.sdk == "gradio"
    pinned = qagen.head
    assert (
        f'PUBLISHED: tuple[str, str] | None = ("{QAGEN}", "{pinned}")'
        in server.contents("space", SPACE)["published.py"].decode()
    )
    # Newer weights that the Space does not name are not what its visitors get.
    other = save_tiny_qagen(tmp_path / "other", seed=1) / "model.safetensors"
    qagen.commit({**qagen.commits[-1][1], "model.safetensors": Blob(other.read_bytes(), True)})
    server.storage[Blob(other.read_bytes(), True).etag] = other.read_bytes()
    module, result, kind = visit(server, tmp_path / "visitor")
    assert module.startswith("evaluate_modules.metrics.org--quals.")
    assert kind == "bart"
    wanted = QualsScorer(str(tiny_asking))
    assert result["signature"] == wanted.signature
    assert result["num_pairs"][0] > 0
    assert result["scores"][0] == pytest.approx(wanted.score(SOURCES, SUMMARIES)[0].score, abs=1e-5)
    assert result["coverage"] == 0.5
    # A Space that names them reaches those who have the old one in their caches.
    pin = server.contents("space", SPACE)["published.py"].replace(pinned.encode(), qagen.head.encode())
    space.commit({**space.commits[-1][1], "published.py": Blob(pin, False)})
    _, result, _ = visit(server, tmp_path / "visitor")
    assert result["signature"] == QualsScorer(str(tmp_path / "other")).signature


def test_the_files_are_what_evaluate_asks_for_and_what_a_space_needs(
    hub: FakeHub, clone: Path, tiny_asking: Path
) -> None:
    for name in ("__pycache__/quals.pyc", "data.arrow", "weights.safetensors.lock", ".hidden", "old.bin"):
        path = clone / "metrics" / "quals" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"not for others")
    assert publish(tiny_asking) == 0
    contents = hub.contents("space", SPACE)
    imports = get_imports(str(FOLDER / "quals.py"))
    code = {f"{name}.py" for kind, name, _, _ in imports if kind == "internal"} | {"quals.py"}
    app = {"page.py", "page_files.py", "page_view.py", "page_visitors.py", "example_texts.py"}  # without app.py
    assert set(contents) == {".gitattributes", "README.md", "requirements.txt", *code, *app}
    card = contents["README.md"].decode()
    assert f'evaluate.load("{SPACE}")' in card
    assert f"huggingface.co/{QAGEN}" in card
    assert len(hub.repos["space", SPACE].commits) == len(hub.repos["model", QAGEN].commits) == 2
    model = hub.contents("model", QAGEN)
    assert set(model) == {".gitattributes", *(file.name for file in tiny_asking.iterdir())}
    assert model["model.safetensors"] == (tiny_asking / "model.safetensors").read_bytes()


def test_with_an_app_the_app_goes_too(hub: FakeHub, clone: Path, tiny_asking: Path) -> None:
    (clone / "metrics" / "quals" / "app.py").write_text("print()\n")
    assert publish(tiny_asking) == 0
    assert hub.contents("space", SPACE)["app.py"] == b"print()\n"


def test_the_space_follows_a_new_qagen_and_changes_for_nothing_else(
    hub: FakeHub, clone: Path, tiny_asking: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = shutil.copytree(tiny_asking, tmp_path / "qagen-tiny")
    publish(checkpoint)
    capsys.readouterr()
    assert publish(checkpoint) == 0
    assert capsys.readouterr().out.count("nothing has changed") == 2
    (checkpoint / "README.md").write_text("---\ntags: [qagen]\n---\n\n# Another card\n")
    assert publish(checkpoint) == 0
    old, new = (files for _, files in hub.repos["space", SPACE].commits[-2:])
    assert [path for path in new if new[path] != old[path]] == ["published.py"]
    assert hub.repos["model", QAGEN].head.encode() in hub.contents("space", SPACE)["published.py"]


def test_a_space_that_fails_leaves_its_old_version_which_still_loads_the_old_qagen(
    hub: FakeHub, clone: Path, tiny_asking: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(tiny_asking)
    old = hub.contents("space", SPACE)
    (clone / "metrics" / "quals" / "pairs.py").write_text("# changed\n")
    with hub.fail_at("commit", 500):
        assert publish(tiny_asking) == 2
    assert hub.contents("space", SPACE) == old
    captured = capsys.readouterr()
    assert f"Committing to space {SPACE} failed" in captured.err
    assert TOKEN not in captured.out + captured.err
    assert publish(tiny_asking) == 0
    assert hub.contents("space", SPACE)["pairs.py"] == b"# changed\n"


def test_private_is_for_both(hub: FakeHub, clone: Path, tiny_asking: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert publish(tiny_asking, "--private") == 0
    assert hub.repos["space", SPACE].private
    assert hub.repos["model", QAGEN].private
    hub.repos["space", SPACE].private = False
    assert publish(tiny_asking) == 0
    assert f"note: {QAGEN} is private" in capsys.readouterr().out


def test_a_dry_run_shows_both_and_asks_nobody(
    hub: FakeHub, clone: Path, tiny_asking: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    assert publish(tiny_asking, "--dry-run", "--qagen-repo-id", "org/another") == 0
    printed = capsys.readouterr().out
    assert f"model org/another ({hub.endpoint}/org/another)" in printed
    assert f"space {SPACE} ({hub.endpoint}/spaces/{SPACE})" in printed
    size = (tiny_asking / "model.safetensors").stat().st_size
    assert f"{size / 1000:.1f} kB  model.safetensors" in printed
    for name in ("quals.py", "published.py", "README.md", "requirements.txt"):
        assert re.search(rf"\d k?B  {name}\n", printed)
    assert "note: there is no app.py" in printed
    assert hub.requests == []


def test_the_embedded_qagen_is_the_default(embedded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["publish", "metric", "--repo-id", SPACE, "--dry-run"]) == 0
    printed = capsys.readouterr().out
    assert "model org/qagen-mini (" in printed
    assert "59.8 MB  model.safetensors" in printed


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["publish", "metric", *arguments]) == 2
    [line] = capsys.readouterr().err.splitlines()
    return line


def test_refusals_come_before_anything_is_sent(
    hub: FakeHub, clone: Path, summarizer: Path, tiny_asking: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny = ["--checkpoint", str(tiny_asking)]
    assert "org/quals" in refusal(capsys, "--repo-id", "org/factual", *tiny)
    assert "someone/quals" in refusal(capsys, "--repo-id", "quals", *tiny)
    assert "--qagen-repo-id" in refusal(capsys, "--repo-id", SPACE, *tiny, "--qagen-repo-id", "x")
    assert "is not a QAGen" in refusal(capsys, "--repo-id", SPACE, "--checkpoint", str(summarizer))
    (clone / "metrics" / "quals" / "published.py").write_text("PUBLISHED = None\n")
    assert "published.py has no line" in refusal(capsys, "--repo-id", SPACE, *tiny)
    (clone / "hub_card.md").unlink()
    assert "from a clone" in refusal(capsys, "--repo-id", SPACE, *tiny)
    assert hub.requests == []
