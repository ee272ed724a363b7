"""Losses against torch's own and hand-made cases; the bugs that libraries shipped with void pixels, one test each."""

import math

import pytest
import torch
import torch.nn.functional as F

from training.losses import build_loss, cross_entropy, dice, focal

VOID = 11
NAMES = ["ce", "focal", "dice", "ce+dice", "0.5*focal+2*dice"]


@pytest.fixture
def batch():
    """Logits (2, 4, 6, 7) and targets (2, 6, 7) of which a quarter is void."""
    torch.manual_seed(0)
    targets = torch.randint(0, 4, (2, 6, 7))
    targets[torch.rand(targets.shape) < 0.25] = VOID
    return torch.randn(2, 4, 6, 7, requires_grad=True), targets


@pytest.mark.parametrize("weights", [None, torch.tensor([0.2, 1.0, 3.0, 0.5])])
def test_cross_entropy_equals_torchs(batch, weights):
    logits, targets = batch
    expected = F.cross_entropy(logits, targets, weight=weights, ignore_index=VOID)
    torch.testing.assert_close(cross_entropy(logits, targets, void=VOID, class_weights=weights), expected)


def test_focal_with_gamma_zero_is_cross_entropy(batch):
    logits, targets = batch
    torch.testing.assert_close(
        focal(logits, targets, void=VOID, gamma=0.0), F.cross_entropy(logits, targets, ignore_index=VOID)
    )


def test_a_sum_takes_one_softmax_and_is_the_sum(batch, monkeypatch):
    logits, targets = batch
    parts = cross_entropy(logits, targets, void=VOID) + dice(logits, targets, void=VOID)
    (expected,) = torch.autograd.grad(parts, logits)
    calls, original = [], torch.Tensor.log_softmax
    monkeypatch.setattr(torch.Tensor, "log_softmax", lambda *a, **k: calls.append(a) or original(*a, **k))
    value = build_loss("ce+dice", void=VOID)(logits, targets)
    (found,) = torch.autograd.grad(value, logits)
    assert len(calls) == 1
    torch.testing.assert_close(value, parts)
    torch.testing.assert_close(found, expected)


def test_focal_by_hand():
    """Softmax focal on one pixel, p = 0.8: (1 - 0.8)^2 * -log 0.8; not a sum of sigmoid focals."""
    logits = torch.tensor([0.8, 0.2]).log().view(1, 2, 1, 1)
    value = focal(logits, torch.zeros(1, 1, 1, dtype=torch.long), void=255)
    assert value.item() == pytest.approx(0.04 * -math.log(0.8), rel=1e-5)


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
def test_focal_of_certain_pixels_has_a_finite_gradient(gamma):
    """(1 - p)^gamma has an infinite slope at p = 1 where gamma is below 1; certain void pixels must not bring it in."""
    logits = torch.tensor([100.0, 0.0]).view(1, 2, 1, 1).repeat(1, 1, 1, 2).requires_grad_()
    value = focal(logits, torch.tensor([[[0, 255]]]), void=255, gamma=gamma)
    value.backward()
    assert value.item() == 0 and logits.grad.abs().max().item() == pytest.approx(0, abs=1e-6)


def test_focal_weighs_each_pixel_not_the_mean():
    """(1 - p)^gamma applied to an averaged cross-entropy would give another number."""
    logits = torch.tensor([[0.9, 0.1], [0.3, 0.7]]).log().T.reshape(1, 2, 1, 2)
    targets = torch.zeros(1, 1, 2, dtype=torch.long)
    expected = (0.1**2 * -math.log(0.9) + 0.7**2 * -math.log(0.3)) / 2
    assert focal(logits, targets, void=255).item() == pytest.approx(expected, rel=1e-5)


def test_dice_by_hand():
    """Two pixels, p(0) = 0.75 and 0.5, targets 0 and 1: 1 - mean(2 * 0.75 / 2.25, 2 * 0.5 / 1.75)."""
    logits = torch.tensor([[0.75, 0.25], [0.5, 0.5]]).log().T.reshape(1, 2, 1, 2)
    value = dice(logits, torch.tensor([[[0, 1]]]), void=255)
    assert value.item() == pytest.approx(1 - (1.5 / 2.25 + 1.0 / 1.75) / 2, rel=1e-5)


def test_dice_of_a_perfect_prediction_is_zero(batch):
    _, targets = batch
    perfect = F.one_hot(torch.where(targets == VOID, 0, targets), 4).permute(0, 3, 1, 2) * 1000.0
    assert dice(perfect, targets, void=VOID).item() == pytest.approx(0, abs=1e-6)


def test_dice_is_over_the_batch_not_per_image(batch):
    logits, targets = batch
    together = dice(logits, targets, void=VOID)
    stacked = dice(torch.cat(list(logits), dim=-1)[None], torch.cat(list(targets), dim=-1)[None], void=VOID)
    torch.testing.assert_close(together, stacked)


def test_class_absent_from_the_batch_does_not_pull_dice():
    """A fifth class that nothing holds or predicts leaves the loss as it is (not divided by one class more)."""
    torch.manual_seed(0)
    logits, targets = torch.randn(1, 4, 5, 5), torch.randint(0, 4, (1, 5, 5))
    wider = torch.cat([logits, torch.full((1, 1, 5, 5), -1e4)], 1)
    torch.testing.assert_close(dice(wider, targets, void=VOID), dice(logits, targets, void=VOID))


@pytest.mark.parametrize("name", NAMES)
def test_void_pixels_change_neither_value_nor_gradient(batch, name):
    logits, targets = batch
    loss = build_loss(name, void=VOID)
    value = loss(logits, targets)
    (gradient,) = torch.autograd.grad(value, logits)
    void = (targets == VOID)[:, None].expand_as(logits)
    assert gradient[void].abs().max() == 0 and gradient[~void].abs().max() > 0
    changed = torch.where(void, torch.randn_like(logits) * 50, logits.detach()).requires_grad_()
    changed_value = loss(changed, targets)
    torch.testing.assert_close(changed_value, value)
    torch.testing.assert_close(torch.autograd.grad(changed_value, changed)[0], gradient)


@pytest.mark.parametrize("name", NAMES)
def test_all_void_batch_gives_zero_with_finite_gradients(name):
    logits = torch.randn(2, 3, 4, 4, requires_grad=True)
    value = build_loss(name, void=255)(logits, torch.full((2, 4, 4), 255, dtype=torch.uint8))
    value.backward()
    assert value.item() == 0 and logits.grad.abs().max() == 0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", NAMES)
def test_half_precision_does_not_overflow(name, dtype):
    """A float16 sum over 512 x 512 pixels exceeds 65504; sums are taken in float32."""
    torch.manual_seed(0)
    logits = torch.randn(1, 2, 512, 512, dtype=dtype)
    targets = torch.randint(0, 2, (1, 512, 512), dtype=torch.uint8)
    value = build_loss(name, void=255)(logits, targets)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, build_loss(name, void=255)(logits.float(), targets), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_autocast_changes_neither_value_nor_gradient(batch, name):
    """Loops that compute the loss under autocast, backward included, as torchvision's reference scripts do."""
    found = []
    for enabled in (False, True):
        logits = batch[0].detach().clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            loss = build_loss(name, void=VOID)(logits, batch[1])
            loss.backward()
        found.append((loss.item(), logits.grad))
    assert found[0][0] == found[1][0] and torch.equal(found[0][1], found[1][1])


@pytest.mark.parametrize("name", NAMES)
def test_targets_are_never_written_to(batch, name):
    logits, targets = batch
    before = targets.clone()
    build_loss(name, void=VOID)(logits, targets).backward()
    assert torch.equal(targets, before)


@pytest.mark.parametrize("name", NAMES)
def test_extreme_logits_stay_finite(name):
    logits = torch.tensor([1e4, -1e4]).view(1, 2, 1, 1).requires_grad_()
    for target in (0, 1):
        value = build_loss(name, void=255)(logits, torch.full((1, 1, 1), target))
        assert value.isfinite() and torch.autograd.grad(value, logits)[0].isfinite().all()


def test_sums_add_up(batch):
    logits, targets = batch
    expected = 0.5 * focal(logits, targets, void=VOID) + 2 * dice(logits, targets, void=VOID)
    torch.testing.assert_close(build_loss("0.5*focal+2*dice", void=VOID)(logits, targets), expected)


@pytest.mark.parametrize(
    ("name", "message"),
    [("lovasz", "'lovasz' is not one of"), ("ce+", "'' is not"), ("x*ce", "'x' is not a number")]
    + [(name, "is not above 0") for name in ("nan*ce", "0*ce", "-1*ce", "inf*dice", "ce+0*dice")],
)
def test_unknown_losses_are_named(name, message):
    with pytest.raises(ValueError, match=message):
        build_loss(name, void=255)


def test_summed_loss_is_torchs_sum(batch):
    """The paper's solver: normalize: false."""
    logits, targets = batch
    expected = F.cross_entropy(logits, targets, ignore_index=VOID, reduction="sum")
    torch.testing.assert_close(build_loss("ce", void=VOID, reduction="sum")(logits, targets), expected)


@pytest.mark.parametrize("name", NAMES)
def test_shares_of_a_batch_add_up_to_its_loss(batch, name):
    """`total` is what several processes use: each half of a batch, completed by the other's sums, gives its loss."""
    logits, targets = batch
    targets[0, :4] = VOID  # so that the halves count differently
    whole = build_loss(name, void=VOID)(logits, targets)
    sums = []
    build_loss(name, void=VOID, total=lambda tensor: sums.append(tensor) or tensor)(logits[1:], targets[1:])
    others = iter(sums)
    half = build_loss(name, void=VOID, total=lambda tensor: tensor + next(others))(logits[:1], targets[:1])
    torch.testing.assert_close(half, whole)
    assert next(others, None) is None
