#!/bin/sh
# supervision==0.31.2, pycocotools==2.0.11, opencv-python-headless==4.14.0.94, Python 3.11, 2026-11-27
#
# supervision's DetectionDataset.from_coco(force_masks=True) draws polygons with OpenCV's fillPoly, whose corners are
# pixels; COCO's are points between pixels, as pycocotools reads them. So every region gains a row and a column: a
# square of 100 pixels becomes 121, a pole two pixels wide becomes three. Masks that the same file holds as run lengths
# stay as they are. as_coco traces the larger masks through the centres of their outermost pixels, which takes the row
# and the column off again, so a file that went in and out looks right while the masks in between are not.
#
# Seen:  square 100 -> 121, pole of 2x10 20 -> 33, run lengths 100 -> 100; after as_coco and pycocotools 100, 20, 100
set -e
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
${PYTHON:-python3} -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check \
    supervision==0.31.2 pycocotools==2.0.11 opencv-python-headless==4.14.0.94
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PYTHON'
import json, pathlib
import supervision
from PIL import Image
from pycocotools.coco import COCO

pathlib.Path("photos").mkdir()
Image.new("RGB", (48, 32)).save("photos/a.png")
runs = {"size": [32, 48], "counts": [32 * 10 + 5, *([10, 22] * 10)[:-1], 32 * 28 + 17]}
segments = {"square": [[10, 5, 20, 5, 20, 15, 10, 15]], "pole": [[30, 5, 32, 5, 32, 15, 30, 15]], "run lengths": runs}
shapes = [
    {"id": number, "image_id": 1, "category_id": 1, "segmentation": segment, "iscrowd": int(isinstance(segment, dict)),
     "bbox": [10, 5, 10, 10], "area": 100}
    for number, segment in enumerate(segments.values(), 1)
]
photo = {"id": 1, "file_name": "a.png", "width": 48, "height": 32}
document = {"images": [photo], "annotations": shapes, "categories": [{"id": 1, "name": "thing"}]}
pathlib.Path("in.json").write_text(json.dumps(document))

def areas(path):
    coco = COCO(path)
    return [int(coco.annToMask(shape).sum()) for shape in coco.loadAnns(coco.getAnnIds())]

data = supervision.DetectionDataset.from_coco("photos", "in.json", force_masks=True)
((_, _, found),) = data
seen = [int(mask.sum()) for mask in found.mask]
data.as_coco(annotations_path="out.json")
print("names:", list(segments), "pycocotools:", areas("in.json"), "supervision:", seen, "written again:", areas("out.json"))
assert areas("in.json") == areas("out.json") == [100, 20, 100], "the behaviour has changed"
assert seen == [121, 33, 100], "the behaviour has changed"
PYTHON
