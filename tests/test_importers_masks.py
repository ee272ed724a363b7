"""Exports whose masks are files or tables: which value is which class, and what is refused."""

import shutil

import numpy as np
import pytest
from export_files import grey, make_ade20k, make_parquet, make_roboflow, make_voc, photo, refused
from PIL import Image
from test_importers import DATA, boxes, masks, run

from evaluation.datasets import open_dataset
from zoo.labels import CITYSCAPES

# Masks that are files


def test_the_name_of_the_folder_of_an_export_without_splits_is_no_subset(tmp_path, capsys):
    root = make_roboflow(tmp_path / "r", boxes((1, 3, 3, 20, 20)))
    shutil.move(root / "train", tmp_path / "my-export")
    status, printed, error = run(capsys, "roboflow", tmp_path / "my-export", tmp_path / "out")
    assert (status, error) == (0, "") and "2 photos: 1 train, 1 val; 0.2 to val" in printed


def test_roboflow_s_masks_and_classes(tmp_path, capsys):
    mask = boxes((1, 3, 3, 20, 20))
    status, printed, error = run(capsys, "roboflow", make_roboflow(tmp_path / "r", mask), tmp_path / "out")
    assert (status, error) == (0, "") and "4 photos: 2 train, 2 val; by the subsets" in printed
    assert (tmp_path / "out" / "classes.txt").read_text() == "background\ncar\n"
    assert all(np.array_equal(found, mask) for found in masks(tmp_path / "out").values())
    refused(
        capsys,
        r"_mask\.png: value 7 is none of the classes' values; see _classes\.csv",
        "roboflow",
        make_roboflow(tmp_path / "s", boxes((7, 0, 0, 4, 4))),
        tmp_path / "o",
    )
    refused(
        capsys,
        r"_classes\.csv: line 2: is not a pixel value",
        "roboflow",
        make_roboflow(tmp_path / "t", mask, "x,y\na,b\n"),
        tmp_path / "o",
    )


def test_ade20k_s_zero_is_void_and_ids_move_down(tmp_path, capsys):
    stored = boxes((1, 0, 0, 9, 9), (3, 9, 9, 20, 20))
    status, printed, error = run(capsys, "ade20k", make_ade20k(tmp_path / "a", stored), tmp_path / "out")
    assert (status, error) == (0, "") and "1 train, 1 val" in printed and "'other'" in printed
    assert (tmp_path / "out" / "classes.txt").read_text() == "wall\nscreen, door\nscreen\n"
    expected = boxes((0, 0, 0, 9, 9), (2, 9, 9, 20, 20), fill=255)
    assert all(np.array_equal(found, expected) for found in masks(tmp_path / "out").values())
    refused(
        capsys,
        r"value 9 is none of the classes' values; there are 3 classes",
        "ade20k",
        make_ade20k(tmp_path / "b", boxes((9, 0, 0, 4, 4))),
        tmp_path / "o",
    )


def test_cityscapes_train_ids_are_read_where_there_are_no_label_ids(tmp_path, capsys):
    for number, split in enumerate(("train", "val")):
        photo(tmp_path / "c" / "leftImg8bit" / split / "ulm" / f"ulm_{number}_0_leftImg8bit.png")
        grey(
            tmp_path / "c" / "gtFine" / split / "ulm" / f"ulm_{number}_0_gtFine_labelTrainIds.png",
            boxes((13, 0, 0, 9, 9), fill=255),
        )
    assert run(capsys, "cityscapes", tmp_path / "c", tmp_path / "out")[0] == 0
    dataset = open_dataset("folder", tmp_path / "out", "val")
    assert dataset.labels.classes == CITYSCAPES.classes
    np.testing.assert_array_equal(dataset.mask(0), boxes((13, 0, 0, 9, 9), fill=255))


def test_cvat_s_segmentation_masks_go_by_their_labelmap(tmp_path, capsys):
    colours = np.zeros((32, 48, 3), np.uint8)
    colours[4:9, 5:20], colours[20:25, 5:20] = (10, 20, 30), (224, 224, 192)
    expected = boxes((1, 5, 4, 20, 9), (255, 5, 20, 20, 25))
    indexed = Image.fromarray(colours).convert("P", palette=Image.Palette.ADAPTIVE, colors=4)
    ids = Image.fromarray(expected)
    for number, mask in enumerate((Image.fromarray(colours), indexed, ids)):
        root = make_voc(tmp_path / f"v{number}", mask)
        assert run(capsys, "cvat-masks", root, tmp_path / f"out{number}", "--split", "0")[0] == 0
        np.testing.assert_array_equal(masks(tmp_path / f"out{number}")["p"], expected)


def test_voc_without_labelmap_has_voc_s_classes(tmp_path, capsys):
    mask = Image.new("RGB", (48, 32), (192, 128, 128))
    assert run(capsys, "voc", make_voc(tmp_path / "v", mask, None), tmp_path / "out", "--split", "0")[0] == 0
    assert (masks(tmp_path / "out")["p"] == 15).all()  # person
    assert (tmp_path / "out" / "classes.txt").read_text().splitlines()[15] == "person"


@pytest.mark.parametrize(
    ("labelmap", "listed", "message"),
    [
        (
            "car:10,20,30::\nroad:10,20,30::\n",
            "p",
            r"labelmap\.txt: class 'road' has the colour \(10, 20, 30\) of another",
        ),
        ("car:10,20::\n", "p", r"labelmap\.txt: line 1: '10,20' is not a colour"),
        ("car:10,20,300::\n", "p", r"is not a colour"),
        ("car:1,1,1::\ncar:2,2,2::\n", "p", r"line 2: class 'car' is listed twice"),
        (
            "background:0,0,0::\ncar:9,9,9::\n",
            "p",
            r"colour \(1, 2, 3\) is none of the classes' colours; see labelmap\.txt",
        ),
        ("background:0,0,0::\ncar:9,9,9::\n", "../../../p", r"which lies outside"),
        ("background:0,0,0::\ncar:9,9,9::\n", "q", r"q\.png: mask is missing"),
    ],
)
def test_voc_refuses(tmp_path, capsys, labelmap, listed, message):
    root = make_voc(tmp_path / "v", Image.new("RGB", (48, 32), (1, 2, 3)), labelmap)
    (root / "ImageSets" / "Segmentation" / "default.txt").write_text(f"{listed}\n")
    refused(capsys, message, "voc", root, tmp_path / "out", "--split", "0")


def test_camvid_s_lists_stay_inside_and_void_is_void(tmp_path, capsys):
    shutil.copytree(DATA / "datumaro" / "camvid_mask", tmp_path / "c")
    (tmp_path / "c" / "label_colors.txt").write_text("0 0 0 Void\n128 0 0 red car\n0 128 0 road\n")
    assert run(capsys, "camvid", tmp_path / "c", tmp_path / "out")[0] == 0
    np.testing.assert_array_equal(
        masks(tmp_path / "out")["c_001"], boxes((0, 10, 8, 30, 20), (1, 20, 12, 40, 24), fill=255)
    )
    assert (tmp_path / "out" / "classes.txt").read_text() == "red car\nroad\n"
    (tmp_path / "c" / "val.txt").write_text("/val/c_001.png ../../../trainannot/x.png\n")
    refused(capsys, r"which lies outside", "camvid", tmp_path / "c", tmp_path / "o")
    (tmp_path / "c" / "val.txt").write_text("nonsense\n")
    refused(capsys, r"val\.txt: line 1: is not a photo and a mask", "camvid", tmp_path / "c", tmp_path / "o")


def test_a_mask_of_another_size_or_as_jpeg_is_refused(tmp_path, capsys):
    root = make_roboflow(tmp_path / "r", np.zeros((16, 24), np.uint8))
    refused(capsys, r"was annotated at 24x16, but its photo .* is 48x32", "roboflow", root, tmp_path / "out")
    root = make_voc(tmp_path / "v", Image.new("RGB", (48, 32)))
    Image.new("RGB", (48, 32)).save(root / "SegmentationClass" / "p.png", "JPEG")
    refused(
        capsys, r"p\.png: This is a JPEG file\..*Export the mask as PNG", "voc", root, tmp_path / "out", "--split", "0"
    )


# Parquet


def test_parquet_refuses_what_it_cannot_read(tmp_path, capsys):
    arguments = [tmp_path / "out", "--split", "0"]
    root = make_parquet(tmp_path / "a", labels=())
    refused(
        capsys,
        r"names no classes \(id2label\.json is missing\); give them with --classes",
        "huggingface",
        root,
        *arguments,
    )
    root = make_parquet(tmp_path / "b", drawn=boxes((5, 0, 0, 4, 4)))
    refused(capsys, r"row 0 of group 0: value 5 is none of the classes' values", "huggingface", root, *arguments)
    root = make_parquet(tmp_path / "c", image=["a"] * 3)
    refused(
        capsys, r"its columns of images are mask; name photos and masks with --columns", "huggingface", root, *arguments
    )
    refused(
        capsys, r"has no column 'x' of images; it has mask", "huggingface", root, *arguments, "--columns", "x", "mask"
    )
    root = make_parquet(tmp_path / "d", mask=[{"bytes": None, "path": "/etc/passwd"}] * 3)
    refused(capsys, r"column 'mask' holds no image", "huggingface", root, *arguments)
    root = make_parquet(tmp_path / "e")
    refused(
        capsys, r"holds 0 MB; raise --megabytes \(0\.0001\)", "huggingface", root, *arguments, "--megabytes", "0.0001"
    )
    (root / "train.parquet").write_bytes((root / "train.parquet").read_bytes()[:-9])
    refused(capsys, r"is not a whole parquet file", "huggingface", root, *arguments)


def test_classes_can_be_named_for_parquet(tmp_path, capsys):
    root = make_parquet(tmp_path / "a", labels=())
    (tmp_path / "names.txt").write_text("ground\nplant\nweed\n")
    arguments = ["--classes", tmp_path / "names.txt", "--void", "ground", "--split", "0.34"]
    assert run(capsys, "huggingface", root, tmp_path / "out", *arguments)[0] == 0
    assert (tmp_path / "out" / "classes.txt").read_text() == "plant\nweed\n"
    found = list(masks(tmp_path / "out").values())
    assert len(found) == 3
    assert all(np.array_equal(mask, boxes((0, 2, 2, 9, 9), fill=255)) for mask in found)


def test_a_data_set_on_the_hub_is_fetched_within_its_size(hub, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
    monkeypatch.setenv("FCN_ZOO_CACHE", str(tmp_path / "cache"))
    local = make_parquet(tmp_path / "local", 4)
    content = (local / "train.parquet").read_bytes()
    labels = (local / "id2label.json").read_bytes()
    files = {"data/train-00000-of-00001.parquet": content, "data/validation-00000-of-00001.parquet": content}
    hub.add("datasets/ana/plants", files | {"id2label.json": labels, "plants.py": b"raise SystemExit('ran')"})
    status, printed, error = run(capsys, "huggingface", "ana/plants", tmp_path / "out")
    assert (status, error) == (0, "") and "8 photos: 4 train, 4 val; by the subsets" in printed
    drawn = boxes((1, 2, 2, 9, 9), (255, 20, 20, 30, 30))
    assert all(np.array_equal(mask, drawn) for mask in masks(tmp_path / "out").values())
    assert not any("plants.py" in request for request in hub.requests)
    asked = len(hub.requests)
    assert run(capsys, "huggingface", "ana/plants", tmp_path / "again")[0] == 0
    assert len(hub.requests) == asked + 1, "files that are there are not asked for again"
    refused(
        capsys,
        r"ana/plants: is 0 MB; raise --megabytes \(0\.001\)",
        "huggingface",
        "ana/plants",
        tmp_path / "o",
        "--megabytes",
        "0.001",
    )
    hub.add("datasets/ana/many", {"a/train.parquet": content, "b/train.parquet": content})
    refused(capsys, r"import one of ana/many/a, ana/many/b", "huggingface", "ana/many", tmp_path / "o")
    assert run(capsys, "huggingface", "ana/many/b", tmp_path / "b", "--classes", local / "id2label.json")[0] == 1
    hub.add("datasets/ana/none", {"data.zip": b"PK"})
    refused(capsys, r"ana/none: there are no parquet files in it", "huggingface", "ana/none", tmp_path / "o")
    refused(capsys, r"ana/nowhere", "huggingface", "ana/nowhere", tmp_path / "o")


def test_a_hub_that_sends_more_than_it_said_is_not_believed(hub, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
    monkeypatch.setenv("FCN_ZOO_CACHE", str(tmp_path / "cache"))
    local = make_parquet(tmp_path / "local")
    repository = hub.add("datasets/ana/plants", {path.name: path.read_bytes() for path in local.iterdir()})
    repository.claimed_sizes["train.parquet"] = 100
    refused(capsys, r"train\.parquet", "huggingface", "ana/plants", tmp_path / "out")
    assert not list((tmp_path / "cache").rglob("*.parquet"))
