"""The reward function by itself, in the form in which TRL calls it, and within TRL's trainers."""

from __future__ import annotations

import doctest
import math
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset
from quals import QualsScorer
from quals.errors import DataError, OptionError
from support.mining_data import copied
from support.tiny import save_tiny_causal
from transformers import AutoTokenizer

import trainer_ext.trl.reward
from trainer_ext.mining.rankers import RougeRanker
from trainer_ext.trl import completion_text, copied_share, quals_reward

SOURCE = "the king of paris won and the queen of london lost in the red city"


def test_the_examples_of_the_docstrings() -> None:
    result = doctest.testmod(trainer_ext.trl.reward)
    assert result.failed == 0
    assert result.attempted >= 8


def test_quals_is_the_scorers_own(qagen: Path) -> None:
    reward = quals_reward(checkpoint=str(qagen), device="cpu")
    scorer = QualsScorer(checkpoint=str(qagen), device="cpu")
    summaries = ["the king won in paris", "the queen of london won", "the king won in paris", " ", "klitschko lost"]
    conversations = [[{"role": "assistant", "content": text}] for text in summaries]
    sources = [SOURCE, SOURCE, SOURCE, SOURCE, "joshua won and klitschko lost in london"]
    expected = [result.score for result in scorer.score(sources, [text or "." for text in summaries])]
    told: dict[str, float] = {}
    given = reward([""] * 5, conversations, source=sources, log_metric=told.__setitem__, trainer_state=None)
    assert given == reward(prompts=[""] * 5, completions=summaries, completion_ids=[[1]] * 5, document=sources)
    assert given[3] is None
    scored = [at for at in range(5) if at != 3 and not math.isnan(expected[at])]
    assert [at for at in range(5) if given[at] is not None] == scored
    assert [given[at] for at in scored] == pytest.approx([expected[at] for at in scored], abs=1e-4)
    assert len({given[at] for at in scored}) >= 2
    assert told == {"quals_reward/coverage": sum(x is not None for x in given) / 5}
    assert reward.signature == scorer.signature
    assert reward.__name__ == "quals_reward"


def test_each_different_completion_is_ranked_once() -> None:
    seen: list[list[str]] = []

    def ranker(sources: list[str], summaries: list[str], references: Any) -> list[float | None]:
        seen.append(summaries)
        return copied(sources, summaries, references)

    ranker.signature = "counted"  # type: ignore[attr-defined]
    reward = quals_reward(ranker)
    assert reward(["p"] * 4, ["the king", "a dog", "the king", ""], text=[SOURCE] * 4) == [1.0, 0.0, 1.0, None]
    assert seen == [["the king", "a dog"]]
    assert reward([], [], text=[]) == []


def test_length_copying_and_no_score_count() -> None:
    def ranker(sources: list[str], summaries: list[str], references: Any) -> list[float | None]:
        return [None if "?" in summary else float(len(summary)) for summary in summaries]

    short = quals_reward(ranker, max_characters=10, length_penalty=2, no_score=-7)
    # 15 characters: 10 are read, and half a length too many costs half of 2.
    assert short([""] * 3, ["x" * 10, "x" * 15, "?"], source=["y"] * 3) == [10.0, 9.0, -7]
    assert quals_reward(ranker, max_characters=None)([""], ["x" * 5000], source=["y"]) == [5000.0]
    copying = quals_reward(ranker, copy_penalty=4)
    assert copying([""], ["the king of paris won"], source=[SOURCE]) == [21.0 - 4]
    assert copying([""], ["the king of paris lost"], source=[SOURCE]) == [pytest.approx(22 - 4 * 4 / 5)]


def test_copying_is_counted_in_runs_of_words() -> None:
    assert copied_share(SOURCE, "THE KING, of Paris won!") == 1.0
    assert copied_share(SOURCE, "paris of king the") == 0.0
    assert copied_share(SOURCE, "red city") == 1.0
    assert copied_share(SOURCE, "") == copied_share("", "red") == 0.0


def test_a_reference_is_read_where_the_ranker_compares() -> None:
    reward = quals_reward("rouge", reference_column="summary")
    rows = {"source": [SOURCE] * 2, "summary": ["the king won", "a dog lost"]}
    assert reward([""] * 2, ["the king won"] * 2, **rows) == RougeRanker()(
        ["", ""], ["the king won"] * 2, rows["summary"]
    )
    with pytest.raises(OptionError, match="reference_column"):
        quals_reward("rouge")
    assert quals_reward("word_pairs")([""], ["the king won"], source=["the king won in paris"]) == [1.0]


@pytest.mark.parametrize(
    ("rank", "gpus", "given", "expected"),
    [
        ("1", 4, None, "cuda:1"),
        ("5", 4, None, "cuda:1"),
        ("1", 1, None, None),
        ("", 4, None, None),
        ("1", 4, "cpu", "cpu"),
    ],
)
def test_each_process_computes_on_its_own_gpu(
    monkeypatch: pytest.MonkeyPatch, rank: str, gpus: int, given: str | None, expected: str | None
) -> None:
    told: list[Any] = []
    monkeypatch.setenv("LOCAL_RANK", rank)
    monkeypatch.setattr("torch.cuda.device_count", lambda: gpus)

    def ranker(name: str, device: str | None) -> RougeRanker:
        told.append(device)
        return RougeRanker()

    monkeypatch.setattr(trainer_ext.trl.reward, "resolve_ranker", ranker)
    quals_reward(device=given, reference_column="summary")
    assert told == [expected]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_characters": 0}, "max_characters"),
        ({"length_penalty": -1}, "length_penalty is -1: give a number, 0 or more"),
        ({"copy_penalty": float("nan")}, "copy_penalty"),
        ({"no_score": float("-inf")}, "no_score is -inf: give a finite number"),
        ({"device": "cpu"}, "takes no options"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        quals_reward(copied, **options)


def test_data_that_do_not_fit_are_refused() -> None:
    reward = quals_reward(copied, source_column="article")
    with pytest.raises(DataError, match=r"no column 'article' \(columns .*: 'text'\): name another by source_column"):
        reward([""], ["a dog"], text=["a"], trainer_state=None, completion_ids=[[1]])
    with pytest.raises(DataError, match="holds 'None', not text"):
        reward([""], ["a dog"], article=[None])
    with pytest.raises(DataError, match="2 values for 1 completions"):
        reward([""], ["a dog"], article=["a", "b"])
    with pytest.raises(DataError, match="A completion is '5': give a text"):
        reward([""], [5], article=["a"])


def test_messages_of_all_forms_are_read() -> None:
    call = {"role": "assistant", "content": "I look it up.", "tool_calls": []}
    assert (
        completion_text([call, {"role": "tool", "content": "x"}, {"role": "assistant", "content": " A dog. "}])
        == "A dog."
    )
    assert completion_text([{"role": "assistant", "content": None}]) == ""
    assert completion_text([]) == ""


@pytest.mark.parametrize("chat", [True, False])
@pytest.mark.parametrize("method", ["GRPO", "RLOO", "OnlineDPO"])
def test_trl_trains_with_it(method: str, chat: bool, tmp_path: Path) -> None:
    if method == "OnlineDPO":
        trl: Any = pytest.importorskip("trl.experimental.online_dpo", reason="needs the extra trl")
    else:
        trl = pytest.importorskip("trl", reason="needs the extra trl")
    prompt: Any = [{"role": "user", "content": SOURCE}] if chat else SOURCE
    rows = Dataset.from_list([{"prompt": prompt, "article": SOURCE}] * 8)
    own = {"max_new_tokens": 6} if method == "OnlineDPO" else {"num_generations": 4, "max_completion_length": 6}
    arguments = getattr(trl, f"{method}Config")(
        output_dir=str(tmp_path / "out"),
        max_steps=2,
        per_device_train_batch_size=4,
        use_cpu=True,
        bf16=False,
        report_to=[],
        logging_steps=1,
        save_strategy="no",
        **own,
    )
    calls: list[tuple[Any, list[float | None]]] = []
    reward = quals_reward(copied, source_column="article", no_score=-1.0)

    def recorded(**given: Any) -> list[float | None]:
        calls.append((given["completions"], reward(**given)))
        return calls[-1][1]

    folder = save_tiny_causal(tmp_path / "model", chat=chat)
    trainer = getattr(trl, f"{method}Trainer")(
        str(folder),
        reward_funcs=recorded,
        args=arguments,
        train_dataset=rows,
        processing_class=AutoTokenizer.from_pretrained(folder),
    )
    trainer.train()
    assert trainer.state.global_step == 2
    assert len(calls) == 2
    for completions, rewards in calls:
        assert all(isinstance(completion, list if chat else str) for completion in completions)
        assert len(rewards) == len(completions)
    given = [x for _, rewards in calls for x in rewards]
    assert len(set(given)) > 1
