#!/bin/sh
# datumaro==1.13.12, Python 3.11, 2026-11-27
#
# A data set of polygons exported to a format of masks (voc_segmentation, camvid, cityscapes) succeeds and holds no
# mask at all: the label table and the photos are written, the annotations are not, and nothing is said. They would have
# to be turned into masks first (`transform("polygons_to_masks")`). With masks, and the categories as made from names,
# the table of labels comes without colours (`car:::`), though the PNGs are written in colours that it should explain.
#
# Seen:  polygons: labelmap.txt and 1 photo, masks 0; lists of the split 0
#        masks: masks 1, colours in the PNG [(0, 0, 0), (128, 0, 0)], labelmap.txt 'car:::'
set -e
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
${PYTHON:-python3} -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check datumaro==1.13.12
cd "$work"
"$work/venv/bin/python" - <<'PYTHON'
import pathlib
import numpy as np
from PIL import Image as Pillow
from datumaro.components.annotation import Mask, Polygon
from datumaro.components.dataset import Dataset
from datumaro.components.dataset_base import DatasetItem
from datumaro.components.media import Image

area = np.zeros((32, 48), bool)
area[8:20, 10:30] = True
shapes = {"polygons": Polygon([10, 8, 30, 8, 30, 20, 10, 20], label=1), "masks": Mask(area, label=1)}
for kind, shape in shapes.items():
    photo = Image.from_numpy(np.zeros((32, 48, 3), np.uint8), ext=".png")
    item = DatasetItem(id="a", subset="train", media=photo, annotations=[shape])
    dataset = Dataset.from_iterable([item], categories=["background", "car"], media_type=Image)
    dataset.export(kind, "voc_segmentation", save_media=True)

def count(pattern):
    return len(list(pathlib.Path().glob(pattern)))

polygons = count("polygons/JPEGImages/*"), count("polygons/SegmentationClass/*"), count("polygons/ImageSets/*/*")
print("polygons: photos %d, masks %d, lists of the split %d" % polygons)
png = np.array(Pillow.open("masks/SegmentationClass/a.png").convert("RGB"))
colours = sorted(set(map(tuple, png.reshape(-1, 3).tolist())))
table = pathlib.Path("masks/labelmap.txt").read_text().splitlines()
print("masks: masks %d, colours in the PNG %s, labelmap.txt %r" % (count("masks/SegmentationClass/*"), colours, table[-1]))
assert polygons == (1, 0, 0), "the behaviour has changed"
assert len(colours) == 2 and table[-1] == "car:::", "the behaviour has changed"
PYTHON
