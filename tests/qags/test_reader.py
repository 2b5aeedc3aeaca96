"""The reader: best spans against brute force, windows, nothing found, whatever the batch."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch
from qags.reader import Reader, best_spans, load_reader
from support.readers import CONTENT, pair_tokenizer, save_reader, tiny_reader
from support.tiny import save_left


@pytest.fixture(scope="module")
def any_reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    """A random one, which answers something."""
    return load_reader(str(save_reader(tmp_path_factory.mktemp("random"), tiny_reader(seed=3))))


def test_best_spans_are_those_of_a_search_through_all() -> None:
    generator = torch.Generator().manual_seed(0)
    for _ in range(30):
        length = int(torch.randint(1, 14, (1,), generator=generator))
        starts, ends = torch.randn(2, 3, length, generator=generator)
        allowed = torch.rand(3, length, generator=generator) < 0.7
        for row, (score, first, last) in enumerate(best_spans(starts, ends, allowed, longest=4)):
            spans = [
                (float(starts[row, a] + ends[row, b]), a, b)
                for a in range(length)
                for b in range(a, min(a + 4, length))
                if allowed[row, a] and allowed[row, b]
            ]
            if not spans:
                assert (first, last) == (-1, -1)
            else:
                assert (first, last) == max(spans)[1:]
                assert score == pytest.approx(max(spans)[0])


def plain(reader: Reader, question: str, text: str) -> str:
    """One question about one short text, the straightforward way."""
    encoded = reader.tokenizer(question, text, return_tensors="pt", return_offsets_mapping=True)
    offsets, kinds = encoded.pop("offset_mapping")[0].tolist(), encoded.sequence_ids(0)
    with torch.no_grad():
        output = reader.model(**encoded)
    starts, ends = output.start_logits[0], output.end_logits[0]
    spans = [
        (float(starts[a] + ends[b]), a, b)
        for a in range(len(kinds))
        for b in range(a, len(kinds))
        if kinds[a] == kinds[b] == 1
    ]
    score, first, last = max(spans)
    return text[offsets[first][0] : offsets[last][1]] if score > float(starts[0] + ends[0]) else ""


def test_answers_are_those_of_one_by_one(any_reader: Reader) -> None:
    rng = random.Random(0)
    texts = [" ".join(rng.choice(CONTENT) for _ in range(rng.randrange(2, 20))) for _ in range(40)]
    questions = [f"Who did {rng.choice(CONTENT)}?" for _ in texts]
    wanted = [plain(any_reader, question, text) for question, text in zip(questions, texts, strict=True)]
    assert sum(map(bool, wanted)) > 5, "the random reader answers some"
    for budget in (1, 100, 4096):
        assert [one.answer for one in any_reader.read(questions, texts, batch_tokens=budget)] == wanted
    assert [one.answer for one in any_reader.read(questions[::-1], texts[::-1])] == wanted[::-1]


def test_what_is_tokenized_together_does_not_matter(any_reader: Reader) -> None:
    texts = [" ".join(CONTENT[place : place + 8]) for place in range(6)]
    questions = [f"Who did {CONTENT[place]}?" for place in range(6)]
    wanted = any_reader.read(questions, texts)
    sizes: list[int] = []  # rows of each pass of the model
    hook = any_reader.model.register_forward_pre_hook(
        lambda module, arguments, inputs: sizes.append(len(inputs["input_ids"])), with_kwargs=True
    )
    found = any_reader.read(questions, texts, slice_characters=100)
    hook.remove()
    assert [(one.answer, one.windows) for one in found] == [(one.answer, one.windows) for one in wanted]
    assert sum(sizes) == 6
    assert len(sizes) > 2


def test_the_padding_of_its_tokenizer_is_of_no_account(any_reader: Reader, tmp_path: Path) -> None:
    folder = save_reader(tmp_path / "left", tiny_reader(seed=3))
    save_left(pair_tokenizer(), folder)
    texts = [" ".join(CONTENT[:size]) for size in (3, 9, 17)]
    questions = [f"Who did {CONTENT[0]}?"] * 3
    assert load_reader(str(folder)).read(questions, texts) == any_reader.read(questions, texts)


def test_the_trained_one_finds_what_is_there_and_nothing_else(reader: Path) -> None:
    loaded = load_reader(str(reader))
    found, none = loaded.read(["who did king ?", "who did queen ?"], ["the cat saw King paris"] * 2)
    assert found.answer == "King"  # the text's own spelling
    assert found.margin > 0
    assert none.answer == ""
    assert none.margin <= 0


def test_long_texts_are_read_in_windows_or_cut(reader: Path) -> None:
    loaded = load_reader(str(reader))
    long = "cat dog mat river " * 30 + "king"
    (windows,) = loaded.read(["who did king ?"], [long])
    (cut,) = loaded.read(["who did king ?"], [long], long_texts="truncate")
    assert windows.windows > 2
    assert not windows.truncated
    assert (cut.windows, cut.truncated) == (1, True)
    (beginning,) = loaded.read(["who did king ?"], ["king " + long], long_texts="truncate")
    assert (beginning.windows, beginning.truncated) == (1, True)


@pytest.mark.parametrize("text", ["", " ", "🥊" * 100, "\u202e\u05d0", "x" * 20_000, "</s> king"])
def test_strange_texts_are_texts(any_reader: Reader, text: str) -> None:
    (one,) = any_reader.read([text or "?"], [text])
    assert one.answer in text
    assert any_reader.read([], []) == []


def test_a_question_that_is_too_long_leaves_room_for_the_text(reader: Path) -> None:
    (one,) = load_reader(str(reader)).read(["who did king " * 50], ["the king saw paris"])
    assert one.windows == 1


def test_what_is_no_reader_is_refused(tiny_qagen: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nowhere"):
        load_reader(str(tmp_path / "nowhere"))
    with pytest.raises(ValueError, match="is not a reader"):
        load_reader(str(tiny_qagen))
    (tmp_path / "headless").mkdir()
    tiny_reader().bert.save_pretrained(tmp_path / "headless")
    pair_tokenizer().save_pretrained(tmp_path / "headless")
    with pytest.raises(ValueError, match="lack"):
        load_reader(str(tmp_path / "headless"))
