"""The experiment from end to end on a tiny model: every stage once, nothing of the test set trained on."""

from __future__ import annotations

import json
import random
from collections import Counter
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset, load_from_disk
from quals import QualsScorer
from support.classifiers import save_classifier
from support.tiny import WORDS, save_tiny_qagen, tiny_model, tiny_tokenizer, train_tiny_qagen
from transformers import AutoTokenizer, PreTrainedModel

from benchmarks.common.examples import Example, read_examples, split
from benchmarks.common.summarizers import load
from benchmarks.paper.__main__ import main
from benchmarks.paper.chosen import chosen_texts
from benchmarks.paper.report import main as report
from benchmarks.paper.stages import Settings, fine_tuned
from benchmarks.paper.table import MLE, chosen_table
from trainer_ext.mining import mine

CONTENT = [word for word in WORDS if word.isalpha() and len(word) > 2]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Documents of 18 words, each with its first five as the summary."""
    rng = random.Random(0)
    texts = [[rng.choice(CONTENT) for _ in range(18)] for _ in range(40)]
    file = tmp_path_factory.mktemp("pairs") / "pairs.jsonl"
    rows = [{"document": " ".join(text), "summary": " ".join(text[:5])} for text in texts]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


HALVES = ("consistent", "inconsistent")
VARIANTS = ("weight=0", "selection=per_document", "fraction=0.5,negatives=2")


@dataclass
class Run:
    """A whole run on 40 documents, 16 further articles and 3 further test documents."""

    model: Path
    work: Path
    articles: Path
    options: list[str]
    printed: str
    rows: list[dict[str, Any]]
    figure: bytes
    temperatures: set[float]
    started_from: list[str | Path]


def random_words(rng: random.Random, count: int) -> str:
    return " ".join(rng.choice(CONTENT) for _ in range(count))


@pytest.fixture(scope="module")
def whole_run(pairs: Path, asking_qagen: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("run")
    model = train_tiny_qagen(folder / "model", lambda rng, text: " ".join(text[:5]), longest=12)
    rng = random.Random(1)
    halves = [(random_words(rng, 8), random_words(rng, 30)) for _ in range(16)]
    articles = folder / "articles.jsonl"
    articles.write_text("".join(json.dumps({"document": f"{lead}. The {rest}"}) + "\n" for lead, rest in halves))
    in_the_set = pairs.read_text().splitlines()[:2]  # which are left out
    others = [random_words(rng, 18) for _ in range(3)]
    more = [json.dumps({"document": text, "summary": " ".join(text.split()[:5])}) for text in others]
    further = folder / "further.jsonl"
    further.write_text("\n".join(in_the_set + more))
    classifier = save_classifier(folder / "classifier")
    scores, figure = folder / "scores.jsonl", folder / "changes.png"
    options = [
        *("--set", f"tiny={pairs}", "--work", str(folder / "work"), "--model", str(model), "--test-documents", "4"),
        *("--validation-documents", "4", "--documents", "12", "--mle-epochs", "2", "--epochs", "1"),
        *("--seeds", "3", "4", "--judges", "quals", "factcc", "--classifier", str(classifier)),
        *("--leads", f"tiny={articles}", "--max-source", "24", "--further-test", f"tiny={further}"),
        *("--checkpoint", str(asking_qagen), "--output", str(scores), "--figure", str(figure), "--temperature", "0.8"),
        *("--summaries", str(folder / "summaries"), "--entailment", str(classifier)),
        *(option for variant in VARIANTS for option in ("--variant", variant)),
    ]
    temperatures: set[float] = set()
    started_from: list[str | Path] = []

    def recording(*given: Any, **options: Any) -> Any:
        if "sampling" in options:
            temperatures.add(options["sampling"].temperature)
        return mine(*given, **options)

    def loading(folder: str | Path, max_target: int) -> PreTrainedModel:
        started_from.append(folder)
        return load(folder, max_target)

    printed = StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(printed):
        patch.setattr("benchmarks.paper.mining.mine", recording)
        patch.setattr("benchmarks.paper.stages.load", loading)
        assert main(options) == 0
    rows = [json.loads(line) for line in scores.read_text().splitlines()]
    picture = figure.read_bytes()
    return Run(model, folder / "work", articles, options, printed.getvalue(), rows, picture, temperatures, started_from)


def test_fine_tuning_begins_with_articles_first_sentences(whole_run: Run) -> None:
    """Sixteen articles once, then 32 documents twice, eight per step."""
    work = whole_run.work / "tiny"
    assert "the first sentences of 16 articles.\n32 training documents, 4 test documents." in whole_run.printed
    assert [json.loads((work / stage / "done.json").read_text())["steps"] for stage in ("leads", "mle")] == [2, 8]
    assert whole_run.started_from[:2] == [str(whole_run.model), work / "leads"]


def test_every_arm_is_judged_on_every_test_document(whole_run: Run) -> None:
    arms = {(MLE, 0), ("rerank", 0), *((variant, 3) for variant in VARIANTS)}
    arms |= {(method, seed) for method in ("rouge", "quals", "pairs", "best", "cape") for seed in (3, 4)}
    for further, documents in ((False, 4), (True, 3)):
        rows = [row for row in whole_run.rows if bool(row.get("further")) is further]
        assert Counter((row["method"], row["seed"]) for row in rows) == dict.fromkeys(arms, documents)


def test_summaries_are_beside_their_documents(whole_run: Run) -> None:
    """A file per arm and seed, the set's own test first, as the rows of ``--output`` are."""
    files = list((whole_run.work.parent / "summaries").iterdir())
    assert len(files) == len({(row["method"], row["seed"]) for row in whole_run.rows})
    written = [json.loads(line) for line in (whole_run.work.parent / "summaries/tiny-quals-4.jsonl").open()]
    rows = [row for row in whole_run.rows if (row["method"], row["seed"]) == ("quals", 4)]
    assert [row["summary"] for row in written] == [row["summary"] for row in rows]
    further = [json.loads(line)["document"] for line in (whole_run.work.parent / "further.jsonl").open()][2:]
    assert {row["document"] for row in written[4:]} == set(further)
    assert not {row["document"] for row in written[:4]} & set(further)


def test_the_tables_are_of_either_test_set_and_of_both(whole_run: Run) -> None:
    for label in ("FactCC", "entailment", "QUALS, nats per token", "ROUGE-L F1", "word pairs", "words in a summary"):
        assert f"| {label}" in whole_run.printed
    assert "3 further test documents." in whole_run.printed
    lines = [line for line in whole_run.printed.splitlines() if line.startswith("| words in a summary")]
    counts = [line.rsplit("|", 2)[1].strip() for line in lines]
    assert counts[0] == "4/4/4"
    assert {"3/3/3", "7/7/7"} <= set(counts)
    assert all(
        f"| {variant} |" in whole_run.printed
        for variant in (*VARIANTS, "CaPE", "reranked, untrained", "ranked by word pairs (floor)")
    )


def test_reranking_keeps_the_best_sample_and_cape_learns_from_either_half(whole_run: Run) -> None:
    work = whole_run.work / "tiny"
    best, written = (
        {json.loads(file.read_text())[0] for file in (work / arm).glob("summaries-*.json")} for arm in ("rerank", "mle")
    )
    assert len(best) == 2
    assert all(best)
    assert best != written
    good, bad = (json.loads((work / f"selected-cape-{half}/done.json").read_text()) for half in HALVES)
    assert good["selected"] == bad["selected"] == 6
    assert good["mean_quals"] > bad["mean_quals"]


def test_ratings_of_the_samples_train_an_arm_of_their_own(
    whole_run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The shorter, the better; what the run has already is not done again."""
    tokenizer = AutoTokenizer.from_pretrained(whole_run.model)
    chunks = [json.loads(file.read_text()) for file in whole_run.work.glob("tiny/mining/samples-*/chunk-*.json")]
    texts = {tokenizer.decode(ids, skip_special_tokens=True).strip() for ids in _ids(chunks)}
    documents = {row.document for row in read_examples([Path(whole_run.options[1].partition("=")[2])])}
    rows = [
        {"document": document, "summary": text, "score": -len(text.split())} for document in documents for text in texts
    ]
    (tmp_path / "ratings.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    work = copytree(whole_run.work, tmp_path / "work")
    options = [str(work) if option == str(whole_run.work) else option for option in whole_run.options]
    options += [
        "--output",
        str(tmp_path / "o.jsonl"),
        "--figure",
        str(tmp_path / "f.png"),
        "--summaries",
        str(tmp_path),
    ]
    assert main([*options, "--arms", "--ratings", f"tiny={tmp_path / 'ratings.jsonl'}"]) == 0
    assert "| ranked by --ratings |" in capsys.readouterr().out
    (selected,) = work.glob("tiny/selected-rated-*")
    assert (work / "tiny" / f"{selected.name.removeprefix('selected-')}-3" / "done.json").is_file(), "one per ratings"
    chosen = load_from_disk(str(selected))
    assert isinstance(chosen, Dataset)
    for target, negatives in zip(chosen["labels"], chosen["candidate_labels"], strict=True):
        best, *worst = (len(tokenizer.decode(ids, skip_special_tokens=True).split()) for ids in (target, *negatives))
        assert best < min(worst)
    assert main([*options, "--ratings", f"other={tmp_path / 'ratings.jsonl'}"]) == 2
    assert "--ratings names other" in capsys.readouterr().err


def _ids(values: Any) -> list[list[int]]:
    """All lists of whole numbers in nested values."""
    if isinstance(values, dict):
        return _ids(list(values.values()))
    if not isinstance(values, list):
        return []
    return [values] if values and all(type(value) is int for value in values) else [i for v in values for i in _ids(v)]


def test_the_scores_hold_all_that_the_tables_and_the_figure_show(
    whole_run: Run, pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert whole_run.figure.startswith(b"\x89PNG")
    scores, again = whole_run.options[whole_run.options.index("--output") + 1], tmp_path / "again.png"
    assert report([scores, "--figure", str(again)]) == 0
    assert again.read_bytes() == whole_run.figure
    shown = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    together = whole_run.printed.partition("Both together.")[2]
    assert shown == [line for line in together.splitlines() if line.startswith("|")]
    assert len(shown) > 40
    assert report([scores, scores]) == 2
    assert "scores of tiny" in capsys.readouterr().err
    rows = [row for row in whole_run.rows if row["method"] != MLE]
    (tmp_path / "no.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert report([str(tmp_path / "no.jsonl")]) == 2
    assert "no rows of likelihood" in capsys.readouterr().err
    assert report([str(pairs)]) == 2
    assert "without set" in capsys.readouterr().err


def test_both_rankers_select_alike_and_none_of_the_test(whole_run: Run, pairs: Path, asking_qagen: Path) -> None:
    assert whole_run.printed.count(QualsScorer(str(asking_qagen)).signature) == 2, "it ranks and judges"
    assert whole_run.temperatures == {0.8}
    work = whole_run.work / "tiny"
    chosen = {ranker: load_from_disk(str(work / f"selected-{ranker}")) for ranker in ("rouge", "quals")}
    assert len(chosen["rouge"]) == len(chosen["quals"]) > 0
    shared = {*chosen["rouge"]["document"]} & {*chosen["quals"]["document"]}
    assert f"of {len(shared)} documents that both rankers selected" in whole_run.printed
    _, test = split(read_examples([pairs]), 4)
    assert not {example.document for example in test} & {*chosen["rouge"]["document"], *chosen["quals"]["document"]}
    varied = [load_from_disk(str(work / f"selected-quals-{variant}")) for variant in VARIANTS]
    assert [max(map(len, rows["candidate_labels"])) for rows in varied] == [1, 1, 2]
    assert varied[0]["labels"][:] == chosen["quals"]["labels"][:] != varied[1]["labels"][:]


def test_a_second_run_only_prints(
    whole_run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("benchmarks.paper.stages.ContrastiveSeq2SeqTrainer", None)
    monkeypatch.setattr("factcc.FactCCScorer.score", None)
    assert main([*whole_run.options, "--processes", "1"]) == 0
    assert capsys.readouterr().out == whole_run.printed


def test_a_folder_is_of_one_runs_settings_and_texts(
    whole_run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*whole_run.options, "--variant", "selection=all"]) == 2
    assert "selection=all" in capsys.readouterr().err
    fewer = tmp_path / "fewer.jsonl"
    fewer.write_text("".join(whole_run.articles.read_text().splitlines(keepends=True)[:8]))
    with_fewer = [option.replace(str(whole_run.articles), str(fewer)) for option in whole_run.options]
    for others in ([*whole_run.options, "--weight", "2"], with_fewer):
        assert main(others) == 2
        assert "other settings" in capsys.readouterr().err


def test_a_model_is_known_by_its_weights_not_by_its_name(
    whole_run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere = tmp_path / "elsewhere"
    copytree(whole_run.model, elsewhere)
    assert main([*whole_run.options, "--model", str(elsewhere), "--processes", "1"]) == 0
    assert capsys.readouterr().out == whole_run.printed
    tiny_model("bart", seed=5).save_pretrained(elsewhere)
    assert main([*whole_run.options, "--model", str(elsewhere)]) == 2
    assert "other settings" in capsys.readouterr().err


def test_a_summarizer_may_be_taken_as_it_is(tmp_path: Path) -> None:
    """Such as that of an earlier round; its own folder is left alone."""
    folder = save_tiny_qagen(tmp_path / "model")
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    settings = Settings(str(folder), tmp_path / "work", mle_epochs=0)
    nothing = Dataset.from_dict({})
    mle = fine_tuned(settings, "set", nothing, nothing, tiny_tokenizer())
    models = [load(place, settings.max_target).state_dict() for place in (folder, mle)]
    assert all(torch.equal(models[0][name], value) for name, value in models[1].items())
    assert mle == fine_tuned(settings, "set", nothing, nothing, tiny_tokenizer())
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    assert len(AutoTokenizer.from_pretrained(mle)) == len(tiny_tokenizer())


def test_what_was_chosen_is_judged_where_all_rankers_chose(tmp_path: Path) -> None:
    """The worst of several negatives; a document that one ranker left out is nowhere."""
    tokenizer = tiny_tokenizer()
    rows = {
        "rouge": [("b", "cat", ["dog", "mat"]), ("a", "cat", ["dog"])],
        "quals": [("c", "cat", ["dog"]), ("b", "red", ["blue"])],
    }
    for ranker, mined in rows.items():
        dataset = Dataset.from_list(
            [
                {
                    "document": document,
                    "labels": tokenizer(target)["input_ids"],
                    "candidate_labels": tokenizer(negatives)["input_ids"],
                }
                for document, target, negatives in mined
            ]
        )
        dataset.save_to_disk(str(tmp_path / ranker))
    examples = [Example(document, "reference") for document in "abc"]
    folders = {ranker: tmp_path / ranker for ranker in rows}
    found, texts = chosen_texts(folders, examples, 2, tokenizer)
    assert found == [examples[1]]
    assert texts == {"rouge": (["cat"], ["mat"]), "quals": (["red"], ["blue"])}
    scores = {"m": np.array([3.0, 5.0])}, {"m": np.array([1.0, 3.0])}
    row = chosen_table({"m": np.array([4.0, 6.0])}, {"quals": scores}, {"m": "A measure"}).splitlines()[2]
    assert row == "| A measure | 5.000 | 4.000 | 2.000 | +2.000 [+2.000, +2.000] | -1.000 [-1.000, -1.000] |"


def test_mistakes_are_one_line(pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    work = ["--work", str(tmp_path / "w"), "--judges"]
    assert main(["--set", "nofile", *work]) == 2
    assert "NAME=FILE" in capsys.readouterr().err
    assert main(["--set", f"a={tmp_path / 'none.jsonl'}", *work]) == 2
    assert "none.jsonl" in capsys.readouterr().err
    for option in ("--leads", "--test", "--validation"):
        assert main(["--set", f"a={pairs}", *work, option, f"b={pairs}"]) == 2
        assert f"{option} names b" in capsys.readouterr().err
    assert main(["--set", f"a={pairs}", *work, "--leads", f"a={pairs}"]) == 2
    assert "no articles" in capsys.readouterr().err
    for option in ("--set", "--leads", "--further-test"):
        twice = ["--set", f"a={pairs}", *work, option, f"a={pairs}", option, f"a={pairs}"]
        assert main(twice) == 2
        assert f"{option} names a twice" in capsys.readouterr().err
    assert main(["--set", f"a={pairs}", *work, "--seeds", "1", "1"]) == 2
    assert "--seeds names a seed twice" in capsys.readouterr().err
    assert main(["--set", f"a={pairs}", *work, "--test-documents", "30"]) == 2
    assert "too few to keep 30 apart" in capsys.readouterr().err
    work = ["--test-documents", "4", "--validation-documents", "4", *work]
    assert main(["--set", f"a={pairs}", *work, "--qags-documents", "0"]) == 2
    assert "--qags-documents" in capsys.readouterr().err
    assert not (tmp_path / "w").exists(), "a typo does not take the folder"
