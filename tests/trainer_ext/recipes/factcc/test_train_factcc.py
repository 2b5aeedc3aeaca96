"""The FactCC recipe from documents to a card, on a tiny encoder and a rule-based pipeline."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from support.parsed import PEOPLE, PLACES, write_rules
from support.tiny import WORDS, save_left, tiny_model, tiny_tokenizer
from tokenizers import processors
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertModel,
    DataCollatorWithPadding,
    Trainer,
)

from trainer_ext.recipes.documents import read_documents
from trainer_ext.recipes.factcc.claims import Claim
from trainer_ext.recipes.factcc.data import NO_SPAN, claim_rows, fitting
from trainer_ext.recipes.factcc.recipe import FactCCRecipe
from trainer_ext.recipes.factcc.train import measure_kinds, train_factcc
from trainer_ext.recipes.training import encoder_arguments


@pytest.fixture
def setting(tmp_path: Path) -> dict[str, Any]:
    """Options of the recipe: a tiny encoder, a pipeline of rules, and documents of two sentences."""
    tokenizer = tiny_tokenizer()
    ids = [("<s>", tokenizer.bos_token_id), ("</s>", tokenizer.eos_token_id)]
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> $B </s>", special_tokens=ids
    )
    tokenizer.save_pretrained(tmp_path / "base")
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(WORDS) + 5, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32
    )
    BertModel(config).save_pretrained(tmp_path / "base")
    rng = random.Random(0)
    for name, count in (("train", 30), ("validation", 12)):
        rows = []
        for _ in range(count):
            (a, b), (x, y) = rng.sample(PEOPLE, 2), rng.sample(PLACES, 2)
            color, thing = rng.choice(["red", "blue"]), rng.choice(["cat", "dog", "mat", "king", "queen", "river"])
            rows.append(
                {"document": f"the {color} champion {a} was in {x} . the boxer {b} was in {y} and has a {thing} ."}
            )
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return {
        "model": str(tmp_path / "base"),
        "train_files": [str(tmp_path / "train.jsonl")],
        "validation_file": str(tmp_path / "validation.jsonl"),
        "output_dir": str(tmp_path / "factcc-tiny"),
        "pipeline": str(write_rules(tmp_path / "rules")),
        "epochs": 2.0,
        "batch": 4,
        "eval_steps": 5,
        "max_tokens": 64,
        "bf16": False,
        "dtype": "float32",
    }


def test_a_classifier_with_its_card(setting: dict[str, Any]) -> None:
    folder = train_factcc(FactCCRecipe(**setting))
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    assert model.config.id2label == {0: "CORRECT", 1: "INCORRECT"}
    inputs = AutoTokenizer.from_pretrained(folder)("the cat was red .", "the cat .", return_tensors="pt")
    inputs.pop("token_type_ids", None)
    assert model(**inputs).logits.shape == (1, 2)
    card = (folder / "README.md").read_text()
    assert "synthetic claims about" in card
    quality = json.loads((folder / "quality.json").read_text())
    assert {"sentence", "names", "negation", "balanced"} <= set(quality)
    assert 0 <= quality["balanced"]["right"] <= 1
    assert f"Balanced accuracy {quality['balanced']['right']:.3f}" in card


def test_what_is_measured_is_of_the_claims_at_their_places(setting: dict[str, Any], tmp_path: Path) -> None:
    recipe = FactCCRecipe(**setting)
    tokenizer = AutoTokenizer.from_pretrained(recipe.model)
    torch.manual_seed(1)
    model = AutoModelForSequenceClassification.from_pretrained(recipe.model, num_labels=2)
    torch.nn.init.normal_(model.classifier.weight, std=3.0)
    rng = random.Random(0)
    texts = [" ".join(rng.choices(["king", "queen", "river", "red"], k=n)) for n in (1, 9, 3, 20, 2, 7, 14, 5)]
    margins = []
    for text in texts:
        inputs = tokenizer("the king .", text, return_tensors="pt")
        inputs.pop("token_type_ids", None)
        margins.append(float(model.eval()(**inputs).logits[0].detach() @ torch.tensor([1.0, -1.0])))
    middle = sum(sorted(margins)[3:5]) / 2
    model.classifier.bias.data[0] -= middle  # half of them are judged consistent
    judged = [margin > middle for margin in margins]
    # Of the first kind those that are judged consistent, of the other those that are not: of neither kind one is right.
    claims = [
        Claim("the king .", text, "names" if one else "sentence", 0, 10)
        for text, one in zip(texts, judged, strict=True)
    ]
    trainer = Trainer(
        model,
        encoder_arguments(recipe, "balanced_accuracy", higher_is_better=True),
        eval_dataset=claim_rows(claims, tokenizer, 64),
        data_collator=DataCollatorWithPadding(tokenizer),
        processing_class=tokenizer,
    )
    found = measure_kinds(trainer, claims, tokenizer, 64)
    assert found == {"names": (0.0, judged.count(True)), "sentence": (0.0, judged.count(False)), "balanced": (0.0, 8)}


def test_a_run_that_was_cut_off_comes_to_the_same_weights(
    setting: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    whole = train_factcc(FactCCRecipe(**setting))
    step, steps = Trainer.training_step, iter(range(12))

    def cut(self: Trainer, *args: Any, **kwargs: Any) -> torch.Tensor:
        if next(steps, None) is None:
            raise KeyboardInterrupt
        return step(self, *args, **kwargs)

    again = {**setting, "output_dir": str(tmp_path / "again")}
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "training_step", cut)
        with pytest.raises(KeyboardInterrupt):
            train_factcc(FactCCRecipe(**again))
    shutil.rmtree(setting["pipeline"])  # the claims are read, not made anew
    resumed = train_factcc(FactCCRecipe(**again))
    assert (whole / "model.safetensors").read_bytes() == (resumed / "model.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_tokens": 5000}, "max_tokens is 5000"),
        ({"train_files": ["nowhere.jsonl"]}, "nowhere"),
        ({"model": "xx/nowhere"}, "xx/nowhere"),
    ],
)
def test_mistakes_are_found_before_the_work(setting: dict[str, Any], options: dict[str, Any], message: str) -> None:
    with pytest.raises((ValueError, OSError), match=message):
        train_factcc(FactCCRecipe(**{**setting, **options}))


def test_what_is_trained_on_does_not_validate(setting: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="both train and validate"):
        train_factcc(FactCCRecipe(**{**setting, "train_files": [setting["validation_file"]]}))


def test_an_encoder_decoder_is_refused_before_the_work(setting: dict[str, Any], tmp_path: Path) -> None:
    tiny_model("bart").save_pretrained(tmp_path / "bart")
    with pytest.raises(ValueError, match="bart model is not an encoder alone"):
        train_factcc(FactCCRecipe(**{**setting, "model": str(tmp_path / "bart")}))


def test_a_tokenizer_that_pads_on_the_left_is_turned(setting: dict[str, Any]) -> None:
    save_left(AutoTokenizer.from_pretrained(setting["model"]), setting["model"])
    folder = train_factcc(FactCCRecipe(**{**setting, "epochs": 0.2}))
    assert AutoTokenizer.from_pretrained(folder).padding_side == "right"


def test_a_classifier_of_other_labels_gets_a_new_head(setting: dict[str, Any]) -> None:
    labels = dict(enumerate(("entailment", "neutral", "contradiction")))
    AutoModelForSequenceClassification.from_pretrained(
        setting["model"], id2label=labels, label2id={name: label for label, name in labels.items()}
    ).save_pretrained(setting["model"])
    model = AutoModelForSequenceClassification.from_pretrained(train_factcc(FactCCRecipe(**{**setting, "epochs": 0.2})))
    assert model.config.id2label == {0: "CORRECT", 1: "INCORRECT"}
    assert model.classifier.out_features == 2


def test_begun_anew_the_claims_are_kept(setting: dict[str, Any]) -> None:
    recipe = FactCCRecipe(**{**setting, "epochs": 0.2})
    folder = train_factcc(recipe)
    before = (folder / "model.safetensors").read_bytes()
    shutil.rmtree(setting["pipeline"])
    train_factcc(FactCCRecipe(**{**setting, "epochs": 0.2, "resume": False}))
    assert (folder / "model.safetensors").read_bytes() == before
    with pytest.raises(ValueError, match="pipeline"):  # claims of other rules are made anew, with the pipeline
        train_factcc(FactCCRecipe(**{**setting, "epochs": 0.2, "shortened": 0.5}))


def test_documents_are_found_under_the_names_that_data_sets_give_them(tmp_path: Path) -> None:
    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    first.write_text('{"context": "one", "question": "?"}\n{"context": "one", "question": "!"}\n{"context": " "}\n')
    second.write_text('{"document": "two", "summary": "t"}\n{"document": "one", "summary": "o"}\n')
    assert read_documents([str(first), str(second)]) == ["one", "two"]
    talk = tmp_path / "talk.jsonl"
    talk.write_text('{"text": "no", "dialogue": "three"}\n')
    assert read_documents([str(talk)]) == ["three"]
    bad = tmp_path / "c.jsonl"
    bad.write_text('{"summary": "t"}\n')
    with pytest.raises(ValueError, match=r"no column .* rename the column of documents"):
        read_documents([str(bad)])
    bad.write_text('{"text": "t"}\n{"text": "\\ud800"}\n')
    with pytest.raises(ValueError, match=r"row 2.*half a surrogate"):
        read_documents([str(bad)])
    bad.write_text('{"text": "t"}\n{"title": "t"}\n')
    with pytest.raises(ValueError, match=r"row 2.*null, not text"):
        read_documents([str(bad)])


def test_so_many_documents_and_no_more(setting: dict[str, Any]) -> None:
    folder = train_factcc(FactCCRecipe(**{**setting, "documents": 7, "epochs": 0.5}))
    card = (folder / "README.md").read_text()
    assert "claims about 7 documents" in card
    assert "learned to point" in card


def test_by_labels_alone(setting: dict[str, Any]) -> None:
    folder = train_factcc(FactCCRecipe(**{**setting, "span_weight": 0.0, "epochs": 0.5}))
    assert "learned to point" not in (folder / "README.md").read_text()


def test_documents_are_cut_at_various_lengths(setting: dict[str, Any]) -> None:
    rows = [{"text": " ".join(["joshua was in paris with a red cat ."] * 8) + f" {number}"} for number in range(40)]
    Path(setting["train_files"][0]).write_text("".join(json.dumps(row) + "\n" for row in rows))
    train_factcc(FactCCRecipe(**{**setting, "document_words": 50, "epochs": 0.1}))
    claims = json.loads((Path(setting["output_dir"]) / "checkpoints" / "claims-train.json").read_text())["value"]
    lengths = {len(claim["document"].split()) for claim in claims}
    assert min(lengths) >= 10
    assert max(lengths) <= 50
    assert len(lengths) > 10


def test_statements_train_beside_the_claims_and_validate_by_source(setting: dict[str, Any], tmp_path: Path) -> None:
    rng = random.Random(1)
    rows = []
    for number in range(40):
        things = rng.sample(["cat", "dog", "mat", "king", "queen", "river"], 2)
        source = f"the {things[0]} was in {rng.choice(PLACES)} {'now ' * number}."
        rows += [
            {"premise": source, "hypothesis": f"the {things[0]} was in a place .", "label": "entailment"},
            {"premise": source, "hypothesis": f"the {things[1]} was in a place .", "label": "neutral"},
        ]
    (tmp_path / "told.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    options = {**setting, "epochs": 0.5, "statement_files": [str(tmp_path / "told.jsonl")]}
    folder = train_factcc(FactCCRecipe(**options))
    quality = json.loads((folder / "quality.json").read_text())
    assert (quality["stated"]["claims"], quality["not stated"]["claims"]) == (2, 2)  # of two held-out sources
    assert "76 statements about sources, of which 38 are stated" in (folder / "README.md").read_text()


def test_a_told_claim_points_nowhere_and_must_have_been_read_whole(setting: dict[str, Any]) -> None:
    tokenizer = AutoTokenizer.from_pretrained(setting["model"])
    document = "the cat was red . the king was in paris ."
    told = [Claim(document, "the king .", kind, 0, len(document)) for kind in ("stated", "not stated")]
    rows = claim_rows(told, tokenizer, 64, spans=True)
    assert rows["labels"] == [0, 1]
    assert rows["span_positions"] == [[NO_SPAN] * 4] * 2
    whole = len(rows["input_ids"][0])
    assert fitting(told, tokenizer, whole) == told
    assert fitting(told, tokenizer, whole - 1) == []
