"""Label-id masks drawn by cityscapesScripts 2.3.0 (`json2labelImg`) from polygons in Cityscapes' own JSON.

`expected/` holds what its `labelTrainIds` encoding draws.
"""

import json
import shutil
from pathlib import Path

import numpy as np
from cityscapesscripts.preparation.json2labelImg import json2labelImg
from PIL import Image

HERE = Path(__file__).parent
shutil.rmtree(HERE / "data", ignore_errors=True)
(HERE / "expected").mkdir(exist_ok=True)
OBJECTS = [
    ("road", [[0, 16], [47, 16], [47, 31], [0, 31]]),
    ("car", [[10, 10], [30, 10], [30, 25], [10, 25]]),
    ("parking", [[35, 20], [45, 20], [45, 30], [35, 30]]),
    ("out of roi", [[0, 0], [3, 0], [3, 3], [0, 3]]),
    ("bicycle", [[20, 12], [26, 12], [23, 22]]),
]
for number, (split, city) in enumerate((("train", "bonn"), ("train", "ulm"), ("val", "jena"))):
    stem = f"{city}_000000_{number:06d}"
    photos, masks = HERE / "data" / "leftImg8bit" / split / city, HERE / "data" / "gtFine" / split / city
    photos.mkdir(parents=True)
    masks.mkdir(parents=True)
    noise = np.random.default_rng(number).integers(0, 4, (32, 48, 3)).astype(np.uint8) * 80
    Image.fromarray(noise).save(photos / f"{stem}_leftImg8bit.png")
    polygons = masks / f"{stem}_gtFine_polygons.json"
    objects = [{"label": label, "polygon": points} for label, points in OBJECTS]
    polygons.write_text(json.dumps({"imgHeight": 32, "imgWidth": 48, "objects": objects}))
    json2labelImg(str(polygons), str(masks / f"{stem}_gtFine_labelIds.png"), "ids")
    json2labelImg(str(polygons), str(HERE / "expected" / f"{stem}_leftImg8bit.png"), "trainIds")
