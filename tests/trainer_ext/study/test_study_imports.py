"""The study's server starts without what only training needs."""

from __future__ import annotations

from pathlib import Path

from support.study_data import RUN, make_study, pairs


def test_serving_imports_nothing_heavy(tmp_path: Path) -> None:
    import subprocess
    import sys

    make_study(tmp_path / "a.sqlite", pairs(3))
    code = (
        "import sys, trainer_ext.study.server as server\n"
        "server.serve = lambda *_: print([name for name in ('torch', 'transformers', 'datasets', 'numpy') "
        "if name in sys.modules])\n"
    )
    command = [sys.executable, "-c", code + RUN, "study", "serve", str(tmp_path / "a.sqlite")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.stdout == "[]\n", done.stderr
