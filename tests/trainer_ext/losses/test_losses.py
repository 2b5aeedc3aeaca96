"""Contrastive losses against values computed by hand, their gradients, and what must not change them."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from trainer_ext.losses import (
    LOSSES,
    ContrastiveLoss,
    Hellinger,
    Hinge,
    Likelihoods,
    Margin,
    Preference,
    Unlikelihood,
    likelihoods,
    make_loss,
)
from trainer_ext.objective import Counts, Objective

# One document, vocabulary of 2. The positive has tokens of probability 1/2 and 1/2; candidate A 3/4 and 1/4; candidate
# B has one token of probability 1/4.
HALF = [0.0, 0.0]
SURE = [math.log(3.0), 0.0]  # 3/4 and 1/4
LOGITS = torch.tensor([[[HALF, HALF], [SURE, SURE], [SURE, HALF]]], dtype=torch.float64)  # (1, 3, 2, 2)
TARGETS = torch.tensor([[[0, 1], [0, 1], [1, -100]]])  # (1, 3, 2)
SCORES = torch.tensor([[-1.0, -2.0]], dtype=torch.float64)  # (1, 2)


def found(logits: Tensor = LOGITS, targets: Tensor = TARGETS, scores: Tensor = SCORES) -> Likelihoods:
    return likelihoods(logits, targets, scores)


P = 2 * math.log(0.5)  # of the whole positive
A = math.log(0.75) + math.log(0.25)
B = math.log(0.25)


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (Unlikelihood(), -math.log(0.25) - math.log(0.75) - math.log(0.75)),
        (Hellinger(), (1 - 0.5) ** 2 + 2 * (1 - math.sqrt(0.75)) ** 2),
        # Ranks: positive 0, A 1, B 2. Comparisons: P-A, P-B (gap 2), A-B.
        (
            Margin(margin=0.5, length_penalty=1.0),
            (max(0, A / 2 - P / 2 + 0.5) + max(0, B - P / 2 + 1.0) + max(0, B - A / 2 + 0.5)) / 3,
        ),
        (Hinge(margin=1.0), (max(0, 1 - P + A) + max(0, 1 - P + B)) / 2),
        (
            Preference(beta=2.0, gamma=1.0),
            -sum(math.log(1 / (1 + math.exp(-(2 * (P / 2 - f) - 1)))) for f in (A / 2, B)) / 2,
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, ContrastiveLoss) else "",
)
def test_value_by_hand(loss: ContrastiveLoss, expected: float) -> None:
    assert loss.total(found()).item() == pytest.approx(expected, abs=1e-12)


def test_objective_divides_as_the_paper_does() -> None:
    counts = Counts.of(TARGETS[:, 0], TARGETS[:, 1:])
    assert [int(count) for count in counts] == [2, 3, 1]
    objective = Objective(Unlikelihood(), weight=0.5, mle_weight=2.0)
    mle, contrastive = objective.parts(found())
    assert mle.item() == pytest.approx(-P)
    assert objective.value(mle, contrastive, counts).item() == pytest.approx(
        (2.0 * -P + 0.5 * contrastive.item()) / (2 + 3)
    )
    by_document = Objective(Hinge(), weight=0.5)
    mle, contrastive = by_document.parts(found())
    assert by_document.value(mle, contrastive, counts).item() == pytest.approx(-P / 2 + 0.5 * contrastive.item())


def test_label_smoothing_is_transformers_own() -> None:
    from transformers.trainer_pt_utils import LabelSmoother

    torch.manual_seed(0)
    logits = torch.randn(3, 2, 5, 11)
    targets = torch.randint(0, 11, (3, 2, 5))
    targets[0, 0, 3:] = -100
    scores = torch.full((3, 1), math.nan)
    mle, _ = Objective(Unlikelihood(), label_smoothing=0.1).parts(likelihoods(logits, targets, scores))
    expected = LabelSmoother(0.1)({"logits": logits[:, 0]}, targets[:, 0].clone())
    assert (mle / (targets[:, 0] != -100).sum()).item() == pytest.approx(expected.item(), rel=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_are_those_of_the_value(name: str) -> None:
    torch.manual_seed(1)
    logits = torch.randn(2, 3, 4, 6, dtype=torch.float64, requires_grad=True)
    targets = torch.randint(0, 6, (2, 3, 4))
    targets[1, 2] = -100  # a candidate that is not there
    targets[0, 1, 2:] = -100
    scores = torch.tensor([[0.3, -0.7], [0.1, math.nan]], dtype=torch.float64)
    objective = Objective(make_loss(name), label_smoothing=0.1)

    def value(logits: Tensor) -> Tensor:
        return torch.stack(objective.parts(likelihoods(logits, targets, scores)))

    assert torch.autograd.gradcheck(value, (logits,))


@pytest.mark.parametrize("lead", [20.0, 60.0, 300.0])
def test_unlikelihood_keeps_its_gradient_where_the_model_is_certain(lead: float) -> None:
    logits = torch.zeros(1, 2, 1, 4)
    logits[..., 2] = lead  # float32: 1 - p is 0 to rounding
    logits.requires_grad_(True)
    value = Unlikelihood().total(likelihoods(logits, torch.full((1, 2, 1), 2), torch.tensor([[math.nan]])))
    value.backward()
    assert value.item() == pytest.approx(lead - math.log(3), rel=1e-5)
    assert logits.grad is not None
    torch.testing.assert_close(logits.grad[0, 1, 0], torch.tensor([-1 / 3, -1 / 3, 1.0, -1 / 3]), atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", LOSSES)
def test_half_precision_extremes_stay_finite(name: str) -> None:
    logits = torch.full((1, 3, 2, 5), -1e4, dtype=torch.float16)
    logits[..., 0] = 1e4
    logits.requires_grad_(True)
    targets = torch.tensor([[[0, 0], [0, 1], [1, 0]]])
    mle, contrastive = Objective(make_loss(name), label_smoothing=0.1).parts(
        likelihoods(logits, targets, torch.tensor([[0.0, 1.0]]))
    )
    (mle + contrastive).backward()
    assert torch.isfinite(mle + contrastive)
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("name", LOSSES)
def test_order_and_padding_of_candidates_change_nothing(name: str) -> None:
    torch.manual_seed(2)
    logits, targets = torch.randn(2, 4, 5, 9), torch.randint(0, 9, (2, 4, 5))
    scores = torch.tensor([[0.1, 0.5, -1.0], [0.2, math.nan, 0.0]])
    loss = make_loss(name)
    expected = loss.total(likelihoods(logits, targets, scores)).item()
    order = [2, 0, 1]
    rows = [0] + [1 + place for place in order]
    assert loss.total(likelihoods(logits[:, rows], targets[:, rows], scores[:, order])).item() == pytest.approx(
        expected
    )
    padded = torch.nn.functional.pad(targets, (0, 2, 0, 1), value=-100)  # a position more in T twice, a row more in K
    wider = torch.nn.functional.pad(logits, (0, 0, 0, 2, 0, 1), value=3.0)
    more = torch.nn.functional.pad(scores, (0, 1), value=math.nan)
    assert loss.total(likelihoods(wider, padded, more)).item() == pytest.approx(expected)


def test_unscored_candidates_are_compared_with_the_positive_alone() -> None:
    better, gaps = found(scores=torch.tensor([[math.nan, -2.0]])).comparisons()
    assert better[0].tolist() == [[False, True, True], [False, False, False], [False, False, False]]
    assert gaps[0, 0].tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("triplet", {}, "give one of unlikelihood"),
        ("unlikelihood", {"margin": 1.0}, "has no option 'margin'"),
        ("margin", {"margin": math.nan}, "give a finite number"),
    ],
)
def test_mistakes_are_named(name: str, options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_loss(name, **options)


def test_options_reach_the_loss() -> None:
    assert make_loss("hinge", margin=2.0, length_penalty=1.0) == Hinge(2.0, 1.0)


@pytest.mark.parametrize(("loss", "per"), [("unlikelihood", "candidate token"), ("hinge", "document")])
def test_the_logged_losses_are_explained(loss: str, per: str) -> None:
    text = Objective(make_loss(loss), label_smoothing=0.1).explanation()
    assert f"contrastive_loss (per {per})" in text
    assert "smoothed by 0.1" in text
    assert "smoothed" not in Objective(make_loss(loss)).explanation()
