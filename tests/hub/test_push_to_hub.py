"""Trainer's own push, from our trainer: the model and its card arrive, and what training keeps for itself does not."""

from __future__ import annotations

from pathlib import Path

from support.hub_repo import TOKEN
from support.hub_server import FakeHub
from support.mining_data import copied, documents, summarizer, with_labels
from support.tiny import tiny_tokenizer
from support.trainer_runs import arguments
from transformers import AutoModelForSeq2SeqLM

from trainer_ext import ContrastiveSeq2SeqTrainer

REPO = "org/summarizer"


def test_a_mined_training_pushes_no_training_data(tmp_path: Path, hub: FakeHub) -> None:
    """Mining, fine-tuning by likelihood, the card's scores and checkpoints leave their files in the output folder."""
    folder, model = tmp_path / "for-facts", summarizer()
    rows = with_labels(model, documents(16))
    trainer = ContrastiveSeq2SeqTrainer(
        model,
        arguments(
            folder,
            hub_model_id=REPO,
            hub_token=TOKEN,
            push_to_hub=True,
            save_strategy="epoch",
            mle_epochs=1,
            num_candidates=4,
            sampling_temperature=0.7,
            card_documents=2,
        ),
        train_dataset=rows,
        eval_dataset=rows.select(range(4)),
        processing_class=tiny_tokenizer(),
        ranker=copied,
    )
    assert ("model", REPO) in hub.repos, "it is made before the training, which would be lost without it"
    trainer.train()
    trainer.push_to_hub(tags=["a-tag"], dataset="XSum")
    left = {path.name for path in folder.iterdir()}
    assert {"_mining", "_mle", "_contrastive.json"} <= left, "there is something to leave out"
    assert [name for name in left if name.startswith("checkpoint-")]
    sent = {path for _, files in hub.repos["model", REPO].commits for path in files}
    assert not [path for path in sent if path.startswith(("_", "checkpoint-")) or "chunk" in path]
    assert {"README.md", "config.json", "model.safetensors", "tokenizer.json"} <= sent
    card = hub.contents("model", REPO)["README.md"].decode()
    assert "a-tag" in card
    assert "Trained with `ContrastiveSeq2SeqTrainer`" in card
    assert AutoModelForSeq2SeqLM.from_pretrained(folder)
