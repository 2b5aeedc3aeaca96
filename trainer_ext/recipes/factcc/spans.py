"""A classifier that also learns to point at its reasons: the spans of FactCCX (Kryscinski et al. 2020)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel

from trainer_ext.recipes.factcc.data import NO_SPAN

_HEADS = 4  # the first and the last token of two spans


class ClassifierWithSpans(nn.Module):
    """A classifier of claims with a second head that points at two spans.

    One span is the document's sentence that the claim is about, the other the claim's words that the document does not
    state. The head finds the first and the last token of each. It is for training only: it teaches the encoder to
    compare. From one label per claim, a small encoder learns little more than what wrong claims sound like.

    Args:
        classifier: a sequence classifier with a BERT-like encoder.
        weight: weight of the spans' loss beside the classifier's. The spans' loss is a mean over all positions that
            the batch's spans have.
    """

    def __init__(self, classifier: PreTrainedModel, weight: float) -> None:
        super().__init__()
        self.classifier = classifier
        self.weight = weight
        self.spans = nn.Linear(classifier.config.hidden_size, _HEADS)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        token_type_ids: Tensor | None = None,
        labels: Tensor | None = None,
        span_positions: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Logits (B, 2), and the loss where there are labels.

        Args:
            input_ids, attention_mask, token_type_ids: (B, T), integers; document and claim.
            labels: (B,), integers.
            span_positions: (B, 4), integers, see :func:`~trainer_ext.recipes.factcc.data.claim_rows`; without them the
                loss is the classifier's.
        """
        types = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
        output = self.classifier(
            input_ids=input_ids, attention_mask=attention_mask, labels=labels, output_hidden_states=True, **types
        )
        if labels is None:
            return {"logits": output.logits}
        loss = output.loss
        if span_positions is not None:
            pointed = self.spans(output.hidden_states[-1]).float()  # (B, T, 4)
            pointed = pointed.masked_fill(~attention_mask.bool()[..., None], torch.finfo(torch.float32).min)
            # (B * 4, T): each head chooses among the tokens of its row
            losses = cross_entropy(
                pointed.transpose(1, 2).flatten(0, 1),
                span_positions.flatten(),
                ignore_index=NO_SPAN,
                reduction="sum",
            )
            loss = loss + self.weight * losses / span_positions.ne(NO_SPAN).sum().clamp(min=1)
        return {"loss": loss, "logits": output.logits}
