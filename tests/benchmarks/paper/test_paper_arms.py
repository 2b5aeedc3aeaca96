"""Arms from a model whose output layer is its own, as Flan-T5's is: what is saved is what was trained."""

from __future__ import annotations

from pathlib import Path
from shutil import rmtree
from typing import Any

import pytest
import torch
from datasets import Dataset
from support.t5 import save_t5
from transformers import AutoTokenizer, PreTrainedModel

from benchmarks.common.examples import Example, tokenized
from benchmarks.common.quals_model import QualsModel
from benchmarks.common.summarizers import load, summarized, train_stage
from benchmarks.paper.arms import Common, Contrastive
from benchmarks.paper.cape import Cape, halves
from benchmarks.paper.mining import Mined
from benchmarks.paper.stages import Settings, fine_tuned

EXAMPLES = [Example(f"the {a} sat on the {b} of paris", f"the {a} sat") for a in ("cat", "king", "queen", "river") for b
            in ("mat", "city", "red")]  # fmt: skip


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_t5(tmp_path_factory.mktemp("t5") / "model")


def logits(model: PreTrainedModel, rows: Dataset) -> torch.Tensor:
    ids, labels = (torch.tensor(rows[column][:1]) for column in ("input_ids", "labels"))
    with torch.inference_mode():
        # Trainer leaves its automatic bfloat16 around the model's forward.
        found: torch.Tensor = type(model).forward(model.eval(), input_ids=ids, labels=labels).logits
    return found


def test_a_saved_stage_is_what_was_trained(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fine-tuning takes the best pass's weights back from disk; the contrast begins from its folder."""
    settings = Settings(str(model), tmp_path, mle_epochs=3, mle_learning_rate=0.02, max_source=32, max_target=12)
    tokenizer = AutoTokenizer.from_pretrained(model)
    rows = tokenized(EXAMPLES, tokenizer, 32, 12, "what is it? ")
    assert "what is it?" in tokenizer.decode(rows["input_ids"][0])
    assert rows["document"][0] == EXAMPLES[0].document
    trained: list[torch.Tensor] = []
    warm_up: list[float] = []

    def stage(trainer: Any, folder: Path, note: Any) -> None:
        train_stage(trainer, folder, note)
        trained.append(logits(trainer.model, rows))
        warm_up.append(trainer.args.warmup_steps)

    for module in ("stages", "arms"):
        monkeypatch.setattr(f"benchmarks.paper.{module}.train_stage", stage)
    mle = fine_tuned(settings, "set", rows, rows, tokenizer)
    first, saved = load(model, 12), load(mle, 12)
    assert not torch.equal(saved.lm_head.weight, saved.shared.weight)
    assert torch.equal(logits(saved, rows), trained[0])
    assert not torch.allclose(logits(first, rows), trained[0], atol=1e-3)

    chosen = tmp_path / "chosen"
    rows.add_column("candidate_labels", [[row] for row in reversed(rows["labels"][:])]).save_to_disk(str(chosen))
    common = Common(settings, "set", mle, [rows.select([0])], tokenizer, QualsModel(None, "float32"))
    arm = Contrastive(common, "quals", 17, "quals", chosen, settings)
    arm.finish()
    assert torch.equal(logits(load(arm.folder, 12), rows), trained[1])
    assert warm_up == [50, 0], "a training of four steps has no fifty of warm-up"

    scores = [float(place % 5) for place in range(len(rows))]
    scores[0] = float("nan")
    pool = rows.add_column("reference_score", scores)
    both = halves(settings, "set", lambda: Mined({"quals": pool}, None))
    good, bad = (Dataset.load_from_disk(str(half)) for half in both)
    assert (len(good), len(bad)) == (5, 5), "eleven have a score"
    assert min(scores[rows["document"][:].index(text)] for text in good["document"]) >= 2
    assert max(scores[rows["document"][:].index(text)] for text in bad["document"]) <= 2
    cape = Cape(common, "cape", 17, both, 0.5)
    cape.finish()
    towards, away, shifted = (
        load(folder, 12) for folder in (*(tmp_path / "set" / f"cape-17-{h}consistent" for h in ("", "in")), cape.folder)
    )
    for name, weight in shifted.named_parameters():
        step = towards.get_parameter(name) - away.get_parameter(name)
        assert torch.allclose(weight, saved.get_parameter(name) + 0.5 * step, atol=1e-6)
    assert not torch.equal(shifted.lm_head.weight, saved.lm_head.weight)
    assert len(summarized(cape.folder, common.tests[0], tokenizer, 12)) == 1
    monkeypatch.setattr("benchmarks.paper.arms.ContrastiveSeq2SeqTrainer", None)
    cape.finish()


def test_training_goes_on_from_a_checkpoint_with_its_own_output_layer(model: Path, tmp_path: Path) -> None:
    """As after a kill: a resumed run ends where one without a break does."""
    tokenizer = AutoTokenizer.from_pretrained(model)
    rows = tokenized(EXAMPLES, tokenizer, 32, 12)
    ends = []
    for folder in ("whole", "broken"):
        settings = Settings(str(model), tmp_path / folder, mle_epochs=4, mle_learning_rate=0.02, max_target=12)
        mle = fine_tuned(settings, "set", rows, rows, tokenizer)
        if folder == "broken":
            (mle / "done.json").unlink()
            last = max(mle.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
            rmtree(last)
            fine_tuned(settings, "set", rows, rows, tokenizer)
        ends.append(logits(load(mle, 12), rows))
    assert torch.equal(*ends)
