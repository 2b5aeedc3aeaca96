"""The decoder against the plain reference, on random models of three families and on the embedded one."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from quals.attention import share_encoder_states
from quals.batching import encode_texts
from quals.checkpoint import load_qagen
from quals.decoding import DecodingSettings, cache_width, diverse_greedy, encode, teacher_forced
from quals.generated import Generated
from support.families import family
from support.quals_reference import decode, teacher_force
from support.tiny import tiny_model, tiny_tokenizer
from transformers import AutoModelForSeq2SeqLM, PreTrainedModel

TEXTS = ["the cat sat .", "who won in paris ? the red dog and the blue king", "joshua"]


@dataclass(frozen=True)
class Hypothesis:
    """A generated sequence and its log-probabilities."""

    token_ids: tuple[int, ...]
    log_probs: tuple[float, ...]


def hypotheses_of(generated: Generated) -> list[list[Hypothesis]]:
    scored = generated.log_probs([range(len(own)) for own in generated.token_ids])
    return [list(map(Hypothesis, ids, log_probs)) for ids, log_probs in zip(generated.token_ids, scored, strict=True)]


def prefer_end(model: PreTrainedModel, strength: float) -> PreTrainedModel:
    """Make the end of sequence likelier, so that groups end at different lengths."""
    with torch.no_grad():
        head = model.get_output_embeddings()
        head.weight = torch.nn.Parameter(head.weight.clone())  # untied: the encoder must not change
        head.weight[model.config.eos_token_id] *= strength
    return model


def generate(model: PreTrainedModel, ids: list[list[int]], settings: DecodingSettings) -> list[list[Hypothesis]]:
    shared = copy.deepcopy(model)
    share_encoder_states(shared)
    input_ids, mask = encode_texts(ids, 0, torch.device("cpu"))
    with torch.inference_mode():
        texts = encode(shared, input_ids, mask)
    return hypotheses_of(diverse_greedy(shared, texts, settings))


def assert_equal_to_reference(model: PreTrainedModel, ids: list[list[int]], settings: DecodingSettings) -> list[int]:
    """Compare all texts of one batch; returns the lengths of the sequences."""
    lengths = []
    compared = 0
    for hypotheses, text in zip(generate(model, ids, settings), ids, strict=True):
        expected = decode(model, text, settings)
        lengths += [len(sequence) for sequence in expected.token_ids]
        if expected.gap < 1e-5:
            continue  # rounding may choose either
        compared += 1
        assert [list(h.token_ids) for h in hypotheses] == expected.token_ids
        for hypothesis, log_probs in zip(hypotheses, expected.log_probs, strict=True):
            assert hypothesis.log_probs == pytest.approx(log_probs, abs=2e-4)
    assert compared >= 1
    return lengths


@pytest.mark.parametrize("kind", ["bart", "t5", "pegasus"])
@pytest.mark.parametrize("seed", [0, 1])
def test_same_sequences_as_the_reference(kind: str, seed: int) -> None:
    model = tiny_model(kind, seed)
    ids = tiny_tokenizer()(TEXTS)["input_ids"]
    assert_equal_to_reference(model, ids, DecodingSettings(num_groups=9, max_tokens=14))


@pytest.mark.parametrize("strength", [3.0, -3.0, 8.0])
def test_sequences_that_end_early_at_different_lengths(strength: float) -> None:
    ids = tiny_tokenizer()(TEXTS)["input_ids"]
    lengths: set[int] = set()
    for seed in range(4):
        model = prefer_end(tiny_model("bart", seed), strength)
        settings = DecodingSettings(num_groups=12, diversity=0.7, min_tokens=2, max_tokens=12)
        lengths |= set(assert_equal_to_reference(model, ids, settings))
    assert min(lengths) >= 3  # two tokens at least, then the end
    assert max(lengths) <= 13
    assert len(lengths) > 2


def test_sixty_groups_more_than_the_vocabulary_has_tokens() -> None:
    ids = tiny_tokenizer()(TEXTS[:1])["input_ids"]
    settings = DecodingSettings(num_groups=60, diversity=0.37, min_tokens=3, max_tokens=4)
    assert_equal_to_reference(tiny_model("bart", 1), ids, settings)


def test_no_penalty_makes_all_groups_one() -> None:
    ids = tiny_tokenizer()(TEXTS)["input_ids"]
    for hypotheses in generate(tiny_model("bart"), ids, DecodingSettings(num_groups=5, diversity=0.0, max_tokens=10)):
        assert len({hypothesis.token_ids for hypothesis in hypotheses}) == 1


def test_ties_go_to_the_lowest_id() -> None:
    model = tiny_model("bart")
    with torch.no_grad():
        model.get_output_embeddings().weight = torch.nn.Parameter(
            torch.zeros_like(model.get_output_embeddings().weight)
        )
    ids = tiny_tokenizer()(TEXTS[:2])["input_ids"]
    settings = DecodingSettings(num_groups=20, min_tokens=8, max_tokens=8)
    for hypotheses in generate(model, ids, settings):
        allowed = [token for token in range(model.config.vocab_size) if token != model.config.eos_token_id]
        for group, hypothesis in enumerate(hypotheses):
            assert list(hypothesis.token_ids) == [allowed[group]] * 8 + [model.config.eos_token_id]
            assert hypothesis.log_probs == pytest.approx([-torch.tensor(model.config.vocab_size).log().item()] * 9)


@pytest.mark.parametrize(("shortest", "longest"), [(0, 0), (0, 1), (3, 3)])
def test_bounds_of_length(shortest: int, longest: int) -> None:
    ids = tiny_tokenizer()(TEXTS)["input_ids"]
    settings = DecodingSettings(num_groups=4, min_tokens=shortest, max_tokens=longest)
    for hypotheses in generate(prefer_end(tiny_model("bart"), 4.0), ids, settings):
        for hypothesis in hypotheses:
            assert shortest + 1 <= len(hypothesis.token_ids) <= longest + 1
            assert hypothesis.token_ids[-1] == 2
            assert len(hypothesis.log_probs) == len(hypothesis.token_ids)


def test_a_text_is_decoded_alike_alone_and_among_others(any_model: PreTrainedModel) -> None:
    ids = tiny_tokenizer()(TEXTS)["input_ids"]
    settings = DecodingSettings(num_groups=7, max_tokens=12)
    together = generate(any_model, ids, settings)
    for text, expected in zip(ids, together, strict=True):
        (alone,) = generate(any_model, [text], settings)
        assert [h.token_ids for h in alone] == [h.token_ids for h in expected]
        for one, other in zip(alone, expected, strict=True):
            assert one.log_probs == pytest.approx(other.log_probs, abs=1e-4)


def test_teacher_forcing_equals_the_reference_and_generation(any_model: PreTrainedModel) -> None:
    ids = tiny_tokenizer()(TEXTS)["input_ids"]
    generated = generate(any_model, ids, DecodingSettings(num_groups=4, max_tokens=10))
    # Texts with different numbers of targets, of different lengths.
    chosen = [(text, h) for text, hypotheses in enumerate(generated) for h in hypotheses[: text + 1]]
    targets = [list(h.token_ids) if i % 2 else list(h.token_ids[:4]) for i, (_, h) in enumerate(chosen)]
    shared = copy.deepcopy(any_model)
    share_encoder_states(shared)
    input_ids, mask = encode_texts(ids, 0, torch.device("cpu"))
    with torch.inference_mode():
        texts = encode(shared, input_ids, mask)
    scores = teacher_forced(shared, texts, torch.tensor([text for text, _ in chosen]), targets)
    for (text, hypothesis), target, log_probs in zip(chosen, targets, scores, strict=True):
        assert log_probs == pytest.approx(hypothesis.log_probs[: len(target)], abs=2e-4)
        assert log_probs == pytest.approx(teacher_force(any_model, ids[text], target), abs=2e-4)


@pytest.mark.parametrize(("groups", "texts"), [(8, 2), (60, 1)])
def test_embedded_model_gives_the_reference_sequences(embedded: Path, groups: int, texts: int) -> None:
    qagen = load_qagen(str(embedded))
    stock = AutoModelForSeq2SeqLM.from_pretrained(embedded, dtype=torch.float32).eval()
    summaries = ["The river flooded the old town of Passau on Monday.", "Marie Curie won two Nobel Prizes."][:texts]
    ids = qagen.tokenizer(summaries)["input_ids"]
    settings = DecodingSettings(num_groups=groups)
    input_ids, mask = encode_texts(ids, qagen.model.config.pad_token_id, torch.device("cpu"))
    with torch.inference_mode():
        encoded = encode(qagen.model, input_ids, mask)
    for hypotheses, text in zip(hypotheses_of(diverse_greedy(qagen.model, encoded, settings)), ids, strict=True):
        expected = decode(stock, text, settings)
        agreed = 0
        for hypothesis, ids_, log_probs, gap in zip(
            hypotheses, expected.token_ids, expected.log_probs, expected.gaps, strict=True
        ):
            if gap < 1e-4:
                break  # two tokens were as good as equal, and what follows may rest on the other choice
            agreed += 1
            assert list(hypothesis.token_ids) == ids_
            assert hypothesis.log_probs == pytest.approx(log_probs, abs=1e-3)
        assert agreed >= min(8, groups)


@pytest.mark.parametrize("name", ["bart", "t5", "pegasus", "mbart", "marian", "led", "bert2bert"])
def test_the_cache_is_as_wide_as_computed(name: str) -> None:
    model = family(name)
    ids = torch.tensor([[5, 6, 7]])
    with torch.inference_mode():
        cache = model(input_ids=ids, decoder_input_ids=ids[:, :1], use_cache=True).past_key_values
    layers = cache.self_attention_cache.layers
    assert cache_width(model) == sum(layer.keys.numel() + layer.values.numel() for layer in layers)
