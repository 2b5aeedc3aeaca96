"""Swapped, empty and foreign texts are warned of, each once, and right ones are not."""

from __future__ import annotations

import doctest
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import quals.doubts
from factcc import FactCCScorer
from quals import DoubtfulTextWarning, QualsScorer
from quals.doubts import are_unknown
from quals.quals import Quals
from quals.source_scorer import SourceScorer
from support.classifiers import save_classifier
from support.learned import texts
from tokenizers import ByteLevelBPETokenizer
from transformers import AutoTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

KNOWN = {
    "English": "Anthony Joshua says that Wladimir Klitschko has a chink in his armour before the fight on 29 April.",
    "names": "Reykjavík's mayor Dagur Bergþóruson Eggertsson met Recep Tayyip Erdoğan and Nguyễn Phú Trọng in Łódź.",
    "emoji": "omg they really won 😂😂😂😂😂😂😂😂 so excited!!!!!!!! 🎉🎉🎉 see you at 7pm 👍👍👍 https://t.co/x1y2",
    "a Chinese name": "President Xi Jinping (习近平) arrived in Belgrade on Tuesday and met the president there.",
    "German": "Die Staatsanwaltschaft hat das Verfahren gegen eine Blumenhändlerin eingestellt, sagte ihr Anwalt.",
    "short": "Прокуратура прекратила дело",
}
UNKNOWN = {
    "Russian": "Прокуратура прекратила дело против продавщицы цветов, которую сняли на видео с фальшивой купюрой.",  # noqa: RUF001
    "Greek": "Η εισαγγελία έκλεισε την υπόθεση κατά της ανθοπώλισσας που είχε κινηματογραφηθεί με χαρτονόμισμα.",  # noqa: RUF001
    "Arabic": "أغلقت النيابة العامة القضية المرفوعة ضد بائعة الزهور التي صورت وهي تحمل ورقة نقدية مزورة.",
    "Hindi": "अभियोजन पक्ष ने फूल बेचने वाली महिला के खिलाफ मामला बंद कर दिया जिसे नकली नोट के साथ फिल्माया गया था।",
    "Thai": "อัยการได้ยกฟ้องคดีต่อคนขายดอกไม้ที่ถูกถ่ายวิดีโอพร้อมธนบัตรปลอม",
    "Chinese": "检察院撤销了对一名花商的指控，她曾被拍到手持一张假钞。律师称搜查是荒谬的。",  # noqa: RUF001
    "Korean": "검찰은 위조 지폐를 들고 있는 모습이 촬영된 꽃 판매상에 대한 사건을 기각했다.",
}


@contextmanager
def nothing_said() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def of_bytes() -> PreTrainedTokenizerBase:
    """A tokenizer as BART's, which knows no unknown token."""
    trained = ByteLevelBPETokenizer()
    english = [text for name, text in KNOWN.items() if name != "short"]
    trained.train_from_iterator(english, 900, min_frequency=1, show_progress=False)
    return PreTrainedTokenizerFast(tokenizer_object=trained._tokenizer)


def test_examples_run() -> None:
    result = doctest.testmod(quals.doubts)
    assert result.failed == 0
    assert result.attempted > 0


@pytest.mark.parametrize("kind", ["words", "bytes"])
def test_a_language_is_unknown_by_its_tokens(kind: str, embedded: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(embedded) if kind == "words" else of_bytes()
    known, unknown = (
        dict(zip(named, are_unknown(tokenizer, [*named.values()]), strict=True)) for named in (KNOWN, UNKNOWN)
    )
    assert [name for name, is_unknown in known.items() if is_unknown] == []
    assert [name for name, is_unknown in unknown.items() if not is_unknown] == []
    assert are_unknown(tokenizer, []) == []


def test_a_tokenizer_of_chinese_knows_chinese(tmp_path: Path) -> None:
    """One token per sign is right for Chinese."""
    text = UNKNOWN["Chinese"]
    (tmp_path / "vocab.txt").write_text("\n".join(["[UNK]", "[CLS]", "[SEP]", "[PAD]", *sorted(set(text))]))
    tokenizer = AutoTokenizer.from_pretrained(tmp_path, tokenizer_type="bert")
    assert are_unknown(tokenizer, [text, UNKNOWN["Korean"]]) == [False, True]


Score = Callable[[list[str], list[str]], Any]


@pytest.fixture(params=["QUALS", "FactCC", "the metric"])
def score(request: pytest.FixtureRequest, learned: Path, tmp_path: Path) -> Score:
    """A scorer's method, or the metric's."""
    if request.param == "the metric":
        metric = Quals(str(learned), cache_dir=str(tmp_path))
        options = {"num_groups": 4, "max_tokens": 8, "device": "cpu"}
        return lambda sources, summaries: metric.compute(sources=sources, predictions=summaries, **options)
    if request.param == "FactCC":
        return FactCCScorer(str(save_classifier(tmp_path / "classifier"))).score
    return QualsScorer(str(learned), num_groups=4, max_tokens=8, device="cpu").score


SOURCE, SUMMARY = "the king lost the red city paris . the cat was in the river .", "the king lost paris ."


@pytest.mark.parametrize(
    ("sources", "summaries", "message"),
    [
        ([SUMMARY] * 3, [SOURCE] * 3, "summaries are longer than their sources. Are they swapped?"),
        ([SOURCE, " \n", SOURCE, "..."], [SUMMARY] * 4, "a source has no words"),
        ([UNKNOWN["Russian"]] * 2, ["the king"] * 2, "tokenizer hardly knows the language"),
        ([SOURCE * 9] * 2, [UNKNOWN["Thai"]] * 2, "tokenizer hardly knows the language"),
    ],
)
def test_each_doubt_is_told_once(sources: list[str], summaries: list[str], message: str, score: Score) -> None:
    with pytest.warns(DoubtfulTextWarning) as heard:
        score(sources, summaries)
    assert [message in str(warning.message) for warning in heard] == [True]


def test_a_right_call_warns_of_nothing(score: Score) -> None:
    with nothing_said():
        score([SOURCE, SUMMARY, SOURCE], [SUMMARY, SUMMARY, ""])


def test_a_scorer_warns_of_each_once_and_of_others_still(scorer: QualsScorer) -> None:
    own = QualsScorer(scorer.qagen, num_groups=4, max_tokens=8, chunk=1)
    with pytest.warns(DoubtfulTextWarning, match="swapped"):
        own.score([SUMMARY] * 3, [SOURCE] * 3)
    with nothing_said():
        own.score([SUMMARY], [SOURCE])
    with pytest.warns(DoubtfulTextWarning, match="no words"):
        own.score([""], [SOURCE])
    with pytest.warns(DoubtfulTextWarning, match="swapped"):  # another scorer
        QualsScorer(scorer.qagen, num_groups=4, max_tokens=8).score([SUMMARY], [SOURCE])


def test_one_long_summary_among_others_is_no_swap() -> None:
    class Lengths(SourceScorer[int]):
        NAME, VERSION = "Lengths", "1"

        def _score_chunk(self, rows: list[tuple[str, str]], advance: Any) -> list[int]:
            return [len(summary) for _, summary in rows]

    sources, summaries = texts(20)
    with nothing_said():
        assert len(Lengths(chunk=4).score([*sources, "short"], [*summaries, "a little longer"])) == 21
