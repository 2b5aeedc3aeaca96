"""`quals install`: what it writes, that evaluate finds it, and that `quals install --remove` leaves nothing."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path

import evaluate
import pytest

from trainer_ext.cli.evaluate_cache import install, module_file, uninstall
from trainer_ext.cli.main import main


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A modules cache that is not there yet."""
    folder = tmp_path / "modules"
    monkeypatch.setattr(evaluate.config, "HF_MODULES_CACHE", folder)
    return folder


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if not path.is_dir())


def test_install_writes_one_file_and_says_so(modules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["install"]) == 0
    [file] = files(modules)
    assert str(file) in capsys.readouterr().out
    assert file.name == "quals.py"
    assert len(file.parent.name) == 64
    assert file.parent.parent.name == "evaluate-metric--quals"


def test_install_again_changes_nothing_but_the_age(modules: Path) -> None:
    file = install()
    contents = file.read_bytes()
    os.utime(file, (0, 0))
    assert install() == file
    assert files(modules) == [file]
    assert file.read_bytes() == contents
    assert file.stat().st_mtime > 0  # of all versions in the cache, evaluate takes the newest


@pytest.mark.parametrize("command", [["install", "--remove"], ["uninstall"]])
def test_removing_leaves_nothing_of_it(modules: Path, capsys: pytest.CaptureFixture[str], command: list[str]) -> None:
    file = install()
    compiled = file.parent / "__pycache__" / "quals.cpython-312.pyc"
    compiled.parent.mkdir()
    compiled.touch()
    assert main(command) == 0
    assert str(file) in capsys.readouterr().out
    assert files(modules) == []
    assert not file.parent.parent.exists()


def test_removing_leaves_what_others_made(modules: Path) -> None:
    metrics = install().parents[2]
    others = [
        metrics / "evaluate-metric--rouge" / ("0" * 64) / "rouge.py",
        metrics / "evaluate-metric--quals" / ("1" * 64) / "quals.py",
        metrics / "evaluate-metric--quals" / "__init__.py",
    ]
    for other in others:
        other.parent.mkdir(parents=True, exist_ok=True)
        other.touch()
    assert uninstall() is not None
    assert files(modules) == sorted(others)


def test_removing_without_install(modules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert uninstall() is None
    assert main(["install", "--remove"]) == 0
    assert "nothing to remove" in capsys.readouterr().out
    assert not modules.exists()


def test_what_cannot_be_written_is_one_line(modules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    modules.write_text("a file where the folder should be")
    assert main(["install"]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("quals install: ")
    assert modules.read_text() == "a file where the folder should be"


def test_without_the_package_it_says_what_to_do(modules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = install()
    monkeypatch.setitem(sys.modules, "quals.quals", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install \. in a clone") as refused:
        runpy.run_path(str(file))
    assert str(file) in str(refused.value)


def test_another_missing_package_is_told_as_such(modules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = install()
    monkeypatch.delitem(sys.modules, "quals.quals", raising=False)
    monkeypatch.setitem(sys.modules, "evaluate", None)
    with pytest.raises(ModuleNotFoundError, match="evaluate"):
        runpy.run_path(str(file))


def test_evaluate_finds_it_with_the_network_out_of_reach(modules: Path, tmp_path: Path, tiny_qagen: Path) -> None:
    install()
    code = (
        "import evaluate, sys; quals = evaluate.load('quals', sys.argv[1]); print(type(quals).__module__); "
        "print(quals.compute(predictions=['a cat'], sources=['a cat'])['signature'])"
    )
    names = ("HF_EVALUATE_CACHE", "HF_METRICS_CACHE")
    environment = {name: value for name, value in os.environ.items() if name.lower() != "no_proxy"}
    environment |= {name: str(tmp_path / name) for name in names} | {"HF_MODULES_CACHE": str(modules)}
    # Nothing listens there, so each request is refused at once.
    environment |= {name: "http://127.0.0.1:9" for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")}
    folder = tmp_path / "anywhere"
    folder.mkdir()
    command = [sys.executable, "-c", code, str(tiny_qagen)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    module, signature = done.stdout.splitlines()
    assert module == "quals.quals"
    assert signature.startswith("quals-v")
    assert uninstall() == module_file()
    assert not module_file().parent.parent.exists()
