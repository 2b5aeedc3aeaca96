"""The question generator: beams as one by one, likelihoods as by teacher forcing, templates, refusals."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from qags.questioner import load_questioner
from support.readers import CONTENT, save_reader, tiny_reader
from support.tiny import tiny_model, tiny_tokenizer

TEMPLATE = "what {answer} in {passage}"


def texts(count: int, seed: int = 0) -> tuple[list[str], list[str]]:
    rng = random.Random(seed)
    passages = [[rng.choice(CONTENT) for _ in range(rng.randrange(2, 9))] for _ in range(count)]
    answers = [" ".join(passage[: rng.randrange(1, 3)]) for passage in passages]
    return [" ".join(passage) for passage in passages], answers


def test_it_asks_for_the_answer(questioner: Path) -> None:
    (questions,) = load_questioner(str(questioner)).ask(["the cat saw paris"], ["paris"], beams=4)
    assert questions[0].text == "who did paris ?"
    assert len(questions) == 4
    likelihoods = [question.log_likelihood for question in questions]
    assert likelihoods == sorted(likelihoods, reverse=True)


@pytest.mark.parametrize("template", [None, TEMPLATE])
def test_questions_do_not_depend_on_the_batch(questioner: Path, template: str | None) -> None:
    loaded = load_questioner(str(questioner))
    if template is not None:
        loaded = replace(loaded, separator_id=None, template=template)
    passages, answers = texts(12)
    wanted = [loaded.ask([p], [a], beams=3)[0] for p, a in zip(passages, answers, strict=True)]
    for budget in (1, 200, 4096):
        found = loaded.ask(passages, answers, beams=3, batch_tokens=budget)
        for one, other in zip(found, wanted, strict=True):
            assert [question.text for question in one] == [question.text for question in other]
            assert [q.log_likelihood for q in one] == pytest.approx([q.log_likelihood for q in other], abs=1e-4)


def test_the_likelihood_is_that_of_teacher_forcing(questioner: Path) -> None:
    loaded = load_questioner(str(questioner))
    passage, answer = "the cat saw paris", "paris"
    (questions,) = loaded.ask([passage], [answer], beams=2)
    tokenizer = loaded.tokenizer
    prefix = tokenizer(f"{answer} <sep>", add_special_tokens=False)["input_ids"]
    question = tokenizer(f"{questions[0].text} </s>", add_special_tokens=False)["input_ids"]
    labels = torch.tensor([[*prefix, *question]])  # (1, T)
    with torch.no_grad():
        logits = loaded.model(**tokenizer(passage, return_tensors="pt"), labels=labels).logits
    log_probs = logits.log_softmax(-1).gather(2, labels[..., None])[0, len(prefix) :, 0]
    assert questions[0].log_likelihood == pytest.approx(float(log_probs.mean()), abs=1e-4)


def test_text_is_never_a_special_token(questioner: Path) -> None:
    loaded = load_questioner(str(questioner))
    _, prefixes = loaded.inputs(["the cat <sep> </s>"], ["cat <sep>"])
    assert prefixes[0].count(loaded.separator_id) == 1


def test_long_passages_are_cut_and_that_is_said(questioner: Path) -> None:
    loaded = load_questioner(str(questioner))
    long = "the cat saw paris " * 40
    assert loaded.truncated([long, "the cat"]) == [True, False]
    assert len(loaded.ask([long], ["paris"], beams=2)[0]) == 2
    assert loaded.ask([], []) == []


def test_what_is_no_questioner_is_refused(tiny_qagen: Path, questioner: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no question_template was given"):
        load_questioner(str(tiny_qagen))
    assert load_questioner(str(tiny_qagen), TEMPLATE).separator_id is None
    with pytest.raises(ValueError, match="leave question_template out"):
        load_questioner(str(questioner), TEMPLATE)
    with pytest.raises(ValueError, match="must have"):
        load_questioner(str(tiny_qagen), "what {answer}")
    with pytest.raises(ValueError, match="is an encoder-decoder"):
        load_questioner(str(save_reader(tmp_path / "reader", tiny_reader())))
    with pytest.raises(ValueError, match="nowhere"):
        load_questioner(str(tmp_path / "nowhere"))
    model = tiny_model("bart")
    model.config.questioner_separator = "<other>"
    model.save_pretrained(tmp_path / "other")
    tiny_tokenizer().save_pretrained(tmp_path / "other")
    with pytest.raises(ValueError, match="not one token"):
        load_questioner(str(tmp_path / "other"))
