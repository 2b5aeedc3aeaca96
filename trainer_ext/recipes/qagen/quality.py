"""Measure a QAGen: how likely it finds real pairs, how well it answers, how many of its own pairs are usable."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from factcc.sentences import sentence_spans
from qags.answers import token_f1
from quals import QualsScorer
from quals.batching import encode_texts, token_budget_batches
from quals.pairs import fold
from tqdm.auto import tqdm
from transformers import GenerationConfig

from trainer_ext.recipes.qa_data import Passage
from trainer_ext.recipes.qagen.batches import LONGEST_TARGET, encode_targets


@dataclass(frozen=True)
class QAGenQuality:
    """Figures of a QAGen on question-answer data that it was not trained on.

    Attributes:
        negative_log_likelihood: nats per target token, over every pair of up to 96 tokens with its first answer; 0 or
            more, lower is better.
        pairs: number of these pairs.
        answer_f1: SQuAD's token F1, 0 to 1, of the answer that is generated greedily behind a given question.
        answered: number of these questions.
        surviving_share: share of the pairs generated from single sentences that their sentence backs, 0 to 1.
        distinct_answers: different answers per sentence among its surviving pairs.
        sentences: number of these sentences.
        surviving_share_of_passages, distinct_answers_of_passages, passages: the same for whole passages.
    """

    negative_log_likelihood: float
    pairs: int
    answer_f1: float
    answered: int
    surviving_share: float
    distinct_answers: float
    sentences: int
    surviving_share_of_passages: float
    distinct_answers_of_passages: float
    passages: int


def measure_quality(
    checkpoint: str, passages: Sequence[Passage], answered: int = 500, sentences: int = 100, seed: int = 0
) -> QAGenQuality:
    """Measure a QAGen.

    Args:
        checkpoint: folder or Hub name of a QAGen.
        passages: question-answer data that it was not trained on.
        answered: most questions to answer.
        sentences: most sentences, and most passages, to generate pairs from.
        seed: draws questions, sentences and passages.
    """
    scorer = QualsScorer(checkpoint)
    short = _with_short_pairs(scorer, passages)
    nll, pairs = _negative_log_likelihood(scorer, short)
    rng = random.Random(seed)
    questions = [(p.text, pair.question, pair.answers) for p in short for pair in p.pairs]
    questions = rng.sample(questions, min(answered, len(questions)))
    spans = zip(passages, sentence_spans(p.text for p in passages), strict=True)
    long = [p.text[a:b] for p, places in spans for a, b in places if b - a >= 40]
    texts = rng.sample(long, min(sentences, len(long)))
    wholes = [p.text for p in rng.sample(list(passages), min(sentences, len(passages)))]
    of_sentences, of_passages = _generated(scorer, texts), _generated(scorer, wholes)
    return QAGenQuality(
        negative_log_likelihood=nll,
        pairs=pairs,
        answer_f1=_answer_f1(scorer, questions),
        answered=len(questions),
        surviving_share=of_sentences[0],
        distinct_answers=of_sentences[1],
        sentences=len(texts),
        surviving_share_of_passages=of_passages[0],
        distinct_answers_of_passages=of_passages[1],
        passages=len(wholes),
    )


def _with_short_pairs(scorer: QualsScorer, passages: Sequence[Passage]) -> list[Passage]:
    """The passages without pairs that are too long to be trained on: the decoder may not even have room for them."""
    kept = []
    for passage in passages:
        pairs = [(pair.question, pair.answers[0]) for pair in passage.pairs]
        targets = encode_targets(scorer.qagen.tokenizer, scorer.qagen.separator_id, pairs)
        short = [pair for pair, ids in zip(passage.pairs, targets, strict=True) if len(ids) <= LONGEST_TARGET]
        if short:
            kept.append(replace(passage, pairs=tuple(short)))
    return kept


def _generated(scorer: QualsScorer, texts: Sequence[str]) -> tuple[float, float]:
    """Share of the pairs generated from the texts that survive, and distinct answers per text among these."""
    surviving = scorer.generate_pairs(texts)
    share = sum(map(len, surviving)) / max(1, len(texts) * scorer.decoding.num_groups)
    return share, sum(len({_folded(pair.answer) for pair in pairs}) for pairs in surviving) / max(1, len(texts))


def _negative_log_likelihood(scorer: QualsScorer, passages: Sequence[Passage]) -> tuple[float, int]:
    total, tokens, pairs = 0.0, 0, 0
    qagen = scorer.qagen
    texts = scorer.tokenize([passage.text for passage in passages])
    targets = [
        encode_targets(qagen.tokenizer, qagen.separator_id, [(pair.question, pair.answers[0]) for pair in p.pairs])
        for p in passages
    ]
    widths = [max(map(len, row)) for row in targets]
    batches = token_budget_batches(
        list(map(len, texts)), scorer.batch_tokens, rows=list(map(len, targets)), widths=widths
    )
    for batch in tqdm(list(batches), desc="likelihood"):
        rows = [(place, target) for place, index in enumerate(batch) for target in targets[index]]
        scores = scorer.teacher_forced([texts[index] for index in batch], rows)
        total -= sum(map(sum, scores))
        tokens += sum(map(len, scores))
        pairs += len(scores)
    return total / tokens, pairs


def _answer_f1(scorer: QualsScorer, questions: Sequence[tuple[str, str, tuple[str, ...]]]) -> float:
    qagen = scorer.qagen
    prefixes = [
        [qagen.model.config.decoder_start_token_id, *target[: target.index(qagen.separator_id) + 1]]
        for _, question, _ in questions
        for target in encode_targets(qagen.tokenizer, qagen.separator_id, [(question, "")])
    ]
    texts = scorer.tokenize([text for text, _, _ in questions])
    by_length: dict[int, list[int]] = defaultdict(list)  # prefixes of one length need no padding
    for index, prefix in enumerate(prefixes):
        by_length[len(prefix)].append(index)
    batches = [same[i : i + 16] for same in by_length.values() for i in range(0, len(same), 16)]
    config = qagen.model.config
    # generate() takes what it is not told from the model's own settings, and a base summarizer's ask for long texts.
    qagen.model.generation_config = GenerationConfig()
    plain = GenerationConfig(
        max_new_tokens=30,
        do_sample=False,
        eos_token_id=config.eos_token_id,
        pad_token_id=config.pad_token_id,
        decoder_start_token_id=config.decoder_start_token_id,
    )
    total = 0.0
    for batch in tqdm(batches, desc="answers"):
        ids, mask = encode_texts([texts[index] for index in batch], qagen.model.config.pad_token_id, scorer.device)
        with torch.inference_mode():
            output = qagen.model.generate(  # type: ignore[operator]
                input_ids=ids,
                attention_mask=mask,
                decoder_input_ids=torch.tensor([prefixes[index] for index in batch], device=scorer.device),
                generation_config=plain,
            )  # (rows, prefix + answer)
        for index, sequence in zip(batch, output.tolist(), strict=True):
            answer = str(qagen.tokenizer.decode(sequence[len(prefixes[index]) :], skip_special_tokens=True))
            total += max(token_f1(answer, gold) for gold in questions[index][2])
    return total / max(1, len(questions))


def _folded(text: str) -> tuple[str, ...]:
    return tuple(word.folded for word in fold(text))
