"""Where FactCC's claims begin and end: what is not a sentence is joined, what is one stands alone."""

from __future__ import annotations

import time

import pytest
from factcc.sentences import sentence_spans

# A stroke stands where a sentence ends.
CASES = [
    # titles and ranks
    "Mr. Smith met Dr. Jones. | They talked.",
    "Capt. Miller led the boat. | Lt. Col. Adams followed.",
    "Gen. Lee and Sgt. Maj. Cole met Gov. Reed.",
    "Sen. Warren and Rep. Jordan voted against it. | So did Prof. Hall.",
    "The Rev. Jesse Jackson spoke. | St. Louis listened.",
    "Maj. Gen. Cole and Col. Roy left. | Cmdr. Fox stayed.",
    "Mrs. Hill and Ms. Gray agreed. | Messrs. Clay and Ward did not.",
    "Martin Luther King Jr. Day is on Monday.",
    "It was won by Robert Downey Jr. | The crowd cheered.",
    # months, days
    "It opens on Jan. 5 and closes on Sept. 30. | Admission is free.",
    "He was born on Oct. 3, 1980. | His son was born on Feb. 2.",
    "She left on Mon. morning and came back on Fri. | Nobody asked.",
    # numbers
    "The No. 1 seed lost. | The No. 2 seed won.",
    "The No. 4 seed beat Nos. 5 and 6.",
    "Did he agree? | He said no. | Then he left.",
    "They asked him. | The answer was no.",
    "It rose 3.5 percent to $4.5 million. | It had fallen by .5 percent.",
    "It was 1.5. | The other was 2.",
    "He turned 40. | She is 38.",
    "See fig. 3 and vol. 2, pp. 4-5. | It is in sec. 7.",
    # companies
    "Apple Inc. sued Samsung Electronics Co. Ltd. | The judge threw the case out.",
    "Apple Inc. Chief Executive Tim Cook resigned.",
    "It was bought by Acme Corp. | The price was not told.",
    "Jones & Co. makes shoes.",
    "Smith vs. Jones and Roe v. Wade were heard.",
    # countries, initials
    "The U.S. economy grew. | It is strong.",
    "He lives in the U.S. | She lives in the U.K. | They meet in Paris.",
    "The U.S. Senate voted. | The U.N. Security Council met.",
    "He moved to Washington, D.C. | His wife stayed.",
    "it was written by boyd and james w. pennebaker . | gov. brown and st. paul agree .",
    "J. K. Rowling and J.R.R. Tolkien wrote books. | So did George R. R. Martin.",
    "John F. Kennedy was president. | Harry S. Truman was too.",
    "Vitamin C is good. | So is plan B. | Nobody knows why.",
    "She took vitamin C. | It helped.",
    # times
    "The crash happened at 7 p.m. | Two people died.",
    "It starts at 9 a.m. and ends at 5 p.m. on Friday.",
    "It starts at 9 a.m. Monday. | It is free.",
    "It starts at 8 p.m. ET on Sunday.",
    "He left at 3 P.M. | The train was late.",
    "He died in 44 B.C. | His heir took over.",
    # other abbreviations
    "Fruit, e.g. apples, i.e. sweet ones, etc. are sold.",
    "They sell apples, pears, etc. | The shop is open.",
    "Kim et al. found it. | Others did not.",
    "He works on Wall St. in New York. | She lives on 5th Ave. near him.",
    "He lives at 10 Downing St. | The house is white.",
    "Mt. Everest and Ft. Worth are far from St. Petersburg.",
    "She holds a Ph.D. from Yale. | He has a B.A. in art.",
    "The team drove 30 mi. in approx. 2 hrs. on Sunday.",
    # quotes, brackets
    'He said, "Stop it." | Then he left.',
    '"Why?" he asked. | "Because."',
    "\u201cWhy?\u201d she asked. | \u201cI do not know.\u201d",
    '"It is over!" the coach shouted. | He was wrong.',
    "He left (at last!). | She stayed.",
    "He left. | (She stayed.) | They met again.",
    "The band Wham! was big. | So was Yahoo! in its day.",
    "'Is it?' | He did not know.",
    # ellipses
    "He waited ... and waited.",
    "He waited... | Then he left.",
    '"I ... I do not know," she said.',
    "Well\u2026 maybe. | He was not sure.",
    "Really?! | Yes!!! | He came.",
    # headlines, chat, no stops
    "Markets fall as oil rises",
    "markets fall . | oil rises .",
    "the man , 35 , died at the scene . | his wife survived .",
    "hi anna how are you",
    "Anna is late. | she will come at 8. | tom waits for her",
    "anna is late. | tom waits",
    "They lost 3-0.|The coach was fired.",
    "Title|\n\nThe first sentence. | The second",
    "First line without a stop|\nSecond line without a stop",
    "first line , no stop|\nsecond line",
    "This is a long line of\nwrapped text. | It is\none.",
    "- The first point|\n- The second point.",
    "1. Buy milk. | 2. Buy bread.",
    "Visit bbc.co.uk or mail a.b@c.com. | It is www.x.org.",
    "The app Node.js 3.2.1 works. | Version 4. | It ends.",
    "Is it true? | Yes. | No! | Who knows",
    "Manchester United vs. Arsenal ended 1-1. | Rooney scored.",
    'He said: "I am tired." and left.',
    "Is this it? asked the man.",
    "Police say the man, 25, of St. Paul, Minn. was arrested. | He denies it.",
    "He was born in Los Angeles, Calif. | His mother is from Fla. and Tex.",
    "It ended.) | It began.",
]


def split(text: str) -> list[str]:
    (spans,) = sentence_spans([text])
    return [text[start:end] for start, end in spans]


@pytest.mark.parametrize("case", CASES)
def test_a_claim_is_a_sentence(case: str) -> None:
    text = case.replace("|", "").replace("  ", " ")
    assert split(text) == [sentence.strip() for sentence in case.split("|")]


@pytest.mark.parametrize("case", [case for case in CASES if case.replace("|", "").isascii()])
def test_curly_quotes_split_as_straight_ones(case: str) -> None:
    text = case.replace("|", "").replace("  ", " ")
    curly = text.replace('"', "\u201d").replace("'", "\u2019")
    assert [len(sentence) for sentence in split(curly)] == [len(sentence) for sentence in split(text)]


def test_what_has_no_letter_is_not_a_sentence() -> None:
    assert sentence_spans(["", "?!", " \n\n ", "... \u2026", "."]) == [[]] * 5
    text = "  Mr. Smith paid $4.5 million.  It was late!\n\n... \u201cWhy?\u201d he asked. No end"
    assert split(text) == [
        "Mr. Smith paid $4.5 million.",
        "It was late!",
        "\u201cWhy?\u201d he asked.",
        "No end",
    ]


@pytest.mark.parametrize("piece", [".", ". ", "a. ", "A.", "\n", "(", "\u2026 ", "\u3002", "a", "No. "])
def test_time_grows_with_length_alone(piece: str) -> None:
    began = time.process_time()
    sentence_spans([piece * 200_000])
    assert time.process_time() - began < 20
