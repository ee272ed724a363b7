"""Which mask goes with which photo of a batch: by folder and name, and none where that does not tell."""

import io
import unicodedata

import numpy as np
import pytest
from PIL import Image
from test_batch import packed, png, stored

from zoo.images.pairs import pair_masks
from zoo.images.photo import ImageError
from zoo.images.stored import read_stored
from zoo.images.truth import to_ids
from zoo.labels import CAMVID
from zoo.page.brought import read_batch
from zoo.text import Message, texts

UNCLEAR = Message("error_batch_mask")


def paired(*names: str, uploads: dict[str, int] | None = None) -> dict:
    """What becomes of files of these names, all from one zip but for those in `uploads`."""
    found = pair_masks({name: ((uploads or {}).get(name, 1), name) for name in names})
    return {name: "unclear" if isinstance(mask, Message) else mask for name, mask in found.items()}


def test_two_splits_with_the_same_names_keep_their_own_masks(tmp_path):
    entries = {
        f"{split}/{kind}/0001.png": png(value=10 * i + j)
        for i, split in enumerate(("train", "val"))
        for j, kind in enumerate(("images", "masks"))
    }
    photos = read_batch([stored(tmp_path, "all.zip", packed(entries))]).photos
    assert [photo.name for photo in photos] == ["train/images/0001.png", "val/images/0001.png"]
    assert [photo.read_truth and photo.read_truth() for photo in photos] == [png(value=1), png(value=11)]


def test_a_photo_whose_name_looks_like_a_masks_is_a_photo(tmp_path):
    paths = [stored(tmp_path, name, png()) for name in ("street.jpg", "carnival_mask.jpg")]
    assert [photo.name for photo in read_batch(paths).photos] == ["carnival_mask.jpg", "street.jpg"]
    assert [photo.name for photo in read_batch(paths[1:]).photos] == ["carnival_mask.jpg"]


@pytest.mark.parametrize(
    ("names", "pairs"),
    [
        (("b/two.png", "b/masks/two.png"), {"b/two.png": "b/masks/two.png"}),
        (("b/two.png", "masks/two.png"), {"b/two.png": "masks/two.png"}),
        (
            ("train/1.png", "trainannot/1.png", "val/1.png", "valannot/1.png"),
            {"train/1.png": "trainannot/1.png", "val/1.png": "valannot/1.png"},
        ),
        (
            ("images/train/1.jpg", "images/val/1.jpg", "labels/train/1.png", "labels/val/1.png"),
            {"images/train/1.jpg": "labels/train/1.png", "images/val/1.jpg": "labels/val/1.png"},
        ),
        (
            ("train/1.jpg", "train/1_mask.png", "val/1.jpg", "val/1_mask.png"),
            {"train/1.jpg": "train/1_mask.png", "val/1.jpg": "val/1_mask.png"},
        ),
        (("a_leftImg8bit.png", "a_gtFine_labelIds.png"), {"a_leftImg8bit.png": "a_gtFine_labelIds.png"}),
        (("x_mask.jpg", "masks/x_mask.png"), {"x_mask.jpg": "masks/x_mask.png"}),
        (("x_mask.jpg", "x_mask_mask.png"), {"x_mask.jpg": "x_mask_mask.png"}),
        (("x.jpg", "x_mask.png", "y/x_mask.jpg"), {"x.jpg": "x_mask.png", "y/x_mask.jpg": None}),
        (("train/1.jpg", "val/1.jpg", "val/masks/1.png"), {"train/1.jpg": None, "val/1.jpg": "val/masks/1.png"}),
        (("train/1.jpg", "val/1.jpg", "masks/1.png"), {"train/1.jpg": "unclear", "val/1.jpg": "unclear"}),
        (("1.jpg", "1.png", "masks/1.png"), {"1.jpg": "unclear", "1.png": "unclear"}),
        (("1.jpg", "1_mask.png", "masks/1.png"), {"1.jpg": "unclear"}),
        (("photo/1.jpg", "a/masks/1.png", "b/masks/1.png"), {"photo/1.jpg": "unclear"}),
        (
            ("a/1.jpg", "b/1.jpg", "b/masks/1.png", "c/masks/1.png"),
            {"a/1.jpg": "unclear", "b/1.jpg": "b/masks/1.png"},
        ),
        (("masks/1.png", "2_mask/1.png"), {"2_mask/1.png": "masks/1.png"}),
        (("masks/1.png",), {}),
    ],
)
def test_a_mask_is_its_photos_by_folder_and_by_name_alone_where_that_is_one_of_each(names, pairs):
    assert paired(*names) == pairs
    assert paired(*reversed(names)) == pairs


@pytest.mark.parametrize(("photo_form", "mask_form"), [("NFD", "NFC"), ("NFC", "NFD")])
def test_an_accent_is_the_same_letter_however_it_is_stored(photo_form, mask_form):
    for photo, mask in (("praça.jpg", "masks/praça.png"), ("são/1.jpg", "são/masks/1.png"), ("é.jpg", "é_mask.png")):
        photo, mask = unicodedata.normalize(photo_form, photo), unicodedata.normalize(mask_form, mask)
        assert paired(photo, mask) == {photo: mask}
        assert paired(photo, mask, uploads={mask: 2}) == {photo: mask}


def test_a_zips_masks_are_those_of_its_own_photos(tmp_path):
    one = stored(tmp_path, "one.zip", packed({"images/a.png": png(value=1)}))
    two = stored(tmp_path, "two.zip", packed({"images/a.png": png(value=2), "masks/a.png": png(value=3)}))
    for paths in ([one, two], [two, one]):
        truths = {photo.read(): photo.read_truth and photo.read_truth() for photo in read_batch(paths).photos}
        assert truths == {png(value=1): None, png(value=2): png(value=3)}
    assert paired("a.jpg", "masks/a.png", uploads={"a.jpg": 2}) == {"a.jpg": "masks/a.png"}


def test_a_photo_whose_mask_is_unclear_says_so(tmp_path):
    entries = {name: png() for name in ("a/1.png", "b/1.png", "masks/1.png")}
    photos = read_batch([stored(tmp_path, "all.zip", packed(entries))]).photos
    assert [(photo.refused, photo.read_truth) for photo in photos] == [(UNCLEAR, None)] * 2
    for language in ("en", "pt-BR"):
        assert "masks" in texts(language)["error_batch_mask"]


def encoded(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    with io.BytesIO() as buffer:
        Image.fromarray(pixels.astype(np.uint8)).save(buffer, kind)
        return buffer.getvalue()


def photo(kind: str = "PNG", seed: int = 0) -> bytes:
    return encoded(np.random.default_rng(seed).integers(0, 256, (24, 32, 3)), kind)


def labels(value: int = 0) -> bytes:
    return encoded(np.full((24, 32), value))


def brought(folder, uploads: dict[str, dict[str, bytes]]) -> tuple[dict[str, bool], list[str]]:
    """{photo: whether it has a mask}, and the masks alone, of zips of these names."""
    paths = [stored(folder, name, packed(entries)) for name, entries in uploads.items()]
    found = read_batch(paths, lambda content: to_ids(read_stored(content), CAMVID))
    return {photo.name: photo.read_truth is not None for photo in found.photos}, found.masks_alone


def test_masks_that_no_photo_has_are_named(tmp_path):
    entries = {"a.jpg": photo("JPEG"), "masks/a.png": labels(), "masks/b.png": labels(), "other/masks/a.png": labels()}
    assert brought(tmp_path, {"all.zip": entries}) == ({"a.jpg": True}, ["masks/b.png", "other/masks/a.png"])


@pytest.mark.parametrize("names", [("photos.zip", "masks.zip"), ("camvid.zip", "camvid-labels.zip")])
def test_a_zip_that_is_called_masks_holds_masks(tmp_path, names):
    contents = {"a.png": png(), "b.png": png()}, {"a.png": png(), "b.png": png()}  # alike, so that the name decides
    found, alone = brought(tmp_path, dict(zip(names, contents, strict=True)))
    assert found == {"a.png": True, "b.png": True} and alone == []


def test_a_zip_of_photos_and_masks_is_no_zip_of_masks_whatever_its_name(tmp_path):
    entries = {"images/a.jpg": photo("JPEG"), "labels/a.png": labels()}
    assert brought(tmp_path, {"labels.zip": entries}) == ({"images/a.jpg": True}, [])


@pytest.mark.parametrize("order", [("one.zip", "two.zip"), ("two.zip", "one.zip")])
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_two_zips_without_a_name_that_tells_are_told_by_what_they_hold(tmp_path, order, kind):
    photos = {f"{name}.png": photo(kind, seed) for seed, name in enumerate("ab")}
    first, second = order
    found, alone = brought(tmp_path, dict(sorted({first: photos, second: {"a.png": labels(3)}}.items())))
    assert sorted(found.values()) == [False, True] and len(found) == 2 and alone == []


def test_two_zips_of_photos_of_the_same_names_stay_photos(tmp_path):
    uploads = {f"{camera}.zip": {"1.png": photo(seed=seed)} for seed, camera in enumerate(("left", "right"))}
    assert brought(tmp_path, uploads) == ({"1.png": False, "1 (2).png": False}, [])
    uploads = {name: {"1.png": labels(1)} for name in ("one.zip", "two.zip")}
    assert brought(tmp_path, uploads) == ({"1.png": False, "1 (2).png": False}, [])


@pytest.mark.parametrize("folder", ["", "street/"])
def test_masks_beside_their_photos_are_told_by_what_they_hold(tmp_path, folder):
    photos = {f"{folder}{name}.jpg": photo("JPEG", seed) for seed, name in enumerate("abc")}
    masks = {f"{folder}{name}.png": labels(value) for value, name in enumerate("ab")}
    whole = {f"{folder}a.jpg": True, f"{folder}b.jpg": True, f"{folder}c.jpg": False}
    assert brought(tmp_path, {"all.zip": photos | masks}) == (whole, [])
    reverse = {f"{folder}a.jpg": photo("JPEG"), f"{folder}a.png": labels(), f"{folder}d.png": photo(seed=4)}
    assert brought(tmp_path, {"all.zip": reverse}) == ({f"{folder}a.jpg": True, f"{folder}d.png": False}, [])


def test_files_that_differ_by_their_ending_are_photos_where_none_or_each_holds_labels(tmp_path):
    for one, other in ((photo("JPEG"), photo()), (labels(1), labels(2))):
        found, alone = brought(tmp_path, {"all.zip": {"a.gif": one, "a.png": other}})
        assert found == {"a.gif": False, "a.png": False} and alone == []


def test_photos_in_a_folder_that_is_called_like_one_of_masks_are_photos(tmp_path):
    photos = {f"labels/{name}.jpg": photo("JPEG") for name in "ab"}
    assert brought(tmp_path, {"all.zip": photos}) == ({"labels/a.jpg": False, "labels/b.jpg": False}, [])
    both = photos | {"masks/a.png": labels()}
    assert brought(tmp_path, {"both.zip": both}) == ({"labels/a.jpg": True, "labels/b.jpg": False}, [])


def test_masks_alone_are_refused_with_what_to_do(tmp_path):
    with pytest.raises(ImageError, match=r"are masks.*labels/a\.png.*Bring the images too.*folder images"):
        brought(tmp_path, {"all.zip": {"labels/a.png": labels(2)}})
