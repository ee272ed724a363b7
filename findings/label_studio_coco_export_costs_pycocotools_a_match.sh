#!/bin/sh
# label-studio-sdk==2.1.2, pycocotools==2.0.11, Python 3.11, 2026-11-27
#
# Label Studio's COCO export numbers annotations from 0. pycocotools loads them all, but its COCOeval writes for each
# detection the id of the annotation that it matches into an array where 0 says "none": a detection that finds the first
# annotation counts as a false alarm, and the annotation as missed. Detections that equal the truth do not get an
# average precision of 1; for a single region they get 0. Nothing is said. With 1 added to each id, the same file gives 1.
#
# Seen:  average precision of the truth itself, in 1, 2, 4 and 8 photos of one region each:
#        as exported 0.000, 0.252, 0.564, 0.762; ids from 1: 1.000 each
set -e
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
${PYTHON:-python3} -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check --no-compile \
    label-studio-sdk==2.1.2 pycocotools==2.0.11
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PYTHON'
import contextlib, io, json, pathlib
from PIL import Image
from label_studio_sdk.converter import Converter
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

config = ('<View><Image name="image" value="$image"/><PolygonLabels name="tag" toName="image">'
          '<Label value="thing"/></PolygonLabels></View>')

def exported(photos):
    tasks = []
    for number in range(1, photos + 1):
        Image.new("RGB", (100, 100)).save(f"{number}.png")
        value = {"points": [[10, 10], [60, 10], [60, 50], [10, 50]], "polygonlabels": ["thing"]}
        result = {"id": f"region{number}", "type": "polygonlabels", "from_name": "tag", "to_name": "image",
                  "value": value, "original_width": 100, "original_height": 100, "image_rotation": 0}
        tasks.append({"id": number, "data": {"image": str(pathlib.Path(f"{number}.png").resolve())},
                      "annotations": [{"id": number, "completed_by": 1, "result": [result]}]})
    pathlib.Path("tasks.json").write_text(json.dumps(tasks))
    Converter(config, ".", download_resources=False).convert("tasks.json", f"coco{photos}", "COCO", is_dir=False)
    (path,) = pathlib.Path(f"coco{photos}").rglob("*.json")
    return json.loads(path.read_text())

def precision(document):
    pathlib.Path("truth.json").write_text(json.dumps(document))
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO("truth.json")
        regions = truth.loadAnns(truth.getAnnIds())
        found = [{"image_id": region["image_id"], "category_id": region["category_id"],
                  "segmentation": truth.annToRLE(region), "score": 0.9} for region in regions]
        evaluation = COCOeval(truth, truth.loadRes(found), "segm")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return round(float(evaluation.stats[0]), 3)

seen = {}
for photos in (1, 2, 4, 8):
    document = exported(photos)
    assert [region["id"] for region in document["annotations"]] == list(range(photos)), "the behaviour has changed"
    as_it_is = precision(document)
    for region in document["annotations"]:
        region["id"] += 1
    seen[photos] = as_it_is, precision(document)
    print(f"{photos} photos: as exported {seen[photos][0]:.3f}, ids from 1 {seen[photos][1]:.3f}")
assert all(after == 1.0 for _, after in seen.values()), "the behaviour has changed"
assert [before for before, _ in seen.values()] == [0.0, 0.252, 0.564, 0.762], "the behaviour has changed"
PYTHON
