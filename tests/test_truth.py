"""Ground truth from label images: ids and palette colours give the same mask, everything else is refused."""

import io

import numpy as np
import pytest
from PIL import Image

from zoo.examples import examples, find, match
from zoo.labels import CAMVID, PASCAL_VOC
from zoo.segment import Decoded, ImageError, encode_mask
from zoo.truth import decode_truth

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
    assert len(found) == 5
    for example in found:
        with Image.open(example.photo) as photo, Image.open(example.truth) as truth:
            assert photo.size == truth.size == (480, 360) and truth.mode == "P"
            assert np.asarray(truth).max() <= 11 and len(np.unique(np.asarray(truth))) > 8
        assert find(example.name) == example and match(example.photo.read_bytes()) == example
    folder = found[0].photo.parent
    assert sum(path.stat().st_size for path in folder.iterdir() if path.is_file()) < 3_000_000
    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert "CC BY-NC 4.0" in readme and "Brostow" in readme and "2008" in readme and "2009" in readme
    assert find("../README") is None and match(b"other") is None
