"""True and false statements: their scores are QUALS, their loss does not depend on batches, and training parts them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from quals import QualsScorer
from quals.checkpoint import load_qagen
from support.qagen_runs import command, one_line, trainer_of

from trainer_ext.cli.main import main
from trainer_ext.recipes.qagen.batches import QAGenCollator
from trainer_ext.recipes.qagen.contrast import THRESHOLD, contrast_loss, encode_statements, generate_pairs
from trainer_ext.recipes.qagen.statements import Statement
from trainer_ext.recipes.qagen.trainer import QAGenTrainer

SOURCE = "The cat won the mat in the red city of paris. The queen of paris lost the mat and the river."
STATEMENTS = [
    Statement(SOURCE, "The cat won the mat in the red city of paris.", True),
    Statement(SOURCE, "The dog won the city in the red city of london.", False),
    Statement("The king won the city.", "The king won the mat in the red city of london.", False),
    Statement("The dog won the mat in the red city of london.", "The dog won the mat in the red city of london.", True),
]


@pytest.fixture(scope="module")
def rows(unbroken: Path) -> Dataset:
    """The rows of four statements, by the QAGen that they begin with."""
    qagen = load_qagen(str(unbroken))
    pairs = generate_pairs(qagen, [statement.text for statement in STATEMENTS], 4)
    known = [[(pair.token_ids, pair.log_probs) for pair in own] for own in pairs]
    return encode_statements(STATEMENTS, known, qagen, 64)


def trainer_on(folder: Path, qagen: Path, rows: Dataset, tokens: int = 10_000, **options: Any) -> QAGenTrainer:
    trainer = trainer_of(folder, load_qagen(str(qagen)).model, rows, tokens, **options)
    trainer.eval_dataset = rows
    return trainer


def write(path: Path, *rows: dict[str, Any]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_a_statement_scores_as_quals_scores_it(unbroken: Path, rows: Dataset, tmp_path: Path) -> None:
    scorer = QualsScorer(str(unbroken), num_groups=12, max_pairs=4)
    expected = [result.score for result in scorer.score([s.source for s in STATEMENTS], [s.text for s in STATEMENTS])]
    trainer = trainer_on(tmp_path, unbroken, rows)
    assert trainer.model is not None
    trainer.model.eval()
    scores = []
    for row in rows.filter(lambda row: row["stated"] != 0):
        batch = QAGenCollator(0)([row])
        target = batch["labels"] != -100
        with torch.no_grad():
            _, score = trainer._summed_loss(trainer._target_logits(trainer.model, batch, target), batch, target)
        scores += score.tolist()
    assert scores == pytest.approx(expected, abs=1e-4)


def test_a_statement_with_its_own_pairs_counts_by_their_likelihood(rows: Dataset) -> None:
    assert [row["stated"] for row in rows] == [1, 0, -1, 0, -1, 0, 1, 0]
    for told, alone in zip(rows.select(range(0, 8, 2)), rows.select(range(1, 8, 2)), strict=True):
        assert told["labels"][:2] == alone["labels"]
        assert len(told["own"]) == len(told["labels"])


@pytest.mark.parametrize("tokens", [1, 60, 10_000])
def test_the_loss_does_not_depend_on_the_batches(tokens: int, unbroken: Path, rows: Dataset, tmp_path: Path) -> None:
    whole = trainer_on(tmp_path, unbroken, rows).evaluate()
    assert trainer_on(tmp_path, unbroken, rows, tokens).evaluate() == pytest.approx(whole, abs=1e-4)


def test_training_parts_true_from_false(unbroken: Path, rows: Dataset, tmp_path: Path) -> None:
    trainer = trainer_on(tmp_path, unbroken, rows, 200, num_train_epochs=25, learning_rate=3e-3)
    before = trainer.evaluate()
    trainer.train()
    after = trainer.evaluate()
    assert after["eval_loss"] < before["eval_loss"] - 0.1
    assert after["eval_statements_right"] == 1


def test_a_weight_of_zero_leaves_the_statements_out(unbroken: Path, rows: Dataset, tmp_path: Path) -> None:
    trainer = trainer_on(tmp_path, unbroken, rows)
    trainer.contrast_weight = 0
    told = rows.filter(lambda row: row["stated"] != 0)
    assert trainer.evaluate(told)["eval_loss"] == 0
    assert trainer.evaluate(rows)["eval_loss"] > 0


def test_the_loss_falls_on_the_right_side_and_fades() -> None:
    scores = torch.tensor([-5.0, THRESHOLD - 0.1, THRESHOLD + 0.1, 0.0])
    true, false = contrast_loss(scores, torch.ones(4)), contrast_loss(scores, -torch.ones(4))
    assert true.tolist() == sorted(true.tolist(), reverse=True)
    assert false.tolist() == sorted(false.tolist())
    assert false[0] < 0.01 < true[0]


def test_a_true_statement_of_a_source_that_is_cut_is_left_out(unbroken: Path) -> None:
    qagen = load_qagen(str(unbroken))
    pairs = [[((7, 4, 8, 2), (-1.0,) * 4)]] * 4
    kept = encode_statements(STATEMENTS, pairs, qagen, 14)
    assert kept["stated"] == [-1, 0, -1, 0, 1, 0]  # the first source has more than 14 tokens
    assert max(map(len, kept["input_ids"])) == 14
    assert kept["input_ids"][0][-1] == qagen.model.config.eos_token_id


def test_rows_of_both_kinds_are_trained_together(
    unbroken: Path, data: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(
        tmp_path / "statements.jsonl",
        *(
            {"document": f"{s.source} {n}", "claim": s.text, "label": int(s.consistent)}
            for s in STATEMENTS
            for n in WORDS
        ),
    )
    output = tmp_path / "contrasted"
    words = command(unbroken, data, output, epochs=1, statement_file=file, pairs_per_statement=3)
    assert main(words) == 0
    assert load_qagen(str(output)).separator_id == load_qagen(str(unbroken)).separator_id
    card = " ".join((output / "README.md").read_text().split())
    assert f"{len(STATEMENTS) * len(WORDS)} statements" in card
    pairs = (output / "checkpoints" / "statements.json").stat().st_mtime_ns
    assert main(words) == 0  # ends at once: nothing is trained or generated anew
    assert (output / "checkpoints" / "statements.json").stat().st_mtime_ns == pairs


WORDS = "cat dog king queen city river mat red london paris".split()  # noqa: SIM905


def test_a_model_that_is_not_a_qagen_is_refused(
    base: Path, data: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(tmp_path / "s.jsonl", {"source": "The cat won.", "statement": "The cat won.", "consistent": True})
    assert main(command(base, data, tmp_path / "out", statement_file=file)) == 2
    assert "is not a QAGen" in one_line(capsys.readouterr().err)
    assert not (tmp_path / "out").exists()
