"""A COCO file with polygons (one of two parts), both kinds of run lengths and a crowd, drawn by pycocotools 2.0.11."""

import json
from pathlib import Path

import numpy as np
from PIL import Image
from pycocotools import mask as api
from pycocotools.coco import COCO

HERE = Path(__file__).parent
(HERE / "expected").mkdir(exist_ok=True)
region = np.zeros((32, 48), np.uint8, order="F")
region[20:28, 3:45:2] = 1
packed = api.encode(region)
packed["counts"] = packed["counts"].decode()
plain = {"size": [32, 48], "counts": [0, 5, 27, 5, 27, 5, 32 * 48 - 69]}
shapes = [
    {"category_id": 7, "iscrowd": 0, "segmentation": [[4.5, 3.2, 30.1, 5.0, 22.7, 19.9]]},
    {"category_id": 3, "iscrowd": 0, "segmentation": [[10, 8, 30, 8, 30, 20, 10, 20], [40, 2, 46, 2, 46, 9]]},
    {"category_id": 7, "iscrowd": 1, "segmentation": packed},
    {"category_id": 3, "iscrowd": 1, "segmentation": plain},
]
annotations = [
    {"id": number, "image_id": 1, "bbox": [0, 0, 1, 1], "area": 1, **item} for number, item in enumerate(shapes)
]
images = [{"id": number, "file_name": f"p_{number:03d}.png", "width": 48, "height": 32} for number in (1, 2)]
categories = [{"id": 7, "name": "road", "supercategory": ""}, {"id": 3, "name": "car", "supercategory": ""}]
path = HERE / "instances.json"
path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
coco = COCO(path)
mask = np.zeros((32, 48), np.uint8)
for item in coco.loadAnns(coco.getAnnIds(imgIds=1)):
    mask[coco.annToMask(item) > 0] = {3: 1, 7: 2}[item["category_id"]]
Image.fromarray(mask).save(HERE / "expected" / "p_001.png")
for number in (1, 2):
    noise = np.random.default_rng(number).integers(0, 4, (32, 48, 3)).astype(np.uint8) * 80
    Image.fromarray(noise).save(HERE / f"p_{number:03d}.png")
