# ruff: noqa: RUF001
"""ROUGE: English as rouge-score has it, and other scripts by their own words."""

from __future__ import annotations

import random

import pytest
from rouge_score.rouge_scorer import RougeScorer
from support.tiny import WORDS

from trainer_ext.evaluation import rouge
from trainer_ext.rouge import rouge_scorer

KINDS = ("rouge1", "rouge2", "rougeL")
ENGLISH = [
    "The cats’ café re-opened — at 5.30 p.m., “naïvely” said Ms. O’Neill; running runners ran.",
    "It isn't the U.S. Dollar's 1,000th fall… ½ of ﬁve “experts” (αβγ aside) didn’t agree.",
    "A state-of-the-art résumé, café and naïve façade: coöperation in 2019/20.",
]


@pytest.mark.parametrize("stem", [True, False])
def test_latin_text_scores_as_in_rouge_score_to_the_last_digit(stem: bool) -> None:
    ours, theirs = rouge_scorer(*KINDS, stem=stem), RougeScorer(list(KINDS), use_stemmer=stem)
    rng = random.Random(0)
    texts = [text.replace("αβγ ", "") for text in ENGLISH]
    texts += [" ".join(rng.choices([*WORDS, "café", "don’t", "Straße", "Łódź", "cafe\u0301"], k=20)) for _ in range(40)]
    for reference in texts:
        for summary in texts[::3]:
            assert ours.score(reference, summary) == theirs.score(reference, summary)


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("Кошка спит на ковре.", "Собака лает у двери!"),
        ("Η γάτα κοιμάται στο χαλί.", "Ο σκύλος γαβγίζει έξω."),
        ("القطة تنام على السجادة", "الكلب ينبح عند الباب"),
        ("החתול ישן על השטיח", "הכלב נובח ליד הדלת"),
        ("बिल्ली चटाई पर सोती है", "कुत्ता दरवाज़े पे भौंका"),
        ("猫在垫子上睡觉。", "狗朝门口叫!"),
        ("ネコはマットで寝ている", "犬がドアに吠えた"),
        ("고양이가 매트에서 잔다", "개는 문을 보고 짖었다"),
        ("แมวนอนบนเสื่อ", "หมูไปดู"),
        ("ꦏꦸꦕꦶꦁ ꦠꦸꦫꦸ", "ꦱꦺꦒꦮꦺꦴꦤ꧀"),
    ],
)
def test_every_script_has_words(text: str, other: str) -> None:
    same, different = rouge([text], [text]), rouge([other], [text])
    assert same["rouge1"] == same["rougeL"] == 1.0
    assert different["rouge1"] < 0.5


def test_shared_words_and_signs_are_counted() -> None:
    scorer = rouge_scorer("rouge1", "rouge2", stem=True)
    assert scorer.score("Кошка спит", "кошка ест")["rouge1"].fmeasure == 0.5
    assert scorer.score("猫在睡觉", "猫在吃饭")["rouge1"].fmeasure == 0.5
    assert scorer.score("猫在睡觉", "猫在吃饭")["rouge2"].fmeasure == pytest.approx(1 / 3)
    mixed = scorer.score("Putin (Путин) sleeps 睡觉", "Путин sleeping 睡")["rouge1"]
    assert mixed.recall == pytest.approx(3 / 5)
