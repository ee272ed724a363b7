"""Label sets: class names, palette and void index of PASCAL VOC, Cityscapes and CamVid.

The only place where these lists stand. Palettes are the ones the datasets publish: the VOC devkit's bit-reversal
colour map, cityscapesScripts' `labels.py` (19 train ids) and SegNet's 11-class CamVid colours.
"""

from dataclasses import dataclass

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class LabelSet:
    """Classes of one dataset; class `i` is `classes[i]` and is drawn in `palette[i]` (RGB, 0..255).

    `void` is the value that marks unlabelled pixels in this dataset's masks; it lies outside `range(len(classes))`.
    Raises ValueError when the fields do not fit each other.
    """

    name: str
    title: str
    classes: tuple[str, ...]
    palette: tuple[Colour, ...]
    void: int

    def __post_init__(self):
        if not 1 <= len(self.classes) <= 255:
            raise ValueError(f"label set {self.name!r}: needs 1 to 255 classes, has {len(self.classes)}")
        if len(set(self.classes)) != len(self.classes):
            raise ValueError(f"label set {self.name!r}: class names must differ from one another")
        if len(self.palette) != len(self.classes):
            raise ValueError(f"label set {self.name!r}: {len(self.classes)} classes but {len(self.palette)} colours")
        if any(len(colour) != 3 or not all(0 <= value <= 255 for value in colour) for colour in self.palette):
            raise ValueError(f"label set {self.name!r}: each colour is three whole numbers from 0 to 255")
        if not len(self.classes) <= self.void <= 255:
            raise ValueError(f"label set {self.name!r}: void is {self.void}, must lie in {len(self.classes)}..255")


def spread_palette(count: int) -> tuple[Colour, ...]:
    """The VOC devkit's colour map: `count` RGB colours that differ early on (VOCcode/VOClabelcolormap.m)."""
    palette = []
    for index in range(count):
        colour = [0, 0, 0]
        for bit in range(8):
            for channel in range(3):
                colour[channel] |= (index >> (3 * bit + channel) & 1) << (7 - bit)
        palette.append(tuple(colour))
    return tuple(palette)


# fmt: off
CAMVID = LabelSet(
    name="camvid", title="CamVid",
    classes=("sky", "building", "pole", "road", "pavement", "tree", "sign symbol", "fence", "car", "pedestrian",
             "bicyclist"),
    palette=((128, 128, 128), (128, 0, 0), (192, 192, 128), (128, 64, 128), (60, 40, 222), (128, 128, 0),
             (192, 128, 128), (64, 64, 128), (64, 0, 128), (64, 64, 0), (0, 128, 192)),
    void=11,
)  # SegNet-Tutorial, Scripts/test_segmentation_camvid.py

PASCAL_VOC = LabelSet(
    name="voc", title="PASCAL VOC",
    classes=("background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
             "dining table", "dog", "horse", "motorbike", "person", "potted plant", "sheep", "sofa", "train",
             "tv monitor"),
    palette=spread_palette(21),
    void=255,
)

CITYSCAPES = LabelSet(
    name="cityscapes", title="Cityscapes",
    classes=("road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign", "vegetation",
             "terrain", "sky", "person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle"),
    palette=((128, 64, 128), (244, 35, 232), (70, 70, 70), (102, 102, 156), (190, 153, 153), (153, 153, 153),
             (250, 170, 30), (220, 220, 0), (107, 142, 35), (152, 251, 152), (70, 130, 180), (220, 20, 60),
             (255, 0, 0), (0, 0, 142), (0, 0, 70), (0, 60, 100), (0, 80, 100), (0, 0, 230), (119, 11, 32)),
    void=255,
)
# fmt: on

LABEL_SETS = {labels.name: labels for labels in (CAMVID, CITYSCAPES, PASCAL_VOC)}
