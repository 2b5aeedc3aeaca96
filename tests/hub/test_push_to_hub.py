"""A trainer that pushes: what arrives, what stays here, and what a failure does."""

from __future__ import annotations

import logging
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset
from peft import LoraConfig, get_peft_model
from support.hub_server import TOKEN, Blob, FakeHub
from support.tiny import tiny_model, tiny_tokenizer
from transformers import AutoModelForSeq2SeqLM, Seq2SeqTrainingArguments
from transformers.trainer_utils import HubStrategy

from trainer_ext import ContrastiveSeq2SeqTrainer
from trainer_ext.publishing import PublishError

REPO = "org/summarizer"


def trainer(folder: Path, **options: Any) -> ContrastiveSeq2SeqTrainer:
    """One that trains on candidates which the data bring; four steps."""
    rows = {"input_ids": [[4, 5, 6, 7]] * 8, "labels": [[5, 6, 2]] * 8, "candidate_labels": [[[7, 7, 2]]] * 8}
    lora = options.pop("lora", False)
    model = tiny_model("bart")
    given = {"hub_model_id": REPO, "report_to": "none", "use_cpu": True, "per_device_train_batch_size": 2, **options}
    return ContrastiveSeq2SeqTrainer(
        model=get_peft_model(model, LoraConfig(target_modules=["q_proj", "v_proj"])) if lora else model,
        args=Seq2SeqTrainingArguments(str(folder), num_train_epochs=1, learning_rate=1e-3, **given),
        train_dataset=Dataset.from_dict(rows),
        processing_class=tiny_tokenizer(),
    )


def test_push_to_hub_publishes_the_model_and_its_card_and_nothing_of_the_training(tmp_path: Path, hub: FakeHub) -> None:
    folder = tmp_path / "for-facts"
    found = trainer(folder, save_strategy="epoch")
    found.train()
    (folder / "_mining").mkdir()
    (folder / "_mining" / "chunk-0.jsonl").write_text("training data")
    info = found.push_to_hub(
        commit_message="done",
        tasks="summarization",
        dataset_tags="xsum",
        dataset="XSum",
        dataset_args="main",
        language="en",
        finetuned_from="someone/else",
        tags=["a-tag"],
    )
    contents = hub.contents("model", REPO)
    assert {"README.md", "config.json", "model.safetensors", "tokenizer.json"} <= set(contents)
    assert not [path for path in contents if path.endswith(".bin") or "chunk" in path or "checkpoint" in path]
    assert (folder / "training_args.bin").is_file()
    card = contents["README.md"].decode()
    assert "a-tag" in card
    assert "Trained with `ContrastiveSeq2SeqTrainer`" in card
    repo = hub.repos["model", REPO]
    assert len(repo.commits) == 2  # the Hub's own, and ours
    assert (info.oid, info.commit_message) == (repo.head, "done")
    assert info.commit_url == f"{hub.endpoint}/{REPO}/commit/{repo.head}"
    assert AutoModelForSeq2SeqLM.from_pretrained(folder)


def test_what_others_put_there_stays_and_only_changes_are_sent(tmp_path: Path, hub: FakeHub) -> None:
    found = trainer(tmp_path / "out")
    found.train()
    found.push_to_hub()
    repo = hub.repos["model", REPO]
    repo.commit({**repo.commits[-1][1], "picture.png": Blob(b"picture", False)})
    before = repo.head
    hub.requests.clear()
    assert found.push_to_hub().oid == before
    assert "commit" not in hub.requests
    found.push_to_hub(tags=["new"])
    assert "lfs_batch" not in hub.requests
    assert hub.contents("model", REPO)["picture.png"] == b"picture"


def test_without_waiting_there_is_a_future(tmp_path: Path, hub: FakeHub) -> None:
    found = trainer(tmp_path / "out")
    future = found.push_to_hub(blocking=False)
    assert isinstance(future, Future)
    assert future.result().oid == hub.repos["model", REPO].head


def test_a_name_without_a_namespace_is_the_users_own(tmp_path: Path, hub: FakeHub) -> None:
    found = trainer(tmp_path / "out", hub_model_id="mine")
    with pytest.raises(PublishError, match="someone"):  # whom this Hub lets write nowhere but in org
        found.push_to_hub()
    assert found.hub_model_id == "someone/mine"


def test_private_is_for_a_new_repository(tmp_path: Path, hub: FakeHub) -> None:
    found = trainer(tmp_path / "out", hub_private_repo=True)
    found.push_to_hub()
    assert hub.repos["model", REPO].private
    hub.repos["model", REPO].private = False
    found.push_to_hub(private=True, tags=["new"])  # as with Trainer: no effect on one that is there
    assert not hub.repos["model", REPO].private


def test_every_save_pushes_while_training_goes_on(tmp_path: Path, hub: FakeHub) -> None:
    folder = tmp_path / "out"
    options = {"save_strategy": "steps", "save_steps": 2, "save_total_limit": 1, "hub_always_push": True}
    found = trainer(folder, push_to_hub=True, **options)
    assert ("model", REPO) in hub.repos, "it is made before the training, which would be lost without it"
    found.train()
    found._finish_current_push()
    repo = hub.repos["model", REPO]
    assert len(repo.commits) == 3  # the Hub's own, and two saves
    weights = [commit[1]["model.safetensors"].etag for commit in repo.commits[1:]]
    assert len(set(weights)) == 2
    assert "README.md" in repo.commits[1][1]
    assert not [path for path in repo.commits[-1][1] if path.endswith((".bin", ".pt", ".pth"))]
    assert not list(folder.glob("_push*"))
    assert (folder / "checkpoint-4" / "optimizer.pt").is_file()
    found.save_model()  # which pushes too, with push_to_hub
    assert b"Trained with `ContrastiveSeq2SeqTrainer`" in hub.contents("model", REPO)["README.md"]


@pytest.mark.parametrize("step", ["commit", "whoami"])
def test_a_push_that_fails_during_training_does_not_end_it(
    tmp_path: Path, hub: FakeHub, caplog: pytest.LogCaptureFixture, step: str
) -> None:
    found = trainer(tmp_path / "out", push_to_hub=True, save_strategy="epoch")
    with hub.fail_at(step, 500), caplog.at_level(logging.WARNING):
        found.train()
        found._finish_current_push()
        found._pushes.shutdown()  # whose failures have then been told
    found._pushes = None
    assert found.state.global_step == 4
    assert "A push during training failed" in caplog.text
    assert TOKEN not in caplog.text
    assert len(hub.repos["model", REPO].commits) == 1
    found.push_to_hub()
    assert "model.safetensors" in hub.contents("model", REPO)


def test_failures_say_what_to_do(tmp_path: Path, hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    found = trainer(tmp_path / "out")
    with hub.fail_at("create", 403), pytest.raises(PublishError, match="may not do this in org"):
        found.push_to_hub()
    with pytest.raises(PublishError, match="no such repository"):
        found.push_to_hub(revision="a-branch")
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr("trainer_ext.publishing.hub.get_token", lambda: None)
    with pytest.raises(ValueError, match="There is no token"):
        found.push_to_hub()
    assert found.push_to_hub(token=TOKEN).oid == hub.repos["model", REPO].head


def test_an_adapter_is_pushed_and_its_checkpoint_is_left_as_it_is(tmp_path: Path, hub: FakeHub) -> None:
    folder = tmp_path / "out"
    found = trainer(folder, lora=True, push_to_hub=True, save_strategy="epoch")
    found.train()
    found._finish_current_push()
    contents = hub.contents("model", REPO)
    assert {"adapter_config.json", "adapter_model.safetensors", "README.md"} <= set(contents)
    own = (folder / "checkpoint-4" / "README.md").read_bytes()
    assert own != (folder / "README.md").read_bytes()
    assert b"peft" in own


def test_trainers_own_way_to_push_checkpoints_follows_a_push_in_the_background(tmp_path: Path, hub: FakeHub) -> None:
    options = {"push_to_hub": True, "hub_token": TOKEN, "hub_strategy": "checkpoint"}
    found = trainer(tmp_path / "out", save_strategy="steps", save_steps=2, **options)
    first = found.push_to_hub(blocking=False)
    found.train()
    assert first.done()
    assert "last-checkpoint/trainer_state.json" in hub.contents("model", REPO)


def test_other_ranks_push_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = trainer(tmp_path / "out")
    monkeypatch.setattr(found, "is_world_process_zero", lambda: False)
    found.init_hf_repo()
    for strategy in HubStrategy:
        found.args.hub_strategy = strategy
        found._push_from_checkpoint(str(tmp_path))
    assert found.push_in_progress is None
