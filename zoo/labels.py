"""Label sets: class names, palette and void index of PASCAL VOC, Cityscapes and CamVid.

The only place where these lists stand. Palettes are the ones the datasets publish: the VOC devkit's bit-reversal
colour map, cityscapesScripts' `labels.py` (19 train ids) and SegNet's 11-class CamVid colours.
"""

from dataclasses import dataclass
from functools import cached_property

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

    @cached_property
    def distinct_palette(self) -> tuple[Colour, ...]:
        """A colour per class that differs from the others in every kind of colour vision, as far as there are such.

        Classes beyond `DISTINCT_PALETTE` keep their own colour.
        """
        return DISTINCT_PALETTE[: len(self.classes)] + self.palette[len(DISTINCT_PALETTE) :]

    @cached_property
    def clear_ground(self) -> bool:
        """Whether nothing is painted where the first class is: the ground of one's own classes, see `has_ground`."""
        return has_ground(self.classes) and self.classes not in {known.classes for known in LABEL_SETS.values()}


NOT_LABELLED = frozenset(
    {"unlabeled", "unlabelled", "void", "ignore", "not labelled", "not labeled", "not annotated"}
    | {"sem rotulo", "sem rótulo", "não rotulado", "ignorar"}
)
BACKGROUNDS = NOT_LABELLED | frozenset(
    {"background", "bg", "none", "nothing", "other", "others", "rest", "clutter"}
    | {"fundo", "nada", "outro", "outros", "resto", "fondo", "fond", "hintergrund"}
)


def is_background(name: str) -> bool:
    """Whether a class name means what is left besides the things of interest: 'background', '_background_', 'fundo'."""
    return _plain(name) in BACKGROUNDS


def means_void(name: str) -> bool:
    """Whether a class name means pixels that nobody labelled, which is no class: 'unlabeled', 'void', 'ignore'."""
    return _plain(name) in NOT_LABELLED


def _plain(name: str) -> str:
    return " ".join(name.casefold().replace("_", " ").replace("-", " ").split())


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


def has_ground(classes: tuple[str, ...]) -> bool:
    """Whether the first class is the ground for the others: one called background, or the first of two.

    It takes most of an image, so it is drawn in no colour.
    """
    return len(classes) == 2 or is_background(classes[0])


def class_palette(classes: tuple[str, ...]) -> tuple[Colour, ...]:
    """Colours for classes that have none: black where the first is the ground, readable ones for the others."""
    black = ((0, 0, 0),) if has_ground(classes) else ()
    further = [colour for colour in spread_palette(256)[1:] if colour not in READABLE]
    return (*black, *READABLE, *further)[: len(classes)]


# fmt: off
# Far from one another and from white and black; the first of them are told apart by colour-blind people too.
READABLE = ((230, 95, 0), (0, 114, 200), (0, 158, 115), (240, 200, 40), (204, 90, 170), (86, 190, 245), (150, 75, 30),
            (120, 60, 220), (190, 30, 60), (140, 200, 60), (255, 150, 170), (60, 110, 70), (20, 200, 200),
            (170, 160, 120), (255, 170, 80), (110, 120, 200))

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
# Colours of what a data set's own colour masks show and its classes leave out; what shares its colour with a class
# (Cityscapes' pole group, its licence plates) is read as that class.
VOID_COLOURS = {
    "camvid": ((0, 0, 0),),
    "voc": ((224, 224, 192),),  # the border of objects
    "cityscapes": ((0, 0, 0), (111, 74, 0), (81, 0, 81), (250, 170, 160), (230, 150, 140), (180, 165, 180),
                   (150, 100, 100), (150, 120, 90), (0, 0, 90), (0, 0, 110)),  # cityscapesScripts, labels.py
}

# fmt: on

LABEL_SETS = {labels.name: labels for labels in (CAMVID, CITYSCAPES, PASCAL_VOC)}

# Colours that differ in every kind of colour vision: any two of the first 11 by at least 12 in CIEDE2000, any two of
# all 21 by at least 6, also as seen with protanopia, deuteranopia or tritanopia (Machado et al. 2009).
# fmt: off
DISTINCT_PALETTE = (
    (0, 102, 102), (204, 255, 102), (255, 204, 255), (153, 102, 51), (153, 102, 255), (0, 0, 102), (102, 0, 0),
    (0, 204, 153), (51, 153, 153), (102, 0, 204), (204, 153, 0), (0, 51, 51), (204, 153, 255), (153, 255, 204),
    (102, 102, 153), (153, 153, 102), (204, 204, 204), (153, 0, 255), (153, 51, 51), (153, 204, 102), (204, 0, 102),
)
# fmt: on
