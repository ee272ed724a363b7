"""Data of one's own as tools write it: read right, or refused in a sentence that names file and remedy."""

import io
import re
import unicodedata
from functools import partial

import numpy as np
import pytest
from own_data import grey_png, indexed, scene, write
from PIL import Image

from evaluation.datasets import DatasetError, open_dataset
from evaluation.datasets.__main__ import main
from zoo.images import decode_image, decode_truth
from zoo.labels import LabelSet, class_palette, is_background, spread_palette

BLACK, RED, WHITE = (0, 0, 0), (128, 0, 0), (255, 255, 255)


def masks_of(root, split="train"):
    dataset = open_dataset("folder", root, split)
    return [dataset.mask(index) for index in range(len(dataset))]


def expected(split="train", count=2):
    number, images = {"train": (0, 3), "val": (1, 2)}[split]
    return [scene(100 * number + index, count)[1] for index in range(images)]


def opaque(*channels):
    return np.stack([*channels, np.full_like(channels[0], 255)], -1)


STORED = {
    "grey": lambda mask: mask,
    "1 bit": lambda mask: Image.fromarray(mask * 255).convert("1"),
    "1 bit by hand": partial(grey_png, bits=1),
    "2 bits": partial(grey_png, bits=2),
    "4 bits": partial(grey_png, bits=4),
    "16 bits": lambda mask: mask.astype(np.uint16),
    "8 bits spread over 16": lambda mask: mask.astype(np.uint16) * 257,
    "grey and alpha": lambda mask: Image.merge(
        "LA", [Image.fromarray(mask), Image.new("L", mask.shape[::-1], 255)]
    ),
    "three channels": lambda mask: np.stack([mask] * 3, -1),
    "four channels": lambda mask: opaque(mask, mask, mask),
    "VOC colour map": lambda mask: indexed(mask, BLACK, RED),
    "any palette": lambda mask: indexed(mask, (10, 20, 30), (200, 100, 0)),
    "black and white palette": lambda mask: indexed(mask, BLACK, WHITE),
    "0 and 255": lambda mask: mask * 255,
    "0 and 255 in three channels": lambda mask: np.stack([mask * 255] * 3, -1),
    "0 and 65535": lambda mask: mask.astype(np.uint16) * 65535,
}  # fmt: skip


@pytest.mark.parametrize("form", STORED)
def test_ids_come_out_alike_however_they_are_stored(tmp_path, form):
    root = write(tmp_path / "mine", lambda image, mask: (image, STORED[form](mask)))
    for split in ("train", "val"):
        for found, wanted in zip(masks_of(root, split), expected(split), strict=True):
            np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("bits", [2, 4])
def test_four_classes_in_few_bits(tmp_path, bits):
    root = write(tmp_path / "mine", lambda image, mask: (image, grey_png(mask, bits)), classes="a\nb\nc\nd\n", count=4)
    for found, wanted in zip(masks_of(root), expected(count=4), strict=True):
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("format", ["tif", "bmp", "gif"])
def test_masks_in_other_lossless_formats(tmp_path, format):
    root = write(tmp_path / "mine", mask_name="photo{}." + format)
    for found, wanted in zip(masks_of(root), expected(), strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_colours_are_read_where_the_list_of_classes_gives_them(tmp_path):
    colours = np.array([BLACK, (7, 8, 9)], np.uint8)
    for name, text in (
        ("labelmap.txt", "# label:color_rgb:parts:actions\nbackground:0,0,0::\nsquare:7,8,9::\n"),
        ("label_colors.txt", "0 0 0 background\n7 8 9 square\n"),
    ):
        root = write(tmp_path / name.split(".")[0], lambda image, mask: (image, colours[mask]))
        (root / "classes.txt").unlink()
        (root / name).write_text(text)
        assert open_dataset("folder", root, "val").labels.palette == (BLACK, (7, 8, 9))
        np.testing.assert_array_equal(masks_of(root)[0], expected()[0])


def test_black_and_white_as_declared_colours_may_stand_for_any_class(tmp_path):
    root = write(tmp_path / "mine", lambda image, mask: (image, 255 - mask * 255))
    (root / "classes.txt").unlink()
    (root / "labelmap.txt").write_text("pavement:255,255,255\ncrack:0,0,0\n")
    np.testing.assert_array_equal(masks_of(root)[0], expected()[0])


def jpeg(mask):
    with io.BytesIO() as buffer:
        Image.fromarray(mask * 255).save(buffer, "JPEG", quality=60)
        return buffer.getvalue()


def see_through(mask):
    layer = opaque(mask, mask, mask)
    layer[0, 0, 3] = 0
    return layer


REFUSED = {
    "JPEG": ({"mask_name": "photo{}.jpg"}, jpeg, r"masks/photo0\.jpg: This is a JPEG file"),
    "JPEG called PNG": ({}, jpeg, r"masks/photo0\.png: This is a JPEG file"),
    "JPEG once": ({}, lambda m: np.asarray(Image.open(io.BytesIO(jpeg(m)))), r"photo0\.png: .*different values.*JPEG"),
    "smoothed": ({}, lambda m: Image.fromarray(m * 255).resize((180, 100)).resize((36, 24)), "smoothed"),
    "ids from one": ({}, lambda m: m + 1, r"photo0\.png: .* value 2, .*start at 1 .* first class for 0"),
    "ids of objects": ({}, lambda m: m.astype(np.uint16) * 26001, r"photo0\.png: .* number 26001"),
    "transparent": ({}, see_through, r"photo0\.png: .*transparent pixels"),
    "undeclared colours": ({}, lambda m: np.array([BLACK, RED], np.uint8)[m], r"photo0\.png: .*labelmap\.txt"),
    "palette by frequency": ({}, lambda m: indexed(m, RED, BLACK), r"photo0\.png: .*index 1 .*#000000.* background"),
    "shrunken palette": ({}, lambda m: indexed(1 - m, (1,) * 3, BLACK), r"photo0\.png: .*index 1 .*#000000"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_mask_or_has_two_meanings_is_refused(tmp_path, name):
    options, change, message = REFUSED[name]
    root = write(tmp_path / "mine", lambda image, mask: (image, change(mask)), **options)
    with pytest.raises(DatasetError, match=message):
        masks_of(root)


def test_0_and_255_are_one_rule_for_all_splits(tmp_path, capsys):
    def white(image, mask):
        return image, mask * 255

    root = write(tmp_path / "order", white, classes="square\nbackground\n")
    with pytest.raises(DatasetError, match=r"train/masks: .*only 0 and 255.*0 for square, 1 for background"):
        open_dataset("folder", root, "train")
    root = write(tmp_path / "mixed", white)
    for index in range(2):
        Image.fromarray(scene(100 + index)[1]).save(root / "val" / "masks" / f"photo{index}.png")
    with pytest.raises(DatasetError, match=r"train/masks: .*255.*other splits have other values"):
        open_dataset("folder", root, "train")
    assert {*np.unique(masks_of(root, "val")).tolist()} == {0, 1}
    root = write(tmp_path / "void", lambda image, mask: (image, indexed(mask * 255, *spread_palette(256))))
    assert np.unique(masks_of(root)).tolist() == [0, 255]  # the VOC colour map's 255 is a border
    # An image that is all object does not change what 255 means.
    root = write(tmp_path / "tool", white)
    Image.new("L", (36, 24), 255).save(root / "val" / "masks" / "photo0.png")
    assert (masks_of(root, "val")[0] == 1).all()
    assert main(["folder", "--data", str(root)]) == 0
    assert "255 is read as square" in capsys.readouterr().err


def test_an_exif_turned_photo_and_its_mask_are_one_picture(tmp_path):
    for orientation, turns in {6: 1, 3: 2, 8: 3}.items():

        def turned(image, mask, orientation=orientation, turns=turns):
            stored = Image.fromarray(np.ascontiguousarray(np.rot90(image, turns)))
            stored.getexif()[0x0112] = orientation
            return stored, mask

        for ending in ("jpg", "png", "tif"):
            root = write(tmp_path / f"{orientation}{ending}", turned, image_name="photo{}." + ending)
            dataset = open_dataset("folder", root, "train")
            image, mask = dataset.image(1), dataset.mask(1)
            assert image.shape[:2] == mask.shape == (24, 36)
            red = image[mask == 1].mean(0)
            assert red[0] > 150 > red[1], (orientation, ending)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["large", "16 bits", "transparent", "CMYK", "palette", "1 bit"])
def test_page_and_datasets_see_the_same_pixels(tmp_path, kind):
    image, mask = scene(0, size=(1100, 1300)) if kind == "large" else scene(0)
    grey = Image.fromarray(image).convert("L")
    picture = {
        "large": Image.fromarray(image),
        "16 bits": Image.fromarray(np.asarray(grey).astype(np.uint16) * 257),
        "transparent": Image.fromarray(np.dstack([image, image[..., 0]])),
        "CMYK": Image.fromarray(image).convert("CMYK"),
        "palette": Image.fromarray(image).convert("P", palette=Image.Palette.ADAPTIVE),
        "1 bit": grey.convert("1"),
    }[kind]
    ending = "tif" if kind == "CMYK" else "png"
    root = write(tmp_path / "mine", lambda *_: (picture, mask), image_name="photo{}." + ending)
    dataset = open_dataset("folder", root, "train")
    shown = decode_image(dataset.image_paths[0], 8192)
    np.testing.assert_array_equal(dataset.image(0), np.asarray(shown.image))
    displayed = np.asarray(Image.fromarray(dataset.mask(0)).resize(shown.display.size, Image.Resampling.NEAREST))
    np.testing.assert_array_equal(displayed, decode_truth(dataset.mask_paths[0], dataset.labels, shown))
    assert dataset.image(0).shape[:2] == image.shape[:2]


@pytest.mark.parametrize("ending", ["tif", "TIF", "bmp", "JPG", "jpeg", "webp", "gif", "tiff"])
def test_photos_of_every_format_are_taken(tmp_path, ending):
    root = write(tmp_path / "mine", image_name="photo{}." + ending, mask_name="photo{}.PNG")
    dataset = open_dataset("folder", root, "train")
    assert len(dataset) == 3
    if ending != "gif":
        assert dataset.image(0)[dataset.mask(0) == 1].mean(0)[0] > 150


def test_sub_folders_system_files_and_accents(tmp_path):
    accented = unicodedata.normalize("NFC", "praça{}.png"), unicodedata.normalize("NFD", "praça{}.png")
    root = write(tmp_path / "mine")
    write(root, image_name="site/" + accented[0], mask_name="site/" + accented[1])
    for path in list(root.rglob("*.png")):
        path.with_name("._" + path.name).write_bytes(b"\0\5\x16\7 Mac OS X")
    for name in ("images/.DS_Store", "images/Thumbs.db", "masks/desktop.ini"):
        (root / "train" / name).write_bytes(b"x")
    dataset = open_dataset("folder", root, "train")
    assert dataset.image_ids == ("photo0", "photo1", "photo2", "site/praça0", "site/praça1", "site/praça2")
    assert dataset.notes == () and dataset.mask(3).shape == (24, 36)


def test_what_is_passed_over_is_said(tmp_path):
    root = write(tmp_path / "mine")
    (root / "train" / "images" / "IMG_1.HEIC").write_bytes(b"x")
    Image.new("L", (4, 4)).save(root / "train" / "masks" / "orphan.png")
    first, second = open_dataset("folder", root, "train").notes
    assert re.search(r"train/images: 1 file is passed over.*\.heic", first)
    assert re.search(r"train/masks: 1 mask has no image.*orphan\.png", second)


def test_a_class_that_is_called_unlabelled_is_questioned(tmp_path):
    root = write(tmp_path / "mine", classes="unlabeled\nsquare\n")
    (note,) = open_dataset("folder", root, "train").notes
    assert "class unlabeled is learnt and scored like any other; if nobody labelled its pixels, save" in note


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("photo{}_mask.png", r"masks/photo0\.png: mask is missing \(3 of 3.*; photo0_mask\.png is there"),
        ("photo{}.png.png", r"masks/photo0\.png: mask is missing.*; photo0\.png\.png is there"),
        ("PHOTO{}.png", r"masks/photo0\.png: mask is missing.*; PHOTO0\.png is there"),
        ("day/photo{}.png", r"masks/photo0\.png: mask is missing.*; day/photo0\.png is there"),
        ("other{}.png", r"masks/photo0\.png: mask is missing \(3 of 3 images have none\)$"),
    ],
)
def test_near_misses_of_names_are_named(tmp_path, name, message):
    with pytest.raises(DatasetError, match=message):
        open_dataset("folder", write(tmp_path / "mine", mask_name=name), "train")


def test_two_files_of_one_name_are_refused(tmp_path):
    root = write(tmp_path / "mine")
    Image.new("RGB", (36, 24)).save(root / "train" / "images" / "photo1.jpg")
    with pytest.raises(DatasetError, match=r"photo1\.png: photo1\.jpg is there already"):
        open_dataset("folder", root, "train")


def test_a_split_is_what_its_folder_says(tmp_path):
    root = write(tmp_path / "flat", splits={"": 4})
    assert len(open_dataset("folder", root, "all")) == len(open_dataset("folder", root, "train")) == 4
    with pytest.raises(DatasetError, match=r"flat/val: .*one set, which is no 'val': move some of them to val/images"):
        open_dataset("folder", root, "val")
    for name in ("valid", "validation"):
        root = write(tmp_path / name, splits={"train": 2, name: 3})
        assert len(open_dataset("folder", root, "val")) == 3
    with pytest.raises(DatasetError, match=r"valid/test: no such folder; there are train, valid$"):
        open_dataset("folder", tmp_path / "valid", "test")
    root = write(tmp_path / "kinds", image_name="train/{}.png", mask_name="train/{}.png", splits={"": 3})
    write(root, image_name="val/{}.png", mask_name="val/{}.png", splits={"": 2})
    assert len(open_dataset("folder", root, "train")) == 3 and len(open_dataset("folder", root, "val")) == 2
    with pytest.raises(DatasetError, match=r"kinds/all: no such folder; there are train, val$"):
        open_dataset("folder", root, "all")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("fundo\r\ncalçada\r\n".encode("cp1252"), "line 2 is not UTF-8; save the file as UTF-8"),
        (b"background\n\nsquare\n", "line 2 is empty; write a name for every id"),
        (b"0 background\n1 square\n", "the lines are numbered"),
        (b"1: background\n2: square\n", "the lines are numbered"),
        (b"background, square\n", "one line with several names"),
        (b"# mine\nbackground\nsquare\n", "line 1 starts with '#'"),
        (b"square\nsquare\n", r"class 'square' stands there twice \(entries 1 and 2\)"),
        (b"square\n", "lists 1 class"),
        (b"", "lists 0 class"),
        ("background\ncalçada <b>\n".encode(), "class 'calçada <b>': use at most 80 characters, without '<'"),
        (b"background\n" + b"x" * 81 + b"\n", "use at most 80 characters"),
        ("".join(f"c{i}\n" for i in range(256)).encode(), "255 is the most"),
    ],
)
def test_a_list_of_classes_that_could_mislead_is_refused(tmp_path, content, message):
    with pytest.raises(DatasetError, match=rf"mine/classes\.txt: .*{message}"):
        open_dataset("folder", write(tmp_path / "mine", classes=content), "train")


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfbackground\nsquare\n",
        "background\r\nsquare\r\n".encode("utf-16"),
        b"background\r\nsquare",
        b"__ignore__\nbackground\nsquare\n\n",
    ],
)
def test_lists_of_classes_as_editors_and_labelme_write_them(tmp_path, content):
    dataset = open_dataset("folder", write(tmp_path / "mine", classes=content), "train")
    assert dataset.labels.classes == ("background", "square")


def test_other_lists_of_classes(tmp_path):
    root = write(tmp_path / "mine")
    (root / "classes.txt").rename(root / "labels.txt")
    with pytest.raises(DatasetError, match=r"classes\.txt: file is missing; if labels\.txt is it, rename it"):
        open_dataset("folder", root, "train")
    (root / "_classes.csv").write_text("Pixel Value, Class\n0, background\n1, square\n")
    assert open_dataset("folder", root, "train").labels.classes == ("background", "square")
    (root / "_classes.csv").write_text("Pixel Value, Class\n0, background\n2, square\n")
    with pytest.raises(DatasetError, match=r"_classes\.csv: line 3 should read '1, NAME'"):
        open_dataset("folder", root, "train")
    root = write(tmp_path / "two")
    (root / "val" / "classes.txt").write_text("square\nbackground\n")
    with pytest.raises(DatasetError, match=r"val/classes\.txt: differs from .*two/classes\.txt"):
        open_dataset("folder", root, "val")


def test_a_folder_whose_name_no_checkpoint_could_carry(tmp_path):
    with pytest.raises(DatasetError, match="name the folder without '<'"):
        open_dataset("folder", write(tmp_path / "a<b>"), "train")


def test_own_classes_are_readable_and_the_background_is_black():
    assert class_palette(("background", "crack"))[0] == BLACK and class_palette(("road", "car", "sky"))[0] != BLACK
    for count in (2, 30, 255):
        names = ("fundo", *(f"class {index}" for index in range(count - 1)))
        labels = LabelSet("own", "own", names, class_palette(names), 255)
        assert len(set(labels.palette)) == count
    assert all(max(colour) > 60 for colour in class_palette(names)[1:17])
    assert is_background("_background_") and is_background("Fundo") and not is_background("sky")
