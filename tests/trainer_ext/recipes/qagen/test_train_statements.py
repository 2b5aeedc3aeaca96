"""True and false statements: scores are those of QUALS, the loss is that of a plain computation, and it is learnt."""

from __future__ import annotations

import json
import math
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from quals import QualsScorer
from quals.checkpoint import load_qagen
from support.parsed import PLACES, write_rules
from support.qagen_runs import command, last_state, one_line, plain_nll, same_weights, step_of, trainer_of
from support.tiny import tiny_model, train_tiny_qagen

from trainer_ext.cli.main import main
from trainer_ext.recipes.qagen.batches import QAGenCollator
from trainer_ext.recipes.qagen.contrast import THRESHOLD, contrast_loss, encode_statements, generate_pairs
from trainer_ext.recipes.qagen.trainer import QAGenTrainer
from trainer_ext.recipes.statements import Statement, read_statements

SOURCE = "The cat won the mat in the red city of paris. The queen of paris lost the mat and the river."
STATEMENTS = [
    Statement(SOURCE, "The cat won the mat in the red city of paris.", True),
    Statement(SOURCE, "The dog won the city in the red city of london.", False),
    Statement("The king won the city.", "The king won the mat in the red city of london.", False),
    Statement("The dog won the mat in the red city of london.", "The dog won the mat in the red city of london.", True),
]


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a tiny QAGen that asks several things of texts as long as the statements."""

    def ask(rng: random.Random, text: list[str]) -> str:
        return f"who did what in the {rng.choice(['city', 'river', 'mat'])} ? <sep> {rng.choice(text)}"

    return train_tiny_qagen(tmp_path_factory.mktemp("asking"), ask, longest=12)


@pytest.fixture(scope="module")
def rows(asking: Path) -> Dataset:
    """The rows of four statements, by the QAGen that they begin with."""
    qagen = load_qagen(str(asking))
    return encode_statements(STATEMENTS, known_pairs(asking, STATEMENTS), qagen, 64)


def known_pairs(asking: Path, statements: list[Statement]) -> list[Any]:
    pairs = generate_pairs(load_qagen(str(asking)), statements, 4, groups=12)
    return [[(pair.token_ids, pair.log_probs) for pair in own] for own in pairs]


def trainer_on(folder: Path, qagen: Path, rows: Dataset, tokens: int = 10_000, **options: Any) -> QAGenTrainer:
    trainer = trainer_of(folder, load_qagen(str(qagen)).model, rows, tokens, **options)
    trainer.eval_dataset = rows
    return trainer


def write(path: Path, *rows: dict[str, Any]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_a_pair_scores_as_quals_scores_it(asking: Path, tmp_path: Path) -> None:
    scorer, qagen = QualsScorer(str(asking), num_groups=12, max_pairs=4), load_qagen(str(asking))
    trainer = trainer_on(tmp_path, asking, Dataset.from_list([]))
    assert trainer.model is not None
    trainer.model.eval()
    found = 0
    for statement, pairs in zip(STATEMENTS, known_pairs(asking, STATEMENTS), strict=True):
        row, _ = encode_statements([statement], [pairs], qagen, 64)
        batch = QAGenCollator(0)([row])
        target = batch["labels"] != -100
        with torch.no_grad():
            _, scores = trainer._summed_loss(trainer._target_logits(trainer.model, batch, target), batch, target)
        (result,) = scorer.score([statement.source], [statement.text])
        assert scores.tolist() == pytest.approx([pair.score for pair in result.pairs], abs=1e-4)
        found += len(scores)
    assert found > len(STATEMENTS)


def pair(*token_ids: int) -> tuple[tuple[int, ...], tuple[float, ...]]:
    return token_ids, (-0.5,) * len(token_ids)


def test_a_source_has_the_pairs_of_its_statements_in_one_row(asking: Path) -> None:
    qagen = load_qagen(str(asking))
    told = [
        Statement(SOURCE, "The dog won.", False, "dog"),
        Statement(SOURCE, "The cat won.", True),
        Statement(SOURCE, "The king lost.", False),
        Statement("The king won.", "The king won.", True),
        Statement("The king won.", "The king lost.", False),
    ]
    shared, none = pair(7, 4, 8, 2), list[Any]()
    pairs = [[pair(5, 4, 6, 2), shared], [pair(9, 4, 6, 2), shared], [pair(9, 4, 9, 2), pair(5, 4, 5, 2)], none, none]
    rows = encode_statements(told, pairs, qagen, 64)
    together, *alone = rows
    assert together["labels"] == [[9, 4, 6, 2], [7, 4, 8, 2], [5, 4, 6, 2], [9, 4, 9, 2], [5, 4, 5, 2]]
    assert together["stated"] == [1, 1, -1, -1, -1], "a false statement's pair that a true one has is left out"
    assert together["unit"] == [0, 1, 2, 3, 3], "pairs are judged together where nobody knows which is wrong"
    assert [row["stated"] for row in alone] == [[0], [0], [0]], "a statement's best pair under itself"
    assert [row["labels"] for row in alone] == [[together["labels"][place]] for place in (0, 2, 3)]
    many = encode_statements(
        [Statement(SOURCE, f"The cat won {n}.", n % 2 > 0) for n in range(9)], [[shared]] * 9, qagen, 64
    )
    assert [row["stated"] for row in many if any(row["stated"])] == [[1] * 4]
    different = [[pair(5, 4, n, 2)] for n in range(5, 14)]
    many = encode_statements(
        [Statement(SOURCE, f"The cat won {n}.", n % 2 > 0) for n in range(9)], different, qagen, 64
    )
    assert [row["stated"] for row in many if any(row["stated"])] == [[1, -1, 1, -1], [1, -1, 1, -1], [-1]]


def drawn_rows() -> Dataset:
    """Rows of two sources with five pairs each, of which the one has all kinds, and a text with its own."""
    draw = torch.Generator().manual_seed(1)

    def words(count: int) -> list[int]:
        return torch.randint(5, 36, (count,), generator=draw).tolist()

    rows = [
        {"stated": [1, 1, -1, -1, -1], "unit": [0, 1, 2, 3, 3]},
        {"stated": [-1] * 5, "unit": [0, 0, 0, 0, 4]},
        {"stated": [0] * 5, "unit": [0, 1, 2, 3, 4]},
    ]
    return Dataset.from_list(
        [
            {
                "input_ids": [1, *words(4 + 9 * number), 2],
                "labels": [[*words(2 + place + number), 4, *words(1 + place), 2] for place in range(5)],
                "own": [-3.0 - 0.2 * place for place in range(5)],
                **row,
            }
            for number, row in enumerate(rows)
        ]
    )


def softplus(value: float) -> float:
    return math.log1p(math.exp(2 * value)) / 2


@pytest.mark.parametrize("kind", ["bart", "t5"])
@pytest.mark.parametrize(("weight", "rank_weight"), [(1.0, 0.5), (0.7, 0.0), (2.0, 3.0)])
def test_the_loss_is_that_of_a_plain_computation(kind: str, weight: float, rank_weight: float, tmp_path: Path) -> None:
    model, rows = tiny_model(kind), drawn_rows()
    total, tokens = 0.0, 0
    for row in rows:
        alone = [Dataset.from_list([{"input_ids": row["input_ids"], "labels": [target]}]) for target in row["labels"]]
        sizes = list(map(len, row["labels"]))
        nlls = [plain_nll(model, one)[0] for one in alone]
        scores = [-nll / size - own for nll, size, own in zip(nlls, sizes, row["own"], strict=True)]
        tokens += sum(sizes)
        of_true = [score for score, y in zip(scores, row["stated"], strict=True) if y > 0]
        units: dict[int, list[float]] = {}
        for score, first in zip(scores, row["unit"], strict=True):
            units.setdefault(first, []).append(score)
        means = {first: sum(of) / len(of) for first, of in units.items()}
        of_false = [mean for first, mean in means.items() if row["stated"][first] < 0]
        for nll, size, y, first in zip(nlls, sizes, row["stated"], row["unit"], strict=True):
            total += weight * size * softplus(-y * (means[first] + 0.75)) if y else nll
        ranked = [softplus(false - true) for true in of_true for false in of_false]
        total += weight * rank_weight * sum(sizes) * sum(ranked) / max(1, len(ranked))
    for tokens_per_batch in (1, 100, 10_000):
        trainer = trainer_of(tmp_path, model, rows, tokens_per_batch)
        trainer.contrast_weight, trainer.rank_weight = weight, rank_weight
        assert trainer.evaluate(rows)["eval_loss"] == pytest.approx(total / tokens, abs=1e-4)
        assert trainer.evaluate(rows.select([2, 1, 0]))["eval_loss"] == pytest.approx(total / tokens, abs=1e-4)
    batch = QAGenCollator(0)([*rows])
    assert trainer.compute_loss(model, batch).item() == pytest.approx(total / tokens, abs=1e-4)


def test_label_smoothing_does_not_depend_on_the_batches(tmp_path: Path) -> None:
    """Of rows of either kind, together or apart; the judged pairs are not smoothed."""
    model, rows = tiny_model("bart"), drawn_rows()
    trainer = trainer_of(tmp_path, model, rows, 100)
    losses = []
    for smoothing in (0.0, 0.1):
        trainer.args.label_smoothing_factor = smoothing
        parts = [rows, *(rows.select([place]) for place in range(len(rows)))]
        whole, *alone = (trainer.compute_loss(model, QAGenCollator(0)([*part]), num_items_in_batch=1) for part in parts)
        assert whole.item() == pytest.approx(sum(loss.item() for loss in alone), rel=1e-5)
        losses.append(whole.item())
    assert losses[0] != pytest.approx(losses[1], rel=1e-3)


def test_the_order_of_statements_changes_nothing(asking: Path, rows: Dataset, tmp_path: Path) -> None:
    turned = STATEMENTS[::-1]
    others = encode_statements(turned, known_pairs(asking, turned), load_qagen(str(asking)), 64)
    whole = trainer_on(tmp_path, asking, rows).evaluate()
    assert trainer_on(tmp_path, asking, others).evaluate() == pytest.approx(whole, abs=1e-4)


@pytest.mark.parametrize("tokens", [1, 60, 10_000])
def test_the_loss_does_not_depend_on_the_batches(tokens: int, asking: Path, rows: Dataset, tmp_path: Path) -> None:
    whole = trainer_on(tmp_path, asking, rows).evaluate()
    assert trainer_on(tmp_path, asking, rows, tokens).evaluate() == pytest.approx(whole, abs=1e-4)


def test_training_parts_true_from_false(asking: Path, rows: Dataset, tmp_path: Path) -> None:
    trainer = trainer_on(tmp_path, asking, rows, 200, num_train_epochs=40, learning_rate=3e-3)
    before = trainer.evaluate()
    trainer.train()
    after = trainer.evaluate()
    assert after["eval_loss"] < before["eval_loss"] - 0.1
    assert after["eval_pairs_right"] == 1
    assert after["eval_pairs_ranked"] > before["eval_pairs_ranked"]


def test_a_weight_of_zero_leaves_the_statements_out(asking: Path, rows: Dataset, tmp_path: Path) -> None:
    trainer = trainer_on(tmp_path, asking, rows)
    trainer.contrast_weight = 0
    told = rows.filter(lambda row: any(row["stated"]))
    assert trainer.evaluate(told)["eval_loss"] == 0
    assert trainer.evaluate(rows)["eval_loss"] > 0


def test_the_loss_falls_on_the_right_side_and_fades() -> None:
    def loss(score: float, stated: int) -> float:
        one = torch.ones(1, dtype=torch.int64)
        return float(contrast_loss(torch.tensor([score]), stated * one, 0 * one, one, 1, 1.0))

    scores = [-5.0, THRESHOLD - 0.1, THRESHOLD + 0.1, 0.0]
    true, false = [loss(score, 1) for score in scores], [loss(score, -1) for score in scores]
    assert true == sorted(true, reverse=True)
    assert false == sorted(false)
    assert false[0] < 0.01 < true[0]


def test_a_true_statement_of_a_source_that_is_cut_is_left_out(asking: Path) -> None:
    qagen = load_qagen(str(asking))
    kept = encode_statements(STATEMENTS, [[pair(7, 4, n, 2)] for n in range(5, 9)], qagen, 14)
    assert kept["stated"] == [[-1], [0], [-1], [0], [1], [0]]  # the first source has more than 14 tokens
    assert max(map(len, kept["input_ids"])) == 14
    assert kept["input_ids"][0][-1] == qagen.model.config.eos_token_id


def test_rows_of_both_kinds_are_trained_together(
    asking: Path, data: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
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
    words = command(asking, data, output, epochs=1, statement_file=file, pairs_per_statement=3)
    assert main(words) == 0
    assert load_qagen(str(output)).separator_id == load_qagen(str(asking)).separator_id
    card = " ".join((output / "README.md").read_text().split())
    assert f"{len(STATEMENTS) * len(WORDS)} statements" in card
    pairs = (output / "checkpoints" / "statements.json").stat().st_mtime_ns
    assert "| step | share of its pairs on the right side |" in card
    weights = shutil.copytree(output, tmp_path / "copy")
    last = max((output / "checkpoints").glob("checkpoint-*"), key=step_of)
    steps = last_state(output)["global_step"]
    assert step_of(last) == steps
    for torn in (last / "trainer_state.json", output / "model.safetensors"):
        torn.unlink()
    assert main(words) == 0  # goes on from the checkpoint before, and generates nothing anew
    assert same_weights(output, weights)
    assert (output / "checkpoints" / "statements.json").stat().st_mtime_ns == pairs


def test_the_command_makes_statements_and_trains_on_them(
    asking: Path, data: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = [f"the cat won the mat in {place} . joshua was in {place} {n} times ." for n in "123" for place in PLACES]
    texts += [" ".join(f"on day {a}1 {a}2 {a}3 the dog won ." for a in "bcdefg")]
    documents = write(tmp_path / "documents.jsonl", *({"document": text} for text in texts))
    made = tmp_path / "made.jsonl"
    words = ["--text-file", documents, "--output", str(made), "--pipeline", str(write_rules(tmp_path / "rules"))]
    assert main(["train", "statements", *words, "--per-document", "4"]) == 0
    assert f"{len(made.read_text().splitlines())} statements, " in capsys.readouterr().out
    statements = read_statements([str(made)])
    assert {told.consistent for told in statements} == {True, False}
    assert [told.text[:6] for told in statements if not told.consistent and not told.changed] == ["on day"]
    assert main(command(asking, data, tmp_path / "out", epochs=0.2, statement_file=made, rank_weight=2)) == 0
    assert f"{len(statements)} statements" in " ".join((tmp_path / "out" / "README.md").read_text().split())
    assert main(["train", "statements", "--text-file", str(made), *words[2:3], str(made), *words[4:]]) == 2
    assert "made.jsonl" in one_line(capsys.readouterr().err)
    assert main(["train", "statements", *words[2:]]) == 2
    assert "give a --text-file or a --summary-file" in one_line(capsys.readouterr().err)


@pytest.mark.parametrize(("option", "value"), [("--per-document", 1), ("--left-out", -1), ("--document-words", 0)])
def test_a_number_out_of_range_is_told_before_the_work(
    option: str, value: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    documents = write(tmp_path / "documents.jsonl", {"document": "the cat won the mat ."})
    files = ["--text-file", documents, "--output", str(tmp_path / "made.jsonl"), "--pipeline", str(tmp_path / "absent")]
    assert main(["train", "statements", *files, option, str(value)]) == 2
    assert f"{option} is {value}: " in one_line(capsys.readouterr().err)


def test_the_command_changes_facts_of_summaries(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    texts = [f"the cat won the mat in {place} . joshua was in {place} twice ." for place in PLACES]
    rows = [{"document": f"{text} indeed", "summary": text} for text in texts]
    summaries = write(tmp_path / "summaries.jsonl", *rows)
    words = ["--summary-file", summaries, "--pipeline", str(write_rules(tmp_path / "rules"))]
    assert main(["train", "statements", *words, "--output", str(tmp_path / "made.jsonl")]) == 0
    told = read_statements([str(tmp_path / "made.jsonl")])
    assert [statement.text for statement in told if statement.consistent] == [row["summary"] for row in rows]
    false = [statement for statement in told if not statement.consistent]
    assert false
    assert all(statement.changed in statement.text and statement.source.endswith("indeed") for statement in false)
    assert f"{len(told)} statements, {len(rows)} of them true" in capsys.readouterr().out


WORDS = "cat dog king queen city river mat red london paris".split()  # noqa: SIM905


def test_a_model_that_is_not_a_qagen_is_refused(
    base: Path, data: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(tmp_path / "s.jsonl", {"source": "The cat won.", "statement": "The cat won.", "consistent": True})
    assert main(command(base, data, tmp_path / "out", statement_file=file)) == 2
    assert "is not a QAGen" in one_line(capsys.readouterr().err)
    assert not (tmp_path / "out").exists()


def test_statements_do_not_train_a_question_generator(
    asking: Path, data: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It would learn pairs whose question stands first, and pairs whose answer does."""
    file = write(tmp_path / "s.jsonl", {"source": "The cat won.", "statement": "The cat won.", "consistent": True})
    words = command(asking, data, tmp_path / "out", statement_file=file)
    assert main([*words, "--answer-first"]) == 2
    assert "Leave out one of the two" in one_line(capsys.readouterr().err)
    assert not (tmp_path / "out").exists()
