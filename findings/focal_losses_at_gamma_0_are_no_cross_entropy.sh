#!/bin/sh
# segmentation-models-pytorch==0.6.0, kornia==0.9.0, monai==1.6.1, torch==2.14.1, Python 3.11, 2026-11-27
#
# A focal loss with gamma 0 is cross-entropy by its definition (Lin et al., arXiv 1708.02002). None of three libraries
# gives it for several classes. segmentation_models_pytorch's mode 'multiclass' takes a sigmoid of each class in place
# of a softmax over them. kornia and monai (with its softmax asked for) take the softmax, and reduction 'mean' then
# divides by the number of classes as well as by the number of pixels: with 11 classes the loss and its gradient are an
# eleventh, against weight decay, and in a sum with another loss, where it all but vanishes beside Dice.
#
# Seen:  torch 1.7333, kornia 0.4333, monai 0.4333 (a quarter, four classes), smp 0.8265 (the sigmoids')
set -e
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
${PYTHON:-python3} -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check \
    segmentation-models-pytorch==0.6.0 kornia==0.9.0 monai==1.6.1 torch==2.14.1
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PYTHON'
import kornia, monai, torch
import segmentation_models_pytorch as smp
from torch.nn import functional

torch.manual_seed(0)
logits, target = torch.randn(2, 4, 8, 8), torch.randint(0, 4, (2, 8, 8))
one_hot = functional.one_hot(target, 4).permute(0, 3, 1, 2).float()
expected = functional.cross_entropy(logits, target)
sigmoids = functional.binary_cross_entropy_with_logits(logits, one_hot)
found = {
    "kornia": kornia.losses.focal_loss(logits, target, alpha=None, gamma=0.0, reduction="mean"),
    "monai": monai.losses.FocalLoss(gamma=0.0, use_softmax=True, to_onehot_y=True)(logits, target[:, None]),
    "smp": smp.losses.FocalLoss("multiclass", gamma=0.0)(logits, target),
}
print(f"torch's cross-entropy {expected:.4f}, a quarter of it {expected / 4:.4f}, mean over sigmoids {sigmoids:.4f}")
for name, value in found.items():
    print(f"{name} {value:.4f}")
assert torch.isclose(found["kornia"], expected / 4) and torch.isclose(found["monai"], expected / 4), "changed"
assert torch.isclose(found["smp"], sigmoids) and not torch.isclose(found["smp"], expected), "changed"
PYTHON
