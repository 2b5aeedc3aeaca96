"""Samples: repeatable, the same on any number of workers, in the form of labels, as long as the model says."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from peft import LoraConfig, get_peft_model
from support.families import FAMILIES, family
from support.mining_data import FEW, documents, summarizer, with_labels
from transformers import GenerationConfig, PreTrainedModel

from trainer_ext.mining import SamplingSettings, Workers, generate_summaries, sample_candidates
from trainer_ext.mining.generation import evaluating, length_chunks
from trainer_ext.mining.sampling import sampling_config
from trainer_ext.one_pass import base_model, decoder_inputs


def sample(model: Any, dataset: Dataset, settings: SamplingSettings = FEW, **options: Any) -> list[list[list[int]]]:
    return list(sample_candidates(model, dataset, settings, progress=False, **options)["candidate_labels"])


@pytest.mark.parametrize("rows", [1, 6])
@pytest.mark.parametrize("budget", [1, 37, 160, 10**6])
def test_chunks_hold_every_text_once_within_the_budget(rows: int, budget: int) -> None:
    lengths = [len(ids) for ids in documents(50)["input_ids"]]
    chunks = length_chunks(lengths, rows, budget)
    assert sorted(place for chunk in chunks for place in chunk) == list(range(50))
    in_order = [lengths[place] for chunk in chunks for place in chunk]
    assert in_order == sorted(lengths, reverse=True)
    for chunk in chunks:
        assert len(chunk) == 1 or len(chunk) * max(lengths[place] for place in chunk) * rows <= budget
    assert length_chunks([], rows, budget) == []


def test_samples_are_repeatable_and_leave_the_random_state_alone(any_model: PreTrainedModel) -> None:
    dataset = documents(20)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = sample(any_model, dataset)
    assert torch.equal(torch.rand(3), expected)
    assert sample(any_model, dataset) == first
    assert [len(candidates) for candidates in first] == [4] * 20
    assert len({tuple(ids) for candidates in first for ids in candidates}) > 10
    other = SamplingSettings(num_candidates=4, batch_tokens=160, max_length=10, temperature=0.7, seed=43)
    assert sample(any_model, dataset, other) != first


@pytest.mark.parametrize("count", [2, 3, 50])
def test_any_number_of_workers_samples_the_same(tmp_path: Path, count: int) -> None:
    model, dataset = summarizer(), documents(20)
    alone = sample(model, dataset)

    def others() -> None:
        for rank in range(1, count):
            with suppress(OSError):
                sample(model, dataset, folder=tmp_path, workers=Workers(rank, count))

    # The others run while rank 0 waits for them, one after the other; they may miss chunks of those after them.
    assert sample(model, dataset, folder=tmp_path, workers=Workers(0, count, others)) == alone
    assert sample(model, dataset, folder=tmp_path, workers=Workers(count - 1, count)) == alone


def test_workers_that_share_no_folder_are_told(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"chunk-000001\.json is not there .* all machines share"):
        sample(summarizer(), documents(20), folder=tmp_path, workers=Workers(0, 2))
    with pytest.raises(ValueError, match="2 workers share their chunks in a folder"):
        sample(summarizer(), documents(20), workers=Workers(0, 2))
    with pytest.raises(ValueError, match="rank is 2 of 2"):
        Workers(2, 2)


def test_padding_and_formats_change_nothing() -> None:
    model, dataset = summarizer(), documents(12)
    ids = list(dataset["input_ids"])
    left = {"input_ids": [[0, 0, *row] for row in ids], "attention_mask": [[0, 0, *[1] * len(row)] for row in ids]}
    right = {"input_ids": [[*row, 0] for row in ids], "attention_mask": [[*[1] * len(row), 0] for row in ids]}
    expected = sample(model, dataset)
    assert sample(model, Dataset.from_dict(left)) == expected
    assert sample(model, Dataset.from_dict(right)) == expected
    assert sample(model, dataset.with_format("numpy")) == expected
    assert sample(model, dataset.select(range(12))) == expected


def test_a_row_is_a_label_list_of_bart() -> None:
    """BART starts its decoder with </s> and forces <s> and a last </s>: labels are <s> ... </s>."""
    model, dataset = summarizer(), documents(20)
    model.generation_config.decoder_start_token_id = 2
    model.generation_config.forced_bos_token_id = 1
    model.generation_config.forced_eos_token_id = 2
    for candidates in sample(model, dataset):
        for ids in candidates:
            assert ids[0] == 1
            assert ids.index(2) == len(ids) - 1
            assert 0 not in ids
            assert len(ids) <= 9


def test_a_row_of_t5_is_cut_at_its_end() -> None:
    model = summarizer("t5")
    model.generation_config.decoder_start_token_id = 0  # the padding, as T5 has it
    ended = 0
    for candidates in sample(model, documents(20), SamplingSettings(max_length=30, batch_tokens=400)):
        for ids in candidates:
            assert 0 not in ids
            assert 2 not in ids[:-1]
            ended += ids[-1:] == [2]
    assert ended > 10


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("start", [1, 2, 10])
def test_the_decoder_starts_a_row_as_in_training(name: str, start: int) -> None:
    """Also mBART's, where the start is the language (10) and labels are ``... </s> 10``, or </s> as in mBART-50."""
    model = family(name)
    base_model(model).config.decoder_start_token_id = model.generation_config.decoder_start_token_id = start
    for candidates in sample(model, documents(6)):
        for ids in candidates:
            assert decoder_inputs(model, torch.tensor([[ids]]))[0, 0] == start
            ended = ids[:-1] if name == "mbart" and start != 2 else ids
            assert 2 not in ended[:-1]


def test_a_sample_of_mbart_is_a_reference_token_by_token() -> None:
    model, dataset = family("mbart"), documents(6)
    model.config.decoder_start_token_id = model.generation_config.decoder_start_token_id = 10
    likeliest = sample(model, dataset, SamplingSettings(num_candidates=1, top_k=1, max_length=10))
    for ids, [candidate] in zip(dataset["input_ids"], likeliest, strict=True):
        [[_, *row]] = model.generate(torch.tensor([ids]), max_length=10, num_beams=1).tolist()
        assert candidate == [*(row[: row.index(2) + 1] if 2 in row else row), 10]


def test_an_end_that_is_the_padding_is_kept() -> None:
    model = summarizer("t5")
    model.generation_config.pad_token_id = 2
    settings = SamplingSettings(max_length=30, batch_tokens=400)
    found = [ids for candidates in sample(model, documents(20), settings) for ids in candidates]
    assert any(ids[-1:] == [2] for ids in found)
    assert all(ids.index(2) == len(ids) - 1 for ids in found if 2 in ids)


@pytest.mark.parametrize(
    ("own", "setting", "expected"),
    [
        ({"max_length": 7}, None, 7),
        ({"max_new_tokens": 7}, None, 8),
        ({"max_length": 7, "max_new_tokens": 4}, None, 5),
        ({"max_length": 7}, 12, 12),
        ({}, 12, 12),
        ({}, None, 6),  # the longest labels have 5 tokens
    ],
)
def test_lengths_are_the_generation_configs(own: dict[str, int], setting: int | None, expected: int) -> None:
    model, settings = summarizer(), SamplingSettings(max_length=setting)
    dataset = documents(3).add_column("labels", [[1, 5, 2], [1, 5, 6, 7, 2], [1, 2, -100, -100, -100, -100]])
    model.generation_config.update(**own)
    assert sampling_config(model, settings, dataset).max_length == expected
    assert max(len(ids) for mine in sample(model, dataset, settings) for ids in mine) == expected - 1


def test_the_models_lengths_and_tokens_hold_and_its_search_does_not() -> None:
    model, dataset = summarizer(), documents(20)
    own = {"min_length": 6, "max_length": 8, "suppress_tokens": [10, 11, 12, 13], "begin_suppress_tokens": [20]}
    model.generation_config.update(**own)
    settings = SamplingSettings(num_candidates=4, batch_tokens=160)
    plain = sample(model, dataset, settings)
    assert {len(ids) for candidates in plain for ids in candidates} <= {6, 7}
    assert not {10, 11, 12, 13} & {token for candidates in plain for ids in candidates for token in ids}
    model.generation_config.update(
        num_beams=3, repetition_penalty=5.0, no_repeat_ngram_size=1, length_penalty=2.0, top_h=0.1, typical_p=0.1
    )
    before = model.generation_config
    assert sample(model, dataset, settings) == plain
    assert model.generation_config is before


def test_what_cannot_be_sampled_is_refused() -> None:
    model, dataset = summarizer(), documents(3)
    with pytest.raises(ValueError, match=r"greatest length of a summary is not known.*Set max_length"):
        sample(model, dataset, SamplingSettings())
    model.generation_config.min_length = 20
    with pytest.raises(ValueError, match="at most 10 tokens, but the model's generation config asks for at least 20"):
        sample(model, dataset)
    with pytest.raises(ValueError, match="Row 1 has no source tokens"):
        sample(summarizer(), Dataset.from_dict({"input_ids": [[1, 2], []]}))
    with pytest.raises(ValueError, match="no rows"):
        sample(summarizer(), Dataset.from_dict({"input_ids": []}))
    with pytest.raises(ValueError, match=r"no column 'input_ids' \(columns found: 'text'\)"):
        sample(summarizer(), Dataset.from_dict({"text": ["a"]}))
    with pytest.raises(ValueError, match=r"needs a datasets\.Dataset"):
        sample(summarizer(), [{"input_ids": [1, 2]}])  # type: ignore[arg-type]
    with pytest.raises(
        ValueError, match="BartModel is not an encoder-decoder, nor a decoder-only model that can gener"
    ):
        sample(model.model, dataset)


@pytest.mark.parametrize(
    "wrong",
    [
        {"num_candidates": 0},
        {"top_k": -1},
        {"top_p": 0.0},
        {"top_p": 1.5},
        {"temperature": 0.0},
        {"temperature": float("inf")},
        {"max_length": 1},
        {"batch_tokens": 0},
        {"seed": -1},
        {"num_candidates": 2.5},
    ],
)
def test_settings_out_of_range(wrong: dict[str, Any]) -> None:
    [name] = wrong
    with pytest.raises(ValueError, match=f"^{name} is "):
        SamplingSettings(**wrong)


def test_small_inputs() -> None:
    """One document, one candidate, nothing in the source but its ends, an empty reference."""
    model = summarizer()
    one = Dataset.from_dict({"input_ids": [[1, 2]], "labels": [[]]})
    [[ids]] = sample(model, one, SamplingSettings(num_candidates=1, max_length=10))
    assert len(ids) > 0
    [candidates] = sample(model, one, SamplingSettings())  # the longest labels have no token: room for one
    assert all(len(ids) == 1 for ids in candidates)


def test_every_module_is_back_in_its_mode() -> None:
    model = summarizer().train()
    model.model.encoder.eval()
    with evaluating(model):
        assert not any(module.training for module in model.modules())
    assert model.training
    assert not any(module.training for module in model.model.encoder.modules())
    sample(model, documents(3))
    assert model.training


def test_an_adapted_model_samples_by_its_adapter() -> None:
    dataset, base = documents(12), summarizer()
    plain = sample(base, dataset)
    adapted = get_peft_model(base, LoraConfig(task_type="SEQ_2_SEQ_LM", r=2, target_modules=["q_proj", "v_proj"]))
    assert sample(adapted, dataset) == plain  # a new adapter changes nothing
    own = adapted.generation_config
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_B" in name:
                parameter.normal_()
    assert sample(adapted, dataset) != plain
    assert adapted.generation_config is own


@pytest.mark.parametrize("beams", [1, 3])
def test_summaries_come_in_the_data_sets_order(any_model: PreTrainedModel, beams: int) -> None:
    dataset = documents(9)
    config = GenerationConfig(max_length=9, num_beams=beams)
    found = generate_summaries(any_model, dataset, config, batch_tokens=100, progress=False)
    for ids, summary in zip(dataset["input_ids"], found, strict=True):
        rows = any_model.generate(torch.tensor([ids]), generation_config=config, do_sample=False)
        [row] = rows[:, 1:].tolist()
        assert summary == row[: row.index(2) + 1 if 2 in row else None]
    assert config.do_sample is None


def test_sampled_summaries_are_for_sampling() -> None:
    with pytest.raises(ValueError, match="do_sample=False"):
        generate_summaries(summarizer(), documents(2), GenerationConfig(do_sample=True, max_length=5))


def test_other_columns_stay_and_an_old_one_is_replaced() -> None:
    model = summarizer()
    dataset = with_labels(model, documents(5))
    once = sample_candidates(model, dataset, FEW, progress=False)
    twice = sample_candidates(model, once, FEW, progress=False)
    assert once.column_names == twice.column_names == ["input_ids", "number", "labels", "candidate_labels"]
    assert list(once["candidate_labels"]) == list(twice["candidate_labels"])
