#!/bin/sh
# label-studio-sdk==2.1.2 (opencv-python-headless 4.14.0.94), pycocotools==2.0.11, Python 3.11, 2026-11-27
#
# Label Studio's export "Brush labels to COCO" does not keep brush regions. It traces outlines through the centres of
# the outermost pixels (cv2.findContours), and COCO reads polygons as outlines between pixels: a region loses a row and
# a column. It asks for outer contours only, so holes are filled. Contours of fewer than three points are dropped, so a
# stroke one pixel wide vanishes, with its annotation. The same brush exported as PNG or JSON is exact.
#
# Seen:  square of 100 pixels -> 81, ring of 84 pixels around a hole of 16 -> 81, line of 10 pixels -> 0
set -e
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
${PYTHON:-python3} -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check label-studio-sdk==2.1.2 pycocotools==2.0.11
cd "$work"
"$work/venv/bin/python" - <<'PYTHON'
import json, pathlib
import numpy as np
from PIL import Image
from label_studio_sdk.converter import Converter, brush
from pycocotools.coco import COCO

def region(shape):
    mask = np.zeros((32, 48), np.uint8)
    mask[5:15, 10:20] = 255
    if shape == "ring":
        mask[8:12, 13:17] = 0
    if shape == "line":
        mask[6:15] = 0
    return mask

tasks = []
for number, shape in enumerate(("square", "ring", "line"), 1):
    Image.new("RGB", (48, 32)).save(f"{shape}.png")
    value = {"format": "rle", "rle": brush.mask2rle(region(shape)), "brushlabels": ["thing"]}
    result = {"id": shape, "type": "brushlabels", "from_name": "tag", "to_name": "image", "value": value,
              "original_width": 48, "original_height": 32, "image_rotation": 0}
    tasks.append({"id": number, "data": {"image": str(pathlib.Path(f"{shape}.png").resolve())},
                  "annotations": [{"id": number, "completed_by": 1, "result": [result]}]})
pathlib.Path("tasks.json").write_text(json.dumps(tasks))
config = ('<View><Image name="image" value="$image"/><BrushLabels name="tag" toName="image">'
          '<Label value="thing"/></BrushLabels></View>')
Converter(config, ".", download_resources=False).convert("tasks.json", "coco", "BRUSH_TO_COCO", is_dir=False)
(path,) = pathlib.Path("coco").rglob("*.json")
coco = COCO(path)
seen = {}
for image in coco.loadImgs(coco.getImgIds()):
    shape = pathlib.Path(image["file_name"]).stem
    found = [coco.annToMask(one) for one in coco.loadAnns(coco.getAnnIds(imgIds=image["id"]))]
    seen[shape] = int(np.any(found, axis=0).sum()) if found else 0
for shape in ("square", "ring", "line"):
    print(f"{shape}: drawn {int((region(shape) > 0).sum())} pixels, exported {seen.get(shape, 0)}")
assert (seen["square"], seen["ring"], seen.get("line", 0)) == (81, 81, 0), "the behaviour has changed"
PYTHON
