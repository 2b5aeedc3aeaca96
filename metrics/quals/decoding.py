"""Diverse greedy decoding, and log-probabilities by teacher forcing. Nothing here knows about summaries.

Both share a text's encoder states among all its decoder rows (see ``attention``). Both take a whole batch of texts.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import torch
from torch import Tensor
from transformers import DynamicCache, EncoderDecoderCache, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput

from .attention import rows_of_texts
from .generated import Generated, Step
from .groups import BoolArray, Choices, FloatArray, IntArray
from .matmul import rounded_up, with_fast_products
from .projection import OutputProjection
from .row_cache import row_cache
from .tree import PrefixTree, pack, positions_by_depth

_WIDTH = 24  # tokens that groups look at first


@dataclass(frozen=True)
class DecodingSettings:
    """How sequences are generated (Nan et al. 2021, section 3.2: 60 groups of one beam).

    Attributes:
        num_groups: greedy decoders per text, in a fixed order.
        diversity: nats that a token costs group g for each group before g that chose it at the same step.
        min_tokens: tokens before the end of sequence is allowed.
        max_tokens: tokens after which the end of sequence is forced.
    """

    num_groups: int = 60
    diversity: float = 0.5
    min_tokens: int = 8
    max_tokens: int = 60


@dataclass(frozen=True)
class EncodedTexts:
    """Encoder states ``(B, S, d)`` and padding mask ``(B, S)`` of B texts."""

    states: Tensor
    mask: Tensor


@with_fast_products
def encode(model: PreTrainedModel, input_ids: Tensor, attention_mask: Tensor) -> EncodedTexts:
    """Run the encoder over ``(B, S)`` ids."""
    states = model.get_encoder()(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
    return EncodedTexts(states, attention_mask)


@torch.inference_mode()
@with_fast_products
def diverse_greedy(model: PreTrainedModel, texts: EncodedTexts, settings: DecodingSettings) -> Generated:
    """Generate ``num_groups`` sequences for each text.

    At every step group g takes the token with the highest log-probability less ``diversity`` times the number of
    groups before it that took the same token at this step. Ties go to the lowest id. Groups that have ended take no
    part. Groups of a text with equal prefixes share one decoder row, and rows that no group needs are dropped.

    Args:
        model: prepared by ``share_encoder_states``.
        texts: the B encoded texts.
        settings: see :class:`DecodingSettings`.
    """
    device = texts.states.device
    count, groups = texts.states.shape[0], settings.num_groups
    projection = OutputProjection(model)
    eos = model.config.eos_token_id

    states, mask = texts.states, texts.mask
    cache = EncoderDecoderCache(row_cache(), DynamicCache())
    cache_argument = cache_name(model)
    active = np.arange(count)  # (A,): texts that still have groups to go on, by number
    row_texts = np.arange(count)  # (R,): place in ``active`` of each row's text
    rows = np.repeat(row_texts[:, None], groups, 1)  # (A, G): each group's row
    live = np.ones((count, groups), bool)  # (A, G)
    tokens = np.full(count, model.config.decoder_start_token_id)  # (R,)
    choices = Choices(count, projection.vocabulary, settings.diversity)

    steps: list[Step] = []
    for step in range(settings.max_tokens + 1):
        with rows_of_texts(torch.from_numpy(row_texts).to(device)):
            hidden = projection.hidden_states(
                encoder_outputs=BaseModelOutput(last_hidden_state=states),
                attention_mask=mask,
                decoder_input_ids=torch.from_numpy(tokens[:, None]).to(device),
                use_cache=True,
                **{cache_argument: cache},
            )[:, -1]  # (R, d)
        if step == settings.max_tokens:
            choice = np.full_like(rows, eos)  # (A, G)
            ends = torch.full((len(tokens),), eos, device=device)
            log_probs = projection.log_probs(hidden, torch.arange(len(ends), device=device), ends).cpu().numpy()[rows]
        else:
            banned = eos if step < settings.min_tokens else None
            choice, log_probs = _choose(projection, hidden, rows, live, choices, banned)  # (A, G)

        ids, places = np.full((count, groups), -1), np.zeros((count, groups), int)
        known = np.zeros((count, groups), np.float32)
        ids[active], places[active], known[active] = np.where(live, choice, -1), rows, log_probs
        steps.append(Step(ids, known, places, hidden if projection.estimates else None))

        live = live & (choice != eos)
        going = live.any(1)  # (A,)
        if not going.any():
            break
        if not going.all():
            active, rows, live, choice = active[going], rows[going], live[going], choice[going]
            kept = torch.from_numpy(going.nonzero()[0]).to(device)
            states, mask = states[kept], mask[kept]
            cache.cross_attention_cache.batch_select_indices(kept)

        # One row for each prefix that is still wanted; a prefix is its parent row and its last token.
        prefixes = rows * projection.vocabulary + choice  # (A, G)
        wanted, inverse = np.unique(prefixes[live], return_inverse=True)  # ascending, so text by text
        parents, tokens = wanted // projection.vocabulary, wanted % projection.vocabulary  # (R',)
        rows = np.zeros_like(rows)
        rows[live] = inverse
        row_texts = np.zeros_like(parents)
        row_texts[inverse] = live.nonzero()[0]
        # The last row fills up with copies that no group reads.
        fill = rounded_up(len(parents)) - len(parents)
        parents, tokens, row_texts = (np.pad(each, (0, fill), "edge") for each in (parents, tokens, row_texts))
        if len(parents) != len(hidden) or (parents != np.arange(len(parents))).any():
            cache.self_attention_cache.batch_select_indices(torch.from_numpy(parents).to(device))

    return Generated(projection, steps)


def cache_width(model: PreTrainedModel) -> int:
    """Numbers that the decoder's own cache keeps per row and step: keys and values of all its layers."""
    config = model.get_decoder().config
    layers = getattr(config, "decoder_layers", None) or config.num_hidden_layers
    heads = getattr(config, "decoder_attention_heads", None) or config.num_attention_heads
    return 2 * layers * heads * (getattr(config, "d_kv", None) or config.hidden_size // heads)


def cache_name(model: PreTrainedModel) -> str:
    """The name that ``model`` has for keys and values of earlier steps.

    transformers renamed ``past_key_values`` to ``cache``, and drops the old name in 5.40; 5.23 knows the old name only.
    """
    return "cache" if "cache" in inspect.signature(model.forward).parameters else "past_key_values"


def _choose(
    projection: OutputProjection,
    hidden: Tensor,  # (R, d)
    rows: IntArray,  # (A, G)
    live: BoolArray,  # (A, G)
    choices: Choices,
    banned: int | None,
) -> tuple[IntArray, FloatArray]:  # (A, G), (A, G)
    """Every group's choice at one step, and its log-probability.

    A group looks at some of its row's most likely tokens only. Its choice stands if even with the penalty it beats what
    the log-probability of no other token exceeds; otherwise all is done again with more tokens.
    """
    vocabulary = projection.vocabulary
    for width in sorted({min(width, vocabulary) for width in (_WIDTH, max(_WIDTH, rows.shape[1] + 1), vocabulary)}):
        likely = projection.most_likely(hidden, width, banned)
        log_probs, ids, limits = (part.cpu().numpy() for part in likely)  # (R, k), (R, k), (R,)
        choice, chosen, certain = choices.of_groups(log_probs, ids, limits, rows, live)
        if certain or width == vocabulary:
            break
    return choice, chosen


@torch.inference_mode()
@with_fast_products
def teacher_forced(
    model: PreTrainedModel, texts: EncodedTexts, row_texts: Tensor, targets: Sequence[Sequence[int]]
) -> list[tuple[float, ...]]:
    """Natural log-probability of every token of each target given its text.

    Args:
        model: prepared by ``share_encoder_states``.
        texts: the B encoded texts.
        row_texts: ``(N,)`` int64, ascending: the text of each target; every text has one at least.
        targets: N sequences of token ids, end of sequence included, of any lengths.
    """
    device = texts.states.device
    owners = row_texts.tolist()
    own: list[list[Sequence[int]]] = [[] for _ in range(texts.states.shape[0])]
    for owner, target in zip(owners, targets, strict=True):
        own[owner].append(target)
    trees = [PrefixTree(sequences, model.config.decoder_start_token_id) for sequences in own]
    ids, depths, attended = (part.to(device) for part in pack(trees, model.config.pad_token_id))
    projection = OutputProjection(model)
    with positions_by_depth(model, depths):
        hidden = projection.hidden_states(
            encoder_outputs=BaseModelOutput(last_hidden_state=texts.states),
            attention_mask=texts.mask,
            decoder_input_ids=ids,
            decoder_attention_mask=attended,
            use_cache=False,
        )  # (B, L, d)
    rows, nodes, wanted = torch.tensor(
        [(row, node, token) for row, tree in enumerate(trees) for node, token in tree.steps], device=device
    ).unbind(1)  # each (steps,)
    states, places = torch.unique(rows * hidden.shape[1] + nodes, return_inverse=True)
    known = projection.log_probs(hidden.flatten(0, 1)[states], places, wanted).tolist()
    first = dict(enumerate(accumulate((len(tree.steps) for tree in trees), initial=0)))
    paths = [iter(tree.paths) for tree in trees]
    return [tuple(known[first[owner] + step] for step in next(paths[owner])) for owner in owners]
