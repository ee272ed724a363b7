#!/bin/sh
# torchmetrics==1.9.0, torch==2.14.1, Python 3.11, 2026-11-27
#
# torchmetrics' GeneralizedDiceScore of the same predictions changes with the batch size. It weighs each class of an
# image by one over its squared area; where an image lacks a class, which is common, that weight would be infinite and
# is replaced by the largest one that this class has in the batch. So what an image scores depends on the images that
# it shares a batch with, and on their order. MeanIoU and DiceScore of the same predictions do not.
#
# Seen:  0.3197 in batches of 1, 0.2331 of 2, 0.2261 of 4
set -e
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
${PYTHON:-python3} -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check torchmetrics==1.9.0 torch==2.14.1
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PYTHON'
import torch
from torchmetrics.segmentation import DiceScore, GeneralizedDiceScore, MeanIoU

torch.manual_seed(0)
predicted, target = torch.randint(0, 3, (4, 8, 8)), torch.randint(0, 3, (4, 8, 8))
target[0] = 0  # an image of one class

def score(metric, size):
    metric = metric(num_classes=3, input_format="index")
    for first in range(0, 4, size):
        metric.update(predicted[first : first + size], target[first : first + size])
    return round(float(metric.compute()), 4)

for metric in (MeanIoU, DiceScore, GeneralizedDiceScore):
    found = [score(metric, size) for size in (1, 2, 4)]
    print(f"{metric.__name__}: {found} in batches of 1, 2 and 4")
    assert (len(set(found)) > 1) == (metric is GeneralizedDiceScore), "the behaviour has changed"
PYTHON
