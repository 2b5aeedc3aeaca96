"""QAGS built as its authors did: one stage after another, each with the library's ordinary calls.

As in their scripts, ``generate`` is called for one answer at a time. The reader takes 64 features per pass, padded to
its full length, with the n-best search of the SQuAD scripts. Repeated texts are read again. Windows overlap as the
scorer's do, which is less than the authors'. The result is what :class:`qags.QAGSScorer` computes.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import torch
from qags import QAGSScorer
from qags.answers import answer_spans, squad_words, token_f1
from qags.questioner import LONGEST_QUESTION, Question
from qags.reader import LONGEST_ANSWER, OVERLAP
from qags.scorer import LEAST_WORDS
from quals.typography import plain

from benchmarks.speed.ways import Texts, ordinary_products

_BATCH = 64  # features in a pass of the reader
_NBEST = 20  # starts and ends that are looked at


class StagedQags:
    """QAGS with a scorer's models and settings; each stage is done for all summaries before the next one begins.

    Args:
        scorer: reads sources in windows.
        padding: padding of the reader's batches: ``"max_length"`` as the authors do, or ``"longest"``.
    """

    def __init__(self, scorer: QAGSScorer, padding: str = "max_length") -> None:
        self.scorer, self.padding = scorer, padding

    @ordinary_products()
    @torch.inference_mode()
    def score(self, texts: Texts) -> list[float]:
        """QAGS of each (source, summary), NaN where no question survives."""
        texts = [(plain(source), plain(summary)) for source, summary in texts]
        summaries = [summary for _, summary in texts]
        spans = answer_spans(summaries, self.scorer.pipeline, self.scorer.max_answers)
        wanted = [(n, summaries[n][start:end]) for n, places in enumerate(spans) for start, end in places]
        asked = [(n, answer, question) for n, answer in wanted for question in self._questions(summaries[n], answer)]
        expected = self._answers([(question.text, summaries[n]) for n, _, question in asked])
        kept: list[list[tuple[Question, str]]] = [[] for _ in texts]
        for (n, answer, question), read in zip(asked, expected, strict=True):
            if read and squad_words(read) == squad_words(answer):
                kept[n].append((question, read))
        kept = [self.scorer.likeliest(questions) for questions in kept]
        rows = [(question.text, texts[n][0]) for n, questions in enumerate(kept) for question, _ in questions]
        answers = iter(self._answers(rows))
        scores = [
            [token_f1(answer, expected) for answer, (_, expected) in zip(islice(answers, len(row)), row, strict=True)]
            for row in kept
        ]
        return [sum(row) / len(row) if row else float("nan") for row in scores]

    def _questions(self, summary: str, answer: str) -> list[Question]:
        questioner = self.scorer.questioner
        device = questioner.model.device
        ids, starts = (torch.tensor(rows, device=device) for rows in questioner.inputs([summary], [answer]))  # (1, ·)
        output = questioner.model.generate(  # type: ignore[operator]
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            decoder_input_ids=starts,
            generation_config=questioner.search(self.scorer.beams, LONGEST_QUESTION),
        )
        texts = questioner.tokenizer.batch_decode(output.sequences[:, starts.shape[1] :], skip_special_tokens=True)
        questions = [
            Question(text.strip(), score) for text, score in zip(texts, output.sequences_scores.tolist(), strict=True)
        ]
        return [question for question in questions if len(question.text.split()) >= LEAST_WORDS]

    def _answers(self, rows: Sequence[tuple[str, str]]) -> list[str]:
        """The reader's answer to each (question, text); empty where it finds none."""
        if not rows:
            return []
        reader = self.scorer.reader
        features = reader.tokenizer(
            [question for question, _ in rows],
            [text for _, text in rows],
            truncation="only_second",
            max_length=reader.max_tokens,
            stride=min(OVERLAP, reader.max_tokens // 3),
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
            split_special_tokens=True,
        )
        owners, offsets = features.pop("overflow_to_sample_mapping"), features.pop("offset_mapping")
        best = [(-float("inf"), "")] * len(rows)
        nothing = [float("inf")] * len(rows)
        for first in range(0, len(owners), _BATCH):
            few = {name: values[first : first + _BATCH] for name, values in features.items()}
            batch = reader.tokenizer.pad(
                few, padding=self.padding, max_length=reader.max_tokens, return_tensors="pt"
            ).to(reader.model.device)  # (B, T)
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
    tops = [sorted(range(len(inside)), key=lambda i: -logits[i])[:_NBEST] for logits in (starts, ends)]
    return [
        (starts[left] + ends[right], left, right)
        for left in tops[0]
        for right in tops[1]
        if inside[left] and inside[right] and left <= right < left + LONGEST_ANSWER
    ]
