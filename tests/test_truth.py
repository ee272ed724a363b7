"""Ground truth from label images: ids and palette colours give the same mask, everything else is refused."""

import io

import numpy as np
import pytest
from PIL import Image

from zoo.images.encoding import encode_mask
from zoo.images.examples import examples, find, match
from zoo.images.photo import Decoded, ImageError
from zoo.images.truth import decode_truth
from zoo.labels import CAMVID, CITYSCAPES, PASCAL_VOC, LabelSet, class_palette, spread_palette

MASK = np.resize(np.arange(12, dtype=np.uint8), (20, 31))  # every CamVid class and void (11)
PHOTO = Decoded(Image.new("RGB", (31, 20)), (), (31, 20))


def png(image: Image.Image) -> bytes:
    with io.BytesIO() as buffer:
        image.save(buffer, "PNG")
        return buffer.getvalue()


def test_indexed_grey_and_coloured_labels_agree():
    colours = np.array([*CAMVID.palette, (0, 0, 0)], np.uint8)[MASK]
    for content in (encode_mask(MASK, CAMVID), png(Image.fromarray(MASK)), png(Image.fromarray(colours))):
        assert np.array_equal(decode_truth(content, CAMVID, PHOTO), MASK)


def test_255_is_void_everywhere():
    assert (decode_truth(png(Image.new("L", (31, 20), 255)), CAMVID, PHOTO) == 11).all()


def test_black_is_background_where_the_palette_has_black():
    black = png(Image.new("RGB", (31, 20)))
    assert (decode_truth(black, PASCAL_VOC, PHOTO) == 0).all()
    assert (decode_truth(black, CAMVID, PHOTO) == CAMVID.void).all()


def indexed(mask, colours):
    image = Image.frombytes("P", mask.shape[::-1], mask.tobytes())
    image.putpalette([value for colour in colours for value in colour])
    return png(image)


def test_an_index_that_its_palette_contradicts_is_refused():
    """The same picture as `Image.quantize` stores it, where the places of the palette go by frequency."""
    classes = np.resize(np.arange(3, dtype=np.uint8), (20, 31))
    order = np.array([2, 0, 1], np.uint8)
    content = indexed(order[classes], [CAMVID.palette[index] for index in np.argsort(order)])
    with pytest.raises(ImageError, match=r"index 0 stands for sky.* #800000, which stands for building"):
        decode_truth(content, CAMVID, PHOTO)
    assert np.array_equal(decode_truth(indexed(classes, CAMVID.palette), CAMVID, PHOTO), classes)


@pytest.mark.parametrize("count", [2, 16, 17, 40, 200])
def test_the_voc_colour_map_fits_any_number_of_own_classes(count):
    names = ("background", *(f"class {number}" for number in range(1, count)))
    own = LabelSet("own", "own", names, class_palette(names), void=255)
    ids = np.resize(np.arange(count, dtype=np.uint8), (20, 31))
    assert np.array_equal(decode_truth(indexed(ids, spread_palette(256)), own, PHOTO), ids)


def test_a_mask_of_another_data_set_is_told_by_its_palette():
    animals = np.resize(np.array([0, 3, 8, 10, 255], np.uint8), (20, 31))
    content = indexed(animals, [*spread_palette(255), (224, 224, 192)])
    assert set(np.unique(decode_truth(content, PASCAL_VOC, PHOTO))) == {0, 3, 8, 10, 255}
    with pytest.raises(ImageError, match="palette of PASCAL VOC, so its indices name other classes than those of Cit"):
        decode_truth(content, CITYSCAPES, PHOTO)


def test_colours_that_a_data_set_leaves_unlabelled_are_void():
    ignored = np.array([(111, 74, 0), (0, 0, 0), (250, 170, 160), (128, 64, 128)], np.uint8)
    mask = decode_truth(png(Image.fromarray(np.resize(ignored[MASK % 4], (20, 31, 3)))), CITYSCAPES, PHOTO)
    assert np.array_equal(mask, np.where(MASK % 4 == 3, 0, 255))
    border = np.array([(224, 224, 192), (0, 0, 0), (128, 0, 0)], np.uint8)[MASK % 3]
    expected = np.array([255, 0, 1])[MASK % 3]
    assert np.array_equal(decode_truth(png(Image.fromarray(border)), PASCAL_VOC, PHOTO), expected)
    with pytest.raises(ImageError, match="colour #e0e0c0"):
        decode_truth(png(Image.fromarray(border)), CAMVID, PHOTO)


def test_black_and_white_needs_a_background_in_the_list_of_classes():
    white = png(Image.fromarray((MASK % 2 * 255).astype(np.uint8)))
    own = LabelSet("own", "Own", ("fundo", "trinca"), ((0, 0, 0), (9, 9, 9)), 255)
    assert np.array_equal(decode_truth(white, own, PHOTO), MASK % 2)
    other = LabelSet("own", "Own", ("road", "car"), ((0, 0, 0), (9, 9, 9)), 255)
    with pytest.raises(ImageError, match=r"only 0 and 255.* 0 for road, 1 for car"):
        decode_truth(white, other, PHOTO)


def test_black_and_white_says_nothing_of_one_class_among_many():
    white = png(Image.fromarray((MASK % 2 * 255).astype(np.uint8)))
    with pytest.raises(ImageError, match=r"only 0 and 255.*all that it labels is sky of CamVid"):
        decode_truth(white, CAMVID, PHOTO)


def test_labels_are_reduced_with_the_photo_by_nearest_neighbour():
    halved = Decoded(Image.new("RGB", (15, 10)), (), (30, 20))
    mask = np.kron(np.resize(np.arange(11, dtype=np.uint8), (10, 15)), np.ones((2, 2), np.uint8))
    assert np.array_equal(decode_truth(png(Image.fromarray(mask)), CAMVID, halved), mask[::2, ::2])


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (Image.new("L", (30, 20)), "30 × 20 pixels but the photo is 31 × 20"),
        (Image.new("L", (31, 20), 40), "value 40, which is no class of CamVid"),
        (Image.new("RGB", (31, 20), (1, 2, 3)), "colour #010203"),
    ],
)
def test_labels_that_do_not_fit_are_refused(image, message):
    with pytest.raises(ImageError, match=message):
        decode_truth(png(image), CAMVID, PHOTO)


def test_truncated_labels_are_refused():
    noise = np.random.default_rng(0).integers(0, 11, (20, 31)).astype(np.uint8)
    content = png(Image.fromarray(noise))
    with pytest.raises(ImageError, match="damaged"):
        decode_truth(content[: len(content) // 2], CAMVID, PHOTO)


def test_examples_are_complete_small_and_licensed():
    found = examples()
    assert [example.split for example in found] == ["val"] * 5 + ["train"] * 2 + [None]
    assert len({example.name.split("_")[0] for example in found}) == 4  # three videos and a cup
    for example in found:
        assert find(example.name) == example and match(example.photo.read_bytes()) == example
        if not example.truth:
            continue
        with Image.open(example.photo) as photo, Image.open(example.truth) as truth:
            assert photo.size == truth.size == (480, 360) and truth.mode == "P"
            assert np.asarray(truth).max() <= 11 and len(np.unique(np.asarray(truth))) > 8
    folder = found[0].photo.parent
    assert sum(path.stat().st_size for path in folder.iterdir() if path.is_file()) < 3_000_000
    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert (
        "CC BY-NC 4.0" in readme
        and "CC0" in readme
        and "Michetti" in readme
        and "Brostow" in readme
        and "2008" in readme
        and "2009" in readme
    )
    assert find("../README") is None and match(b"other") is None
