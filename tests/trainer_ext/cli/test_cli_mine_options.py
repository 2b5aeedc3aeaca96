"""The options of quals mine are the trainer's."""

from __future__ import annotations

import argparse
import inspect
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

from trainer_ext.arguments import ContrastiveOptions
from trainer_ext.cli import mine
from trainer_ext.mining import SamplingSettings, Selection, resolve_ranker
from trainer_ext.options import RANKERS, RULES


def parsed(*options: str) -> dict[str, Any]:
    parser = argparse.ArgumentParser()
    mine.add_arguments(parser)
    return vars(parser.parse_args(["in.jsonl", "--output", "out.jsonl", *options]))


def test_an_option_has_the_name_and_the_default_of_the_trainers() -> None:
    trainers = {item.name: item.default for item in fields(ContrastiveOptions)}
    given = {name: value for name, value in parsed().items() if name in trainers}
    assert len(given) >= 13
    own = {"num_negatives": 1, "mining_source_prefix": ""}  # None means these in the trainer
    assert given == {name: own.get(name, trainers[name]) for name in given}
    for settings, prefix in ((SamplingSettings, "sampling_"), (Selection, "selection_")):
        for name, parameter in inspect.signature(settings).parameters.items():
            if name != "rule":  # not given, and auto then
                option = "generation_max_length" if name == "max_length" else prefix + name
                assert parsed().get(option, parsed().get(name)) == parameter.default
    assert parsed("--num-negatives", "all")["num_negatives"] is None
    for rule in RULES:
        assert parsed("--selection", rule)["selection"] == rule
    for ranker in RANKERS:
        assert parsed("--ranker", ranker)["ranker"] == resolve_ranker(ranker).name


def test_old_names_of_options_work_and_are_not_shown() -> None:
    old = {
        "--max-documents": ("max_mined_documents", 3),
        "--source-prefix": ("mining_source_prefix", "s: "),
        "--top-k": ("sampling_top_k", 3),
        "--top-p": ("sampling_top_p", 0.5),
        "--temperature": ("sampling_temperature", 0.5),
        "--max-length": ("generation_max_length", 3),
        "--sampling-tokens": ("sampling_batch_tokens", 3),
        "--rule": ("selection", "all"),
        "--fraction": ("selection_fraction", 0.5),
        "--margin": ("selection_margin", 0.5),
        "--num-positives": ("selection_num_extremes", 3),
        "--work-dir": ("work_dir", Path("w")),
        "--ranker-checkpoint": ("checkpoint", "c"),
    }
    parser = argparse.ArgumentParser()
    mine.add_arguments(parser)
    for option, (name, value) in old.items():
        assert parsed(option, str(value))[name] == value
        assert parsed().get(name) != value
        assert f"{option} " not in parser.format_help()


def test_a_missing_model_is_said_before_torch_is_imported(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom trainer_ext.cli.main import main\n"
        "assert main(['mine', 'in.jsonl', '--output', 'out.jsonl']) == 2\nassert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert "--model is not given" in done.stderr
    assert done.returncode == 0
