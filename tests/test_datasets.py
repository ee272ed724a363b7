"""Datasets on disk: what is read, and that every fault names the file."""

import numpy as np
import pytest
from PIL import Image

from evaluation.datasets import DatasetError, open_dataset
from zoo.labels import CAMVID


def test_camvid_is_read_in_order_with_its_sequences(camvid):
    dataset = open_dataset("camvid", camvid, "train")
    assert len(dataset) == 6 and dataset.labels == CAMVID
    assert dataset.image_ids[0] == "0001TP_00001" and dataset.sequences[0] == "0001TP"
    assert dataset.image(0).shape == (40, 56, 3) and dataset.image(0).dtype == np.uint8
    assert dataset.mask(0).shape == (40, 56) and dataset.mask(0).max() <= 11
    stored = np.asarray(Image.open(camvid / "trainannot" / "0001TP_00001.png"))
    np.testing.assert_array_equal(dataset.mask(0), stored)


def test_sequences_can_be_held_out(camvid):
    dataset = open_dataset("camvid", camvid, "train")
    kept, held_out = dataset.select({"0001TP"}, exclude=True), dataset.select({"0001TP"})
    assert set(kept.sequences) == {"0016E5"} and set(held_out.sequences) == {"0001TP"}
    assert sorted(kept.image_ids + held_out.image_ids) == sorted(dataset.image_ids)
    with pytest.raises(DatasetError, match=r"no sequence 0006R0; it has 0001TP, 0016E5"):
        dataset.select({"0006R0"})
    with pytest.raises(DatasetError, match="no image is left"):
        dataset.select({"0001TP", "0016E5"}, exclude=True)


def make_folder(root, classes="car\nroad\n"):
    """A dataset of one image in the plain folder layout."""
    for name in ("images", "masks"):
        (root / name).mkdir(parents=True)
    (root / "classes.txt").write_text(classes)
    Image.fromarray(np.zeros((4, 6, 3), np.uint8)).save(root / "images" / "one.jpg")
    Image.fromarray(np.array([[0, 1, 255, 0, 1, 0]] * 4, np.uint8)).save(root / "masks" / "one.png")
    return root


def test_plain_folder_of_ones_own(tmp_path):
    dataset = open_dataset("folder", make_folder(tmp_path / "Mine"), "train")
    assert dataset.labels.classes == ("car", "road") and dataset.labels.void == 255 and dataset.labels.name == "mine"
    assert np.unique(dataset.mask(0)).tolist() == [0, 1, 255]


def test_plain_folder_per_split(tmp_path):
    make_folder(tmp_path / "mine" / "val")
    assert len(open_dataset("folder", tmp_path / "mine", "val")) == 1


def test_unknown_dataset_and_folder_are_named(tmp_path):
    with pytest.raises(DatasetError, match="unknown dataset 'kitti'; choose one of camvid"):
        open_dataset("kitti", tmp_path, "train")
    with pytest.raises(DatasetError, match="no such folder; give the folder"):
        open_dataset("camvid", tmp_path / "nowhere", "train")
    with pytest.raises(DatasetError, match=r"val: no such folder"):
        open_dataset("camvid", tmp_path, "val")
    with pytest.raises(DatasetError, match=r"classes\.txt: file is missing"):
        open_dataset("folder", tmp_path, "train")


def damage(camvid, change):
    """Apply `change(image path, mask path)` to the first val image."""
    change(camvid / "val" / "0001TP_00001.png", camvid / "valannot" / "0001TP_00001.png")
    dataset = open_dataset("camvid", camvid, "val")
    return dataset.image(0), dataset.mask(0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda image, mask: mask.unlink(), r"valannot/0001TP_00001\.png: mask is missing \(1 of 4"),
        (lambda image, mask: image.write_bytes(b"no image"), r"val/0001TP_00001\.png: broken image file"),
        (lambda image, mask: image.write_bytes(image.read_bytes()[:200]), r"val/0001TP_00001\.png: broken image file"),
        (lambda image, mask: mask.write_bytes(b""), r"valannot/0001TP_00001\.png: broken image file"),
        (
            lambda image, mask: Image.fromarray(np.zeros((3, 3), np.uint8)).save(mask),
            r"valannot/0001TP_00001\.png: is 3x3 but its image is 56x40",
        ),
        (
            lambda image, mask: Image.fromarray(np.full((40, 56), 12, np.uint8)).save(mask),
            r"label value 12 is neither a class \(0\.\.10\) nor void \(11\)",
        ),
        (
            lambda image, mask: Image.fromarray(np.zeros((40, 56, 3), np.uint8)).save(mask),
            "needs one 8-bit channel",
        ),
    ],
)
def test_faults_name_the_file(camvid, change, message):
    with pytest.raises(DatasetError, match=message):
        damage(camvid, change)


def test_folder_without_images_and_with_bad_classes(tmp_path):
    (tmp_path / "empty" / "val").mkdir(parents=True)
    (tmp_path / "empty" / "valannot").mkdir()
    with pytest.raises(DatasetError, match="holds no PNG or JPEG"):
        open_dataset("camvid", tmp_path / "empty", "val")
    make_folder(tmp_path / "mine", classes="car\ncar\n")
    with pytest.raises(DatasetError, match=r"classes\.txt: .*must differ"):
        open_dataset("folder", tmp_path / "mine", "train")
