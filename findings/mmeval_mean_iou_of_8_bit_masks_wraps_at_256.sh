#!/bin/sh
# mmeval==0.2.1, plum-dispatch==1.7.4, numpy==2.4.6, Python 3.11, 2026-11-27
#
# mmeval's MeanIoU of masks as PNGs give them, with 8 bits a pixel, is wrong from 17 classes on: 19 of Cityscapes, 21 of
# Pascal VOC, 150 of ADE20K. It counts pairs of classes by `num_classes * label + prediction` in the type of the masks,
# where that number wraps at 256 and stands for another pair. A prediction that equals the truth in every pixel does not
# get 1. With up to 16 classes, or int64 for both, the result is right; an int64 prediction beside an 8-bit truth, the
# usual pair, is wrong too. All that is said is numpy's warning of a division by zero, which a class that is in no image
# causes as well.
#
# Seen:  mean IoU of the truth itself, 8 bits: 16 classes 1.0000, 19 0.5897, 21 0.3431, 150 0.0003; int64: 1.0000 each
#        int64 and 8 bits: 16 classes 1.0000, 19 0.6667, 21 0.4118, 150 0.0003
set -e
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
${PYTHON:-python3} -m venv "$work/venv"
# Its requirements, with the OpenCV that needs no libraries of a desktop.
"$work/venv/bin/pip" install --quiet --disable-pip-version-check --no-compile \
    plum-dispatch==1.7.4 numpy==2.4.6 scipy pyyaml rich opencv-python-headless
"$work/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps mmeval==0.2.1
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PYTHON'
import numpy as np
from mmeval import MeanIoU

seen = {"8 bits": {}, "int64": {}, "int64 and 8 bits": {}}
for classes in (16, 19, 21, 150):
    wide = np.arange(classes).repeat(8).reshape(classes, 8)  # as many pixels of each class
    narrow = wide.astype(np.uint8)
    pairs = {"8 bits": (narrow, narrow), "int64": (wide, wide), "int64 and 8 bits": (wide, narrow)}
    for name, (predicted, truth) in pairs.items():
        assert np.array_equal(predicted, truth)
        seen[name][classes] = float(MeanIoU(num_classes=classes)([predicted], [truth])["mIoU"])
for name, found in seen.items():
    print(f"{name}:", ", ".join(f"{classes} classes {value:.4f}" for classes, value in found.items()))
assert set(seen["int64"].values()) == {1.0}, "the behaviour has changed"
for name in ("8 bits", "int64 and 8 bits"):
    found = seen[name]
    assert found[16] == 1.0 and found[19] < 0.7 and found[21] < 0.5 and found[150] < 0.01, "the behaviour has changed"
PYTHON
