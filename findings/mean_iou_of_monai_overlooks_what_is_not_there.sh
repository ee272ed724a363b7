#!/bin/sh
# monai==1.6.1, segmentation-models-pytorch==0.6.0, torchmetrics==1.9.0, torch==2.14.1, Python 3.11, 2026-11-27
#
# Mean IoU where images lack a class, which is most of them for a rare one. monai's MeanIoU leaves such an image out for
# that class also where the prediction is full of it: false alarms on images without the class cost nothing. In
# segmentation_models_pytorch, reduction 'macro' counts a class that is neither in the truth nor predicted as 1, so
# listing a class more raises the mean. torchmetrics' JaccardIndex over the same pixels counts both as one expects.
#
# Seen:  false alarms on a quarter of the pixels: torchmetrics 1.00 -> 0.56, monai 1.00 -> 1.00 for the class
#        a class that is nowhere: torchmetrics 0.70 -> 0.70, smp 0.70 -> 0.80
set -e
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
${PYTHON:-python3} -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check \
    monai==1.6.1 segmentation-models-pytorch==0.6.0 torchmetrics==1.9.0 torch==2.14.1
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PYTHON'
import torch
from monai.metrics import MeanIoU
from segmentation_models_pytorch.metrics import get_stats, iou_score
from torch.nn.functional import one_hot
from torchmetrics import JaccardIndex

# Two images of two classes; class 1 is in the first alone, and found there to the pixel.
target = torch.zeros(2, 8, 8, dtype=torch.long)
target[0, :4, :5] = 1
right, alarms = target.clone(), target.clone()
alarms[1, :4, :4] = 1  # on the image that has none

def by_monai(predicted):
    metric = MeanIoU(reduction="mean_batch")
    metric(y_pred=one_hot(predicted, 2).movedim(-1, 1), y=one_hot(target, 2).movedim(-1, 1))
    return round(float(metric.aggregate()[1]), 2)

def by_torchmetrics(predicted, classes=2, average="none"):
    found = JaccardIndex("multiclass", num_classes=classes, average=average)(predicted, target)
    return round(float(found[1] if average == "none" else found), 2)

def by_smp(predicted, classes):
    counts = [count.sum(0, keepdim=True) for count in get_stats(predicted, target, "multiclass", num_classes=classes)]
    return round(float(iou_score(*counts, reduction="macro")), 2)

print("IoU of class 1, right and with false alarms: torchmetrics", by_torchmetrics(right), by_torchmetrics(alarms),
      "monai", by_monai(right), by_monai(alarms))
two, three = (by_torchmetrics(alarms, classes, "macro") for classes in (2, 3))
print("mean IoU with two classes, and with a third that is nowhere: torchmetrics", two, three,
      "smp", by_smp(alarms, 2), by_smp(alarms, 3))
assert by_torchmetrics(alarms) == 0.56 and by_monai(alarms) == by_monai(right) == 1.0, "the behaviour has changed"
assert two == three == by_smp(alarms, 2) < by_smp(alarms, 3), "the behaviour has changed"
PYTHON
