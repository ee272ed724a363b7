#!/bin/sh
# segmentation-models-pytorch==0.6.0, kornia==0.9.0, torch==2.14.1, Python 3.11, 2026-11-27
#
# `ignore_index` keeps void pixels from the sum of a loss but not from what it is divided by. A batch of which half is
# void gets half of the loss with segmentation_models_pytorch's SoftCrossEntropyLoss and kornia's focal_loss: pixels of
# images with much void, such as partial labels or padded crops, weigh less. In kornia's dice_loss an image that is all
# void counts as wholly wrong. torch's own cross_entropy divides by the labelled pixels, so both halves agree there.
#
# Seen:  loss of a batch with one labelled and one void image, and of the labelled image alone:
#        torch 1.7970 1.7970, smp 0.8985 1.7970, kornia focal 0.1667 0.3334, kornia dice 0.8796 0.7593
set -e
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
${PYTHON:-python3} -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check \
    segmentation-models-pytorch==0.6.0 kornia==0.9.0 torch==2.14.1
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PYTHON'
import torch
import segmentation_models_pytorch as smp
from kornia.losses import dice_loss, focal_loss
from torch.nn import functional

torch.manual_seed(0)
logits, target = torch.randn(2, 4, 8, 8), torch.randint(0, 4, (2, 8, 8))
target[0] = 255
losses = {
    "torch": lambda x, y: functional.cross_entropy(x, y, ignore_index=255),
    "smp": smp.losses.SoftCrossEntropyLoss(smooth_factor=0.0, ignore_index=255),
    "kornia focal": lambda x, y: focal_loss(x, y, alpha=None, gamma=2.0, reduction="mean", ignore_index=255),
    "kornia dice": lambda x, y: dice_loss(x, y, average="macro", ignore_index=255),
}
found = {name: (float(loss(logits, target)), float(loss(logits[1:], target[1:]))) for name, loss in losses.items()}
for name, (both, labelled) in found.items():
    print(f"{name}: {both:.4f} with the void image, {labelled:.4f} without")
same = {name: abs(both - labelled) < 1e-4 for name, (both, labelled) in found.items()}
assert same == {"torch": True, "smp": False, "kornia focal": False, "kornia dice": False}, "the behaviour has changed"
for name in ("smp", "kornia focal"):
    assert abs(2 * found[name][0] - found[name][1]) < 1e-4, "the behaviour has changed"
both, labelled = found["kornia dice"]
assert abs(both - (labelled + 1) / 2) < 1e-3, "the behaviour has changed"
PYTHON
