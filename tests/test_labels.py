"""Label sets against the datasets' own definitions."""

from itertools import combinations

import numpy as np
import pytest
from skimage import color

from zoo.labels import (
    CAMVID,
    CITYSCAPES,
    DISTINCT_PALETTE,
    LABEL_SETS,
    PASCAL_VOC,
    LabelSet,
    spread_palette,
)


def test_sizes_and_void():
    assert {name: (len(labels.classes), labels.void) for name, labels in LABEL_SETS.items()} == {
        "camvid": (11, 11),
        "cityscapes": (19, 255),
        "voc": (21, 255),
    }


def test_voc_palette_is_the_devkits():
    # First and last entries as VOClabelcolormap.m prints them.
    assert PASCAL_VOC.palette[:4] == ((0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0))
    assert PASCAL_VOC.palette[15] == (192, 128, 128)
    assert PASCAL_VOC.palette[20] == (0, 64, 128)


@pytest.mark.parametrize("labels", LABEL_SETS.values(), ids=lambda labels: labels.name)
def test_colours_and_names_differ(labels):
    assert len(set(labels.palette)) == len(labels.classes)
    assert np.asarray(labels.palette).max() <= 255


def test_known_orders():
    assert CAMVID.classes[0] == "sky" and CAMVID.classes[10] == "bicyclist"
    assert CITYSCAPES.classes[0] == "road" and CITYSCAPES.classes[18] == "bicycle"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": ()}, "1 to 255 classes"),
        ({"classes": ("a", "a")}, "must differ"),
        ({"palette": ((0, 0, 0),)}, "2 classes but 1 colours"),
        ({"palette": ((0, 0, 0), (0, 0, 256))}, "from 0 to 255"),
        ({"void": 1}, "must lie in 2..255"),
    ],
)
def test_fields_that_do_not_fit_are_named(changes, message):
    fields = {"name": "x", "title": "X", "classes": ("a", "b"), "palette": ((0, 0, 0), (1, 1, 1)), "void": 255}
    with pytest.raises(ValueError, match=message):
        LabelSet(**(fields | changes))


# Machado, Oliveira and Fernandes 2009, severity 1.0: linear RGB as seen with each kind of colour blindness.
SIGHT = {
    "usual": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def least_difference(palette, sight) -> float:
    """Smallest CIEDE2000 difference between two colours of a palette as seen with `sight`."""
    colours = np.array(palette) / 255
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.array(SIGHT[sight]).T, 0, 1)
    seen = np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055)
    lab = color.rgb2lab(seen[None])[0]
    return min(float(color.deltaE_ciede2000(a, b)) for a, b in combinations(lab, 2))


@pytest.mark.parametrize("sight", SIGHT)
def test_distinct_colours_differ_in_every_kind_of_sight(sight):
    assert least_difference(DISTINCT_PALETTE[:11], sight) >= 12
    assert least_difference(DISTINCT_PALETTE, sight) >= 6
    assert sight == "usual" or least_difference(CAMVID.palette, sight) < 10  # why there is another palette


def test_every_class_has_a_distinct_colour_as_far_as_they_reach():
    many = LabelSet("many", "Many", tuple(f"class {i}" for i in range(30)), spread_palette(30), 255)
    assert CAMVID.distinct_palette == DISTINCT_PALETTE[:11]
    assert many.distinct_palette == DISTINCT_PALETTE + spread_palette(30)[21:]
    assert len(PASCAL_VOC.distinct_palette) == 21
