"""What a training leaves behind: a QAGen, its best checkpoint, measured figures, a card."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from huggingface_hub import ModelCard
from quals.checkpoint import load_qagen
from safetensors.torch import load_file
from support.qagen_runs import EVAL_STEPS, command, evaluations, last_state, same_weights, write_base
from support.t5 import save_t5
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

from trainer_ext.cli.main import main
from trainer_ext.recipes.qa_data import read_passages


def test_folder_is_a_qagen(unbroken: Path) -> None:
    config = json.loads((unbroken / "config.json").read_text())
    assert config["qagen_separator"] == "<sep>"
    assert config["dtype"] == "float32"
    qagen = load_qagen(str(unbroken))
    assert qagen.separator_id == len(qagen.tokenizer) - 1
    assert qagen.tokenizer("the cat <sep>", split_special_tokens=True)["input_ids"].count(qagen.separator_id) == 0
    assert not list(unbroken.glob("*.bin"))
    assert {weight.dtype for weight in load_file(unbroken / "model.safetensors").values()} == {torch.float32}


def test_it_has_learnt_and_kept_the_best_checkpoint(unbroken: Path) -> None:
    state = last_state(unbroken)
    losses = evaluations(state)
    assert max(losses) == state["global_step"] == state["max_steps"]  # the last step is measured as well
    assert len(losses) >= 4
    assert min(losses.values()) < losses[EVAL_STEPS] - 0.5
    best = min(losses, key=lambda step: losses[step])
    assert state["best_metric"] == losses[best]
    assert same_weights(unbroken, unbroken / "checkpoints" / f"checkpoint-{best}")


def test_the_best_checkpoint_is_kept_although_later_ones_are_worse(data: tuple[Path, Path], tmp_path: Path) -> None:
    # A base that finds every word equally likely, and words that training never asks for: they only get less likely.
    base = write_base(tmp_path / "base", scale=0.02)
    other = tmp_path / "other.jsonl"
    row = {"context": "Klitschko said boxer blue has did champion.", "question": "Did blue joshua?", "answer": "Boxer"}
    other.write_text(json.dumps(row) + "\n")
    output = tmp_path / "qagen"
    assert main(command(base, (data[0], other), output)) == 0
    losses = evaluations(last_state(output))
    best = min(losses, key=lambda step: losses[step])
    assert losses[best] < losses[max(losses)]
    assert same_weights(output, output / "checkpoints" / f"checkpoint-{best}")
    assert not same_weights(output, output / "checkpoints" / f"checkpoint-{max(losses)}")


def test_measured_quality_is_that_of_the_saved_weights(unbroken: Path) -> None:
    quality = json.loads((unbroken / "quality.json").read_text())
    # All validation passages are measured in training too: two computations of one number.
    assert quality["negative_log_likelihood"] == pytest.approx(last_state(unbroken)["best_metric"], abs=1e-3)
    assert quality["pairs"] == quality["answered"] == 24
    assert 0 <= quality["answer_f1"] <= 1
    assert 0 <= quality["surviving_share"] <= 1


def test_card_states_data_steps_and_quality(data: tuple[Path, Path], unbroken: Path) -> None:
    text = (unbroken / "README.md").read_text(encoding="utf-8")
    state = last_state(unbroken)
    quality = json.loads((unbroken / "quality.json").read_text())
    assert ModelCard(text).data.to_dict()["library_name"] == "transformers"
    card = " ".join(text.split())
    for fact in (
        "# tiny-qagen ",
        "`question <sep> answer`",
        "- Invented rows, no licence needed",
        f"{len(read_passages(str(data[0])))} passages with 200 question-answer pairs",
        f"2 passes, {state['global_step']} steps",
        "label smoothing 0, float32, seed 3",
        "weights stored in float32",
        *(f"| {step} | {loss:.3f} |" for step, loss in evaluations(state).items()),
        f"{state['best_metric']:.3f} nats per token",
        "dev.jsonl",
        f"{quality['negative_log_likelihood']:.3f} |",
        f"{quality['answer_f1']:.3f} |",
        f"{quality['surviving_share']:.3f} |",
    ):
        assert fact in card, fact
    assert str(unbroken.parent) not in card  # no path of this machine
    assert not re.search(r"\b(None|nan|inf)\b|[{}]", card)


def test_the_tokenizer_says_nothing_of_this_machine(unbroken: Path) -> None:
    text = (unbroken / "tokenizer_config.json").read_text()
    assert "local" not in text
    assert str(unbroken.parent) not in text


@pytest.mark.parametrize("kind", ["bart", "t5"])
def test_half_precision_is_stored_when_asked_for(kind: str, data: tuple[Path, Path], tmp_path: Path) -> None:
    output = tmp_path / "qagen"
    output.mkdir()  # an empty folder is no obstacle
    base = write_base(tmp_path / "base", kind)
    assert main(command(base, data, output, dtype="float16", epochs=1)) == 0
    assert {weight.dtype for weight in load_file(output / "model.safetensors").values()} == {torch.float16}
    assert "weights stored in float16" in " ".join((output / "README.md").read_text().split())
    qagen = load_qagen(str(output))
    assert {parameter.dtype for parameter in qagen.model.parameters()} == {torch.float32}
    assert all(parameter.isfinite().all() for parameter in qagen.model.parameters())


def test_answer_first_makes_a_question_generator_of_a_qagen(
    unbroken: Path, data: tuple[Path, Path], tmp_path: Path
) -> None:
    output = tmp_path / "questioner-tiny"
    assert main([*command(unbroken, data, output, epochs=10), "--answer-first"]) == 0
    config = json.loads((output / "config.json").read_text())
    assert config["questioner_separator"] == "<sep>"
    assert "qagen_separator" not in config
    with pytest.raises(ValueError, match="was not trained as a QAGen"):
        load_qagen(str(output))
    quality = json.loads((output / "quality.json").read_text())
    assert quality["questions"] == 24
    assert quality["negative_log_likelihood"] < 2
    card = ModelCard.load(output / "README.md").text
    assert "starts with `answer <sep>`" in card
    assert f"24 questions given their answers, {quality['negative_log_likelihood']:.3f} nats per token" in " ".join(
        card.split()
    )
    tokenizer, model = AutoTokenizer.from_pretrained(output), AutoModelForSeq2SeqLM.from_pretrained(output).eval()
    passage = tokenizer("the cat won the mat in the red city of paris .", return_tensors="pt")

    def loss(target: str) -> float:
        labels = tokenizer(f"{target} </s>", add_special_tokens=False, return_tensors="pt")["input_ids"]
        with torch.no_grad():
            return float(model(**passage, labels=labels).loss)

    assert loss("paris <sep> where was the queen ?") < loss("paris <sep> who won the mat ?")
    assert loss("the cat <sep> who won the mat ?") < loss("the cat <sep> where was the queen ?")


def test_a_t5_with_an_output_projection_of_its_own(data: tuple[Path, Path], tmp_path: Path) -> None:
    """As Flan-T5 has, which transformers takes for a copy of the embeddings."""
    base, output = save_t5(tmp_path / "base"), tmp_path / "qagen"
    assert main(command(base, data, output, epochs=1)) == 0
    losses = evaluations(last_state(output))
    best = min(losses, key=lambda step: losses[step])
    assert same_weights(output, output / "checkpoints" / f"checkpoint-{best}")
    weights = load_file(output / "model.safetensors")
    assert not torch.equal(weights["lm_head.weight"], weights["shared.weight"])
    model = load_qagen(str(output)).model
    assert torch.equal(model.get_parameter("lm_head.weight"), weights["lm_head.weight"])
    quality = json.loads((output / "quality.json").read_text())
    assert quality["negative_log_likelihood"] == pytest.approx(last_state(output)["best_metric"], abs=1e-3)
