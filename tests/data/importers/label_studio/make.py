"""Three tasks with brushes, a polygon and a rectangle, converted by label-studio-sdk 2.1.2 to PNG and to COCO.

Brushes are encoded, and drawn into `expected/`, by the SDK's own `brush` module.
"""

import json
import shutil
from pathlib import Path

import numpy as np
from label_studio_sdk.converter import Converter, brush
from PIL import Image

HERE = Path(__file__).parent
CONFIG = """<View><Image name="image" value="$image"/><BrushLabels name="tag" toName="image">
<Label value="car"/><Label value="wet road"/></BrushLabels></View>"""


def region(number, label, mask):
    return {
        "id": f"r{number}", "type": "brushlabels", "from_name": "tag", "to_name": "image", "origin": "manual",
        "original_width": mask.shape[1], "original_height": mask.shape[0], "image_rotation": 0,
        "value": {"format": "rle", "rle": brush.mask2rle(mask), "brushlabels": [label]},
    }  # fmt: skip


def task(number, results, annotations=None):
    photo = f"/data/upload/1/0a1b2c3d-photo_{number:03d}.png"
    when = "2026-11-01T10:00:00Z"
    one = {"id": 10 + number, "completed_by": 1, "result": results, "was_cancelled": False, "ground_truth": False}
    kept = [one | {"created_at": when, "updated_at": when}]
    return {"id": number, "data": {"image": photo}, "annotations": kept if annotations is None else annotations}


photos = HERE / "images"
shutil.rmtree(photos, ignore_errors=True)
photos.mkdir()
for number in (1, 2, 3, 4):
    noise = np.random.default_rng(number).integers(0, 4, (32, 48, 3)).astype(np.uint8) * 80
    Image.fromarray(noise).save(photos / f"0a1b2c3d-photo_{number:03d}.png")

square, blob = np.zeros((32, 48), np.uint8), np.zeros((32, 48), np.uint8)
square[5:15, 10:20] = 255
blob[(np.indices((32, 48)) - np.array([16, 24])[:, None, None]).__pow__(2).sum(0) < 60] = 255
blob[14:18, 22:26] = 0  # a hole
soft = np.zeros((32, 48), np.uint8)  # a stroke with the smoothed edge that a browser's canvas draws
soft[20:26, 5:30], soft[19, 5:30], soft[26, 5:30] = 255, 64, 192
export = [
    task(1, [region(1, "car", square), region(2, "wet road", blob)]),
    task(2, [region(3, "wet road", soft)]),
    task(3, []),
    task(4, [], annotations=[]),
]
(HERE / "brush.json").write_text(json.dumps(export))
shutil.rmtree(HERE / "png", ignore_errors=True)
(HERE / "png").mkdir()
converter = Converter(CONFIG, str(HERE), download_resources=False)
converter.convert(str(HERE / "brush.json"), str(HERE / "png"), "BRUSH_TO_PNG", is_dir=False)
(HERE / "expected").mkdir(exist_ok=True)
for number, labels in ((1, (1, 2)), (2, (2,))):
    mask = np.zeros((32, 48), np.uint8)
    for result, value in zip(export[number - 1]["annotations"][0]["result"], labels, strict=True):
        decoded = brush.decode_rle(result["value"]["rle"]).reshape(32, 48, 4)[:, :, 3]
        mask[decoded > 127] = value
    Image.fromarray(mask).save(HERE / "expected" / f"photo_{number:03d}.png")
