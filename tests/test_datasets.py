"""Datasets on disk: what is read, and that every fault names the file."""

import hashlib
import tarfile
import threading
import unicodedata
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat
from torchvision.datasets import SBDataset, voc

from evaluation.datasets import DatasetError, open_dataset
from evaluation.datasets.__main__ import main
from training.losses import median_frequency_weights
from zoo.labels import CAMVID, CITYSCAPES, PASCAL_VOC


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
        (lambda image, mask: image.write_bytes(b"no image"), r"val/0001TP_00001\.png: .* not an image"),
        (lambda image, mask: image.write_bytes(image.read_bytes()[:200]), r"val/0001TP_00001\.png: .* damaged"),
        (lambda image, mask: mask.write_bytes(b""), r"valannot/0001TP_00001\.png: "),
        (
            lambda image, mask: Image.fromarray(np.zeros((3, 3), np.uint8)).save(mask),
            r"valannot/0001TP_00001\.png: is 3x3 but its image is 56x40",
        ),
        (
            lambda image, mask: Image.fromarray(np.full((40, 56), 12, np.uint8)).save(mask),
            r"valannot/0001TP_00001\.png: .* value 12, which is no class of CamVid: ids go from 0 to 10",
        ),
        (
            lambda image, mask: Image.fromarray(np.zeros((40, 56, 3), np.uint8)).save(mask),
            r"valannot/0001TP_00001\.png: .* value 0 in all three channels",
        ),
    ],
)
def test_faults_name_the_file(camvid, change, message):
    with pytest.raises(DatasetError, match=message):
        damage(camvid, change)


def test_folder_without_images_and_with_bad_classes(tmp_path):
    (tmp_path / "empty" / "val").mkdir(parents=True)
    (tmp_path / "empty" / "valannot").mkdir()
    with pytest.raises(DatasetError, match="holds no image"):
        open_dataset("camvid", tmp_path / "empty", "val")
    make_folder(tmp_path / "mine", classes="car\ncar\n")
    with pytest.raises(DatasetError, match=r"classes\.txt: class 'car' stands there twice"):
        open_dataset("folder", tmp_path / "mine", "train")


def write_voc(root, *, train=("2007_000032", "2007_000039"), val=("2007_000033",)):
    """VOC 2012 as the devkit ships it: JPEG images, masks as indexed PNG with a white (255) border."""
    base = root / "VOCdevkit" / "VOC2012"
    for name in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (base / name).mkdir(parents=True)
    for split, names in (("train", train), ("val", val), ("trainval", train + val)):
        (base / "ImageSets" / "Segmentation" / f"{split}.txt").write_text("".join(f"{name}\n" for name in names))
    for index, name in enumerate(train + val):
        Image.fromarray(np.full((5, 7, 3), 100, np.uint8)).save(base / "JPEGImages" / f"{name}.jpg")
        values = np.full((5, 7), index, np.uint8)
        values[0] = 255
        mask = Image.frombytes("P", (7, 5), values.tobytes())
        mask.putpalette([channel for colour in PASCAL_VOC.palette for channel in colour])
        mask.save(base / "SegmentationClass" / f"{name}.png")
    return root


def write_sbd(base, *, train=("2007_000032", "2007_000033"), val=("2008_000001",)):
    """SBD's benchmark_RELEASE/dataset: JPEG images and MATLAB structs."""
    for name in ("img", "cls", "inst"):
        (base / name).mkdir(parents=True)
    for split, names in (("train", train), ("val", val)):
        (base / f"{split}.txt").write_text("".join(f"{name}\n" for name in names))
        for name in names:
            Image.fromarray(np.full((5, 7, 3), 100, np.uint8)).save(base / "img" / f"{name}.jpg")
            savemat(base / "cls" / f"{name}.mat", {"GTcls": {"Segmentation": np.full((5, 7), 15, np.uint8)}})
    return base


def test_pascal_voc(tmp_path):
    dataset = open_dataset("voc", write_voc(tmp_path), "train")
    assert dataset.labels == PASCAL_VOC and dataset.image_ids == ("2007_000032", "2007_000039")
    expected = np.full((5, 7), 1)
    expected[0] = 255
    np.testing.assert_array_equal(dataset.mask(1), expected)
    assert dataset.image(1).shape == (5, 7, 3)
    assert len(open_dataset("voc", tmp_path, "trainval")) == 3


def test_sbd_leaves_out_the_images_of_voc_val(tmp_path):
    write_voc(tmp_path)
    write_sbd(tmp_path / "SBD")
    dataset = open_dataset("sbd", tmp_path, "train")
    assert dataset.image_ids == ("2007_000032",) and dataset.labels == PASCAL_VOC
    np.testing.assert_array_equal(dataset.mask(0), np.full((5, 7), 15))
    assert open_dataset("sbd", tmp_path, "trainval").image_ids == ("2007_000032", "2008_000001")


def write_cityscapes(root):
    """Two images of two cities; the masks hold every label id from 0 to 33."""
    for city in ("zurich", "aachen"):
        images, masks = root / "leftImg8bit" / "train" / city, root / "gtFine" / "train" / city
        images.mkdir(parents=True)
        masks.mkdir(parents=True)
        Image.fromarray(np.zeros((2, 17, 3), np.uint8)).save(images / f"{city}_000000_000019_leftImg8bit.png")
        values = np.arange(34, dtype=np.uint8).reshape(2, 17)
        Image.fromarray(values).save(masks / f"{city}_000000_000019_gtFine_labelIds.png")
    return root


def test_a_city_with_an_accent_is_found_however_it_is_stored(tmp_path):
    root, city = write_cityscapes(tmp_path), "S\u00e3o Paulo"
    for path in [path for path in root.rglob("*aachen*") if path.is_file()]:
        name = path.name.replace("aachen", unicodedata.normalize("NFD", city) if "gtFine" in path.name else city)
        path.rename(path.with_name(name))
    dataset = open_dataset("cityscapes", root, "train")
    assert f"{city}_000000_000019_leftImg8bit" in dataset.image_ids and dataset.mask(0).shape == (2, 17)


def test_cityscapes_has_19_train_ids(tmp_path):
    dataset = open_dataset("cityscapes", write_cityscapes(tmp_path), "train")
    assert dataset.labels == CITYSCAPES and dataset.sequences == ("aachen", "zurich")
    assert dataset.image_ids[0] == "aachen_000000_000019_leftImg8bit"
    mask = dataset.mask(0).ravel()
    # cityscapesScripts, helpers/labels.py: ids of road, sidewalk, building, ... bicycle.
    ids = [7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33]
    assert mask[ids].tolist() == list(range(19))
    assert set(np.delete(mask, ids)) == {255}


def test_hidden_files_are_no_cities_and_no_photos_of_cityscapes(tmp_path):
    photos = write_cityscapes(tmp_path) / "leftImg8bit" / "train"
    expected = open_dataset("cityscapes", tmp_path, "train")
    for path in (photos, photos / "aachen"):
        (path / ".DS_Store").write_bytes(b"Bud1")
        (path / "Thumbs.db").write_bytes(b"")
    (photos / "aachen" / "._aachen_000000_000019_leftImg8bit.png").write_bytes(b"AppleDouble")
    assert open_dataset("cityscapes", tmp_path, "train") == expected
    (photos / "aachen" / "README").write_text("mine")
    assert "1 file is passed over" in open_dataset("cityscapes", tmp_path, "train").notes[0]


@pytest.mark.parametrize(
    ("name", "split", "change", "message"),
    [
        ("voc", "test", None, "no split 'test'; choose train, val or trainval"),
        ("sbd", "test", None, "no split 'test'"),
        ("cityscapes", "test", None, "no split 'test' with labels"),
        ("voc", "val", "VOCdevkit/VOC2012/ImageSets/Segmentation/val.txt", r"val\.txt: file is missing; PASCAL"),
        ("voc", "val", "VOCdevkit/VOC2012/JPEGImages/2007_000033.jpg", r"2007_000033\.jpg: image is missing"),
        ("voc", "val", "VOCdevkit/VOC2012/SegmentationClass/2007_000033.png", r"2007_000033\.png: mask is missing"),
        ("sbd", "train", "VOCdevkit/VOC2012/ImageSets/Segmentation/val.txt", "must not train on"),
        ("sbd", "val", "SBD/val.txt", r"SBD/val\.txt: file is missing; SBD is not there"),
        ("sbd", "val", "SBD/cls/2008_000001.mat", r"2008_000001\.mat: mask is missing"),
        ("cityscapes", "val", None, r"leftImg8bit/val: no such folder; register"),
        ("cityscapes", "train", "gtFine/train/aachen/aachen_000000_000019_gtFine_labelIds.png", "mask is missing"),
    ],
)
def test_missing_files_of_the_big_datasets_are_named(tmp_path, name, split, change, message):
    write_voc(tmp_path)
    write_sbd(tmp_path / "SBD")
    write_cityscapes(tmp_path)
    if change:
        (tmp_path / change).unlink()
    with pytest.raises(DatasetError, match=message):
        open_dataset(name, tmp_path, split)


def test_broken_files_of_the_big_datasets_are_named(tmp_path):
    write_voc(tmp_path)
    write_sbd(tmp_path / "SBD")
    write_cityscapes(tmp_path)
    annotation = tmp_path / "SBD" / "cls" / "2007_000032.mat"
    dataset = open_dataset("sbd", tmp_path, "train")
    for content in (b"", b"no MATLAB file", annotation.read_bytes()[:150]):
        annotation.write_bytes(content)
        with pytest.raises(DatasetError, match=r"2007_000032\.mat: broken annotation file"):
            dataset.mask(0)
    savemat(annotation, {"other": 1})
    with pytest.raises(DatasetError, match=r"2007_000032\.mat: broken annotation file"):
        dataset.mask(0)
    dataset = open_dataset("cityscapes", tmp_path, "train")
    Image.fromarray(np.full((2, 17), 40, np.uint8)).save(dataset.mask_paths[0])
    with pytest.raises(DatasetError, match=r"labelIds\.png: label value 40 is none of the ids of Cityscapes"):
        dataset.mask(0)


@pytest.fixture
def archives(tmp_path, monkeypatch):
    """The archives of VOC and SBD, served on the loopback in place of their own sites."""

    class Silent(SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    write_voc(tmp_path / "voc")
    write_sbd(tmp_path / "sbd" / "benchmark_RELEASE" / "dataset")
    sums = {}
    for name, mode, top in (("voc.tar", "w", "voc/VOCdevkit"), ("benchmark.tgz", "w:gz", "sbd/benchmark_RELEASE")):
        with tarfile.open(tmp_path / name, mode) as archive:
            archive.add(tmp_path / top, top.split("/")[1])
        sums[name] = hashlib.md5((tmp_path / name).read_bytes()).hexdigest()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    entry = voc.DATASET_YEAR_DICT["2012"] | {"url": f"{address}/voc.tar", "md5": sums["voc.tar"]}
    monkeypatch.setitem(voc.DATASET_YEAR_DICT, "2012", entry)
    monkeypatch.setattr(SBDataset, "url", f"{address}/benchmark.tgz")
    monkeypatch.setattr(SBDataset, "md5", sums["benchmark.tgz"])
    yield tmp_path
    server.shutdown()
    server.server_close()


def test_voc_and_sbd_are_downloaded_and_checked(archives, tmp_path, capsys):
    data = tmp_path / "data"
    assert main(["voc", "--data", str(data), "--split", "val", "--download"]) == 0
    assert "voc val: 1 image, 21 classes, all readable" in capsys.readouterr().out
    assert main(["sbd", "--data", str(data), "--download"]) == 0
    assert sorted(path.name for path in data.iterdir()) == ["SBD", "VOCdevkit"]
    (archives / "voc.tar").unlink()
    assert main(["voc", "--data", str(data), "--download"]) == 0  # what is there is not fetched again


@pytest.mark.parametrize("fault", ["gone", "damaged"])
def test_a_download_that_fails_leaves_nothing(archives, tmp_path, capsys, fault):
    (archives / "voc.tar").write_bytes(b"junk") if fault == "damaged" else (archives / "voc.tar").unlink()
    assert main(["voc", "--data", str(tmp_path / "data"), "--download"]) == 1
    assert "the download failed" in capsys.readouterr().err
    assert list((tmp_path / "data").iterdir()) == []
    assert main(["cityscapes", "--data", str(tmp_path / "data"), "--download"]) == 1
    assert "register at" in capsys.readouterr().err


def test_median_frequency_weights_by_hand(tmp_path):
    """A class's frequency is over the labelled pixels of the images that hold it; one that none holds weighs 1."""
    root = make_folder(tmp_path / "mine", classes="a\nb\nc\nd\n")
    first = np.array([[0, 0, 0, 1, 255, 255]] * 4, np.uint8)  # 12 of a, 4 of b, 8 void
    second = np.array([[1, 1, 1, 1, 1, 2]] * 4, np.uint8)  # 20 of b, 4 of c
    for name, mask in (("one", first), ("two", second)):
        Image.fromarray(np.zeros((4, 6, 3), np.uint8)).save(root / "images" / f"{name}.jpg")
        Image.fromarray(mask).save(root / "masks" / f"{name}.png")
    weights = median_frequency_weights(open_dataset("folder", root, "train"))
    frequency = [12 / 16, 24 / 40, 4 / 24]
    np.testing.assert_allclose(weights, [0.6 / frequency[0], 1.0, 0.6 / frequency[2], 1.0], rtol=1e-6)
