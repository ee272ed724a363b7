"""Label sets against the datasets' own definitions."""

import numpy as np
import pytest

from zoo.labels import CAMVID, CITYSCAPES, LABEL_SETS, PASCAL_VOC, LabelSet


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
