"""Titles of checkpoints, their order, and the grid of variants and losses."""

from dataclasses import replace

import pytest

from zoo.checkpoints.information import CheckpointInfo
from zoo.checkpoints.titles import arrange, loss_title, rank, subtitle, title
from zoo.config import FCNConfig
from zoo.labels import CAMVID
from zoo.page.controls import grids
from zoo.page.values import columns


def info(variant: str, loss: str, **changes) -> CheckpointInfo:
    """A checkpoint that was never written: its titles need no file."""
    config = FCNConfig(variant=variant, backbone="vgg16_bn", width=0.25, classes=CAMVID.classes)
    facts = {"source": "bundled", "location": "x", "revision": None, "labels": CAMVID, "dataset": "camvid"}
    facts |= {"sha256": "0" * 64, "parameters": 1, "file_bytes": 1, "training": {"epochs": 1}}
    return CheckpointInfo(f"{variant}-{loss}", config=config, loss=loss, **(facts | changes))


VARIANTS, LOSSES = ("fcn32s", "fcn16s", "fcn8s"), ("ce", "focal", "dice")
NINE = [info(variant, loss) for variant in VARIANTS for loss in LOSSES]


def test_titles_tell_variant_and_loss_and_subtitles_the_rest():
    assert [title(one) for one in NINE[:4]] == ["FCN-32s · CE", "FCN-32s · Focal", "FCN-32s · Dice", "FCN-16s · CE"]
    assert len({title(one) for one in NINE}) == 9
    assert subtitle(NINE[0]) == "vgg16bn-w25 · camvid"
    remote = info("fcn8s", "ce", source="hub", location="ana/net", revision="0123456789abcdef")
    assert subtitle(remote) == "vgg16bn-w25 · camvid · ana/net@0123456"
    assert loss_title("ce+dice") == "CE + Dice" and loss_title("lovasz") == "lovasz"


def test_order_is_from_coarse_to_fine_and_by_loss():
    others = [info("fcn8s", "ce+dice"), info("fcn8s", "lovasz")]
    assert sorted([*others[::-1], *NINE[::-1]], key=rank) == [*NINE, *others]


def test_nine_make_a_complete_grid():
    grid = arrange(NINE[::-1])
    assert grid.complete and (grid.variants, grid.losses) == (VARIANTS, LOSSES)
    assert grid.cells["fcn16s", "focal"] is NINE[4]
    partial = arrange([*NINE[:3], NINE[4]])
    assert not partial.complete and partial.variants == ("fcn32s", "fcn16s") and ("fcn16s", "ce") not in partial.cells


@pytest.mark.parametrize(
    "infos",
    [
        [],
        NINE[:1],
        NINE[:3],  # one variant
        NINE[::3],  # one loss
        [*NINE, replace(NINE[0], name="twin")],  # two in one cell
        [*NINE, info("fcn8s", "ce", dataset="voc")],
    ],
    ids=["none", "one", "row", "column", "twins", "datasets"],
)
def test_what_makes_no_table_is_no_grid(infos):
    assert arrange(infos) is None


def test_a_table_of_the_list_has_the_three_fullest_columns():
    extra = [info("fcn8s", "ce+dice"), info("fcn8s", "focal+dice"), info("fcn16s", "focal+dice")]
    (grid,) = grids([*extra, *NINE])
    assert grid["columns"] == ["CE", "Focal", "Dice"] and len(grid["rows"]) == 3
    (grid,) = grids([*extra, *NINE[::3], *NINE[1::3]])
    assert grid["columns"] == ["CE", "Focal", "Focal + Dice"]


def test_the_viewer_keeps_the_rows_of_a_complete_grid_in_its_order():
    assert columns(NINE) == 3 and columns(NINE[:2] + NINE[3:5]) == 2
    assert columns(NINE[::-1]) is None and columns(NINE[:8]) is None and columns(NINE[:3]) is None
