"""Two overlapping boxes on three photos, written by datumaro 1.13.12 in each of its formats; what lies on top is known.

The car covers x 10..29, y 8..19 and the road, drawn later, x 20..39, y 12..23.
"""

import shutil
from pathlib import Path

import numpy as np
from datumaro.components.annotation import Mask, Polygon
from datumaro.components.dataset import Dataset
from datumaro.components.dataset_base import DatasetItem
from datumaro.components.media import Image

HERE = Path(__file__).parent
CAR, ROAD = (10, 8, 30, 20), (20, 12, 40, 24)


def annotations(kind):
    for order, (label, (left, top, right, bottom)) in enumerate(((1, CAR), (2, ROAD))):
        common = {"label": label, "z_order": order, "id": order + 1, "group": order + 1}
        if kind == "mask":
            mask = np.zeros((32, 48), bool)
            mask[top:bottom, left:right] = True
            yield Mask(mask, **common)
        else:
            yield Polygon([left, top, right, top, right, bottom, left, bottom], **common)


def dataset(kind):
    items = []
    for number, (name, subset) in enumerate((("a_001", "train"), ("b_002", "train"), ("c_001", "val"))):
        noise = np.random.default_rng(number).integers(0, 4, (32, 48, 3)).astype(np.uint8) * 80
        photo = Image.from_numpy(noise, ext=".png")
        items.append(DatasetItem(id=name, subset=subset, media=photo, annotations=list(annotations(kind))))
    return Dataset.from_iterable(items, categories=["background", "car", "road"], media_type=Image)


for kind, formats in (
    ("mask", ("voc_segmentation", "camvid", "cityscapes", "coco_instances", "coco_panoptic")),
    ("polygon", ("coco_instances", "cvat")),
):
    for name in formats:
        folder = HERE / f"{name}_{kind}"
        shutil.rmtree(folder, ignore_errors=True)
        dataset(kind).export(str(folder), name, save_media=True)
