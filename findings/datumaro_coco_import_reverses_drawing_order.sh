#!/bin/sh
# datumaro==1.13.12 (numpy 2.4.6, opencv-python-headless 4.14.0.94), Python 3.11, 2026-11-27
#
# Reading a COCO instances file turns the annotations of each photo round. COCO lists them in drawing order, and
# datumaro itself writes later z_orders later; but after `Dataset.import_from(..., "coco_instances")` the last
# annotation comes first and every z_order is 0, so that a mask export paints the first annotation on top. A data set
# that only passes through datumaro (COCO in, VOC out) has every overlap the wrong way round, without a message.
#
# Seen:  annotation ids after the import: [2, 1], z_orders [0, 0]
#        pixel that both cover: drawn as label 1 (listed first); the COCO file has label 2 on top
set -e
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
${PYTHON:-python3} -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check datumaro==1.13.12
cd "$work"
"$work/venv/bin/python" - <<'PYTHON'
import json, pathlib
import numpy as np
from PIL import Image
from datumaro.components.annotation import AnnotationType
from datumaro.components.dataset import Dataset

root = pathlib.Path("coco")
(root / "annotations").mkdir(parents=True)
(root / "images" / "train").mkdir(parents=True)
Image.new("RGB", (48, 32)).save(root / "images" / "train" / "a.png")
def box(x0, y0, x1, y1):
    return [[x0, y0, x1, y0, x1, y1, x0, y1]]
annotations = [
    {"id": 1, "image_id": 1, "category_id": 1, "segmentation": box(10, 8, 30, 20), "bbox": [10, 8, 20, 12], "area": 240, "iscrowd": 0},
    {"id": 2, "image_id": 1, "category_id": 2, "segmentation": box(20, 12, 40, 24), "bbox": [20, 12, 20, 12], "area": 240, "iscrowd": 0},
]
document = {
    "images": [{"id": 1, "file_name": "a.png", "width": 48, "height": 32}],
    "categories": [{"id": 1, "name": "below"}, {"id": 2, "name": "on top"}],
    "annotations": annotations,
}
(root / "annotations" / "instances_train.json").write_text(json.dumps(document))
dataset = Dataset.import_from(str(root), "coco_instances")
(item,) = list(dataset)
shapes = [shape for shape in item.annotations if shape.type == AnnotationType.polygon]
ids, orders = [shape.id for shape in shapes], [shape.z_order for shape in shapes]
print("annotation ids after the import:", ids, "z_orders", orders)
dataset.transform("polygons_to_masks")
dataset.export("voc", "voc_segmentation", save_media=True)
mask = np.array(Image.open("voc/SegmentationClass/a.png").convert("RGB"))
colours = {tuple(mask[10, 12].tolist()): "below", tuple(mask[22, 38].tolist()): "on top"}
both = colours[tuple(mask[15, 25].tolist())]
print("pixel that both cover is drawn as:", repr(both))
assert len(colours) == 2
assert ids == [2, 1] and orders == [0, 0] and both == "below", "the behaviour has changed"
PYTHON
