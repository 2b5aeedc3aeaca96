"""QAGS built as its authors did: one stage after another, each with the library's ordinary calls.

A call of ``generate`` for each answer; a question-answering loop over features padded to the model's length, in small
batches, with the n-best search of the SQuAD scripts. What comes out is what :class:`qags.QAGSScorer` computes.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import torch
from qags import QAGSScorer
from qags.answers import answer_spans
from qags.overlap import squad_words, token_f1
from qags.questioner import LONGEST_QUESTION, Question

from benchmarks.speed.ways import Texts

_BATCH = 8  # features in a pass of the reader, as the SQuAD scripts have it
_NBEST = 20  # starts and ends that are looked at
_LONGEST = 30  # tokens of an answer
_OVERLAP = 128  # tokens that neighbouring windows share


class StagedQags:
    """Borrows a scorer's models and settings; each stage is done for all summaries before the next one begins."""

    def __init__(self, scorer: QAGSScorer) -> None:
        self.scorer = scorer

    @torch.inference_mode()
    def score(self, texts: Texts) -> list[float]:
        """QAGS of each (source, summary), NaN where no question survives."""
        summaries = [summary for _, summary in texts]
        spans = answer_spans(summaries, self.scorer.pipeline, self.scorer.max_answers)
        wanted = [(n, summaries[n][start:end]) for n, mine in enumerate(spans) for start, end in mine]
        asked = [(n, answer, question) for n, answer in wanted for question in self._questions(summaries[n], answer)]
        expected = self._answers([(question.text, summaries[n]) for n, _, question in asked])
        kept: list[list[tuple[Question, str]]] = [[] for _ in texts]
        for (n, answer, question), found in zip(asked, expected, strict=True):
            if found and squad_words(found) == squad_words(answer):
                kept[n].append((question, found))
        kept = [self.scorer.likeliest(mine) for mine in kept]
        rows = [(question.text, texts[n][0]) for n, mine in enumerate(kept) for question, _ in mine]
        answers = iter(self._answers(rows))
        scores = [
            [token_f1(found, expected) for found, (_, expected) in zip(islice(answers, len(mine)), mine, strict=True)]
            for mine in kept
        ]
        return [sum(mine) / len(mine) if mine else float("nan") for mine in scores]

    def _questions(self, summary: str, answer: str) -> list[Question]:
        questioner, beams = self.scorer.questioner, self.scorer.beams
        tokenizer, config = questioner.tokenizer, questioner.model.config
        inputs = tokenizer(
            summary, truncation=True, max_length=questioner.max_tokens, split_special_tokens=True, return_tensors="pt"
        )
        prefix = tokenizer(answer, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        start = torch.tensor([[config.decoder_start_token_id, *prefix, questioner.separator_id]])  # (1, P)
        output = questioner.model.generate(  # type: ignore[operator]
            input_ids=inputs["input_ids"],
            attention_mask=inputs["attention_mask"],
            decoder_input_ids=start,
            generation_config=questioner.search(beams, LONGEST_QUESTION),
        )
        texts = tokenizer.batch_decode(output.sequences[:, start.shape[1] :], skip_special_tokens=True)
        questions = [
            Question(text.strip(), score) for text, score in zip(texts, output.sequences_scores.tolist(), strict=True)
        ]
        return [question for question in questions if len(question.text.split()) >= 3]

    def _answers(self, rows: Sequence[tuple[str, str]]) -> list[str]:
        """What the reader finds for each (question, text); empty where it finds nothing."""
        if not rows:
            return []
        reader = self.scorer.reader
        features = reader.tokenizer(
            [question for question, _ in rows],
            [text for _, text in rows],
            truncation="only_second",
            max_length=reader.max_tokens,
            stride=min(_OVERLAP, reader.max_tokens // 3),
            padding="max_length",
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
            split_special_tokens=True,
            return_tensors="pt",
        )
        owners, offsets = features.pop("overflow_to_sample_mapping").tolist(), features.pop("offset_mapping").tolist()
        best = [(-float("inf"), "")] * len(rows)
        nothing = [float("inf")] * len(rows)
        for first in range(0, len(owners), _BATCH):
            batch = {name: values[first : first + _BATCH] for name, values in features.items()}  # (B, T)
            output = reader.model(**batch)
            logits = zip(output.start_logits.tolist(), output.end_logits.tolist(), strict=True)  # (B, T) each
            for place, (starts, ends) in enumerate(logits, start=first):
                owner = owners[place]
                nothing[owner] = min(nothing[owner], starts[0] + ends[0])
                inside = [kind == 1 for kind in features.sequence_ids(place)]
                for score, left, right in _nbest(starts, ends, inside):
                    if score > best[owner][0]:
                        span = rows[owner][1][offsets[place][left][0] : offsets[place][right][1]]
                        best[owner] = (score, span.strip())
        return [text if score > none else "" for (score, text), none in zip(best, nothing, strict=True)]


def _nbest(starts: list[float], ends: list[float], inside: list[bool]) -> list[tuple[float, int, int]]:
    """Spans of the likeliest starts and ends, with the sum of their logits."""
    tops = [sorted(range(len(logits)), key=lambda i: -logits[i])[:_NBEST] for logits in (starts, ends)]
    return [
        (starts[left] + ends[right], left, right)
        for left in tops[0]
        for right in tops[1]
        if inside[left] and inside[right] and left <= right < left + _LONGEST
    ]
