"""The working size: which size a photo is shown at, masks of any size, and where a checkpoint says it."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from zoo.checkpoints.folder import read_info, save
from zoo.checkpoints.information import CheckpointError
from zoo.hub.catalog import catalog, load
from zoo.images.examples import examples
from zoo.images.photo import FULL_PIXELS, LONG_SIDE, Decoded, decode_image
from zoo.labels import CAMVID
from zoo.models.labelling import Output, upsampling_matrix
from zoo.models.preparation import engine_of
from zoo.models.score_maps import stages
from zoo.models.segmentation import segment
from zoo.models.torch_engine import FCNEngine
from zoo.text import texts
from zoo.working_size import network_side, resize_photo, scaled


@pytest.mark.parametrize(
    ("trained", "photo", "size", "expected"),
    [
        (480, (4032, 3024), "trained", 480),
        (480, (3024, 4032), "trained", 480),
        (480, (40, 30), "trained", 480),
        (None, (700, 300), "trained", 700),
        (480, (4032, 3024), "larger", 640),
        (480, (600, 400), "larger", 600),
        (480, (40, 30), "larger", 480),
        (480, (4032, 3024), "full", 4032),
        (None, (700, 300), "larger", 700),
        (480, (4032, 3024), 99, 99),
    ],
)
def test_the_long_side_follows_checkpoint_and_choice(trained, photo, size, expected):
    assert network_side(trained, photo, size) == expected


@pytest.mark.parametrize("size", ["huge", "", 0, -5, True, 1.5, None])
def test_other_sizes_are_refused(size):
    with pytest.raises(ValueError, match="trained, larger, full"):
        network_side(480, (640, 480), size)


def test_no_side_vanishes():
    assert scaled((5000, 2), 480) == (480, 1) and resize_photo(Image.new("RGB", (5000, 2)), 480).size == (480, 1)


@pytest.mark.parametrize("target", [(45, 60), (90, 121), (17, 240), (7, 9), (1, 1), (31, 40)])
def test_logits_are_resized_as_torch_interpolates(target):
    logits = torch.randn(1, 5, 31, 40, generator=torch.Generator().manual_seed(0))
    rows, columns = (upsampling_matrix(seen, 1, 0, seen, side) for seen, side in zip((31, 40), target, strict=True))
    expected = F.interpolate(logits, target, mode="bilinear", align_corners=False)[0]
    assert np.allclose(rows @ logits[0].numpy() @ columns.T, expected, atol=1e-5)
    mask, confidence = Output().label(logits[0].numpy(), (31, 40), target)
    assert (mask == expected.argmax(0).numpy()).mean() > 0.999
    assert np.allclose(confidence, expected.softmax(0).amax(0), atol=1e-5)


@pytest.fixture
def model(make_model):
    """A tiny network that was trained on images of 64 pixels, as its information says."""
    model = make_model("fcn8s")
    model.info = replace(catalog()[0], working_size=64)
    return model


def test_the_mask_is_the_logits_of_the_reduced_photo_at_the_photos_size(model):
    photo = Image.fromarray(np.random.default_rng(1).integers(0, 256, (90, 160, 3), np.uint8))
    found = segment(model, photo, precision="fp32")
    small = photo.resize((64, 36), Image.Resampling.BICUBIC)
    with torch.inference_mode():
        logits = model(torch.from_numpy(np.array(small)).permute(2, 0, 1)[None].float() / 255)
        logits = F.interpolate(logits, (90, 160), mode="bilinear", align_corners=False)
    assert found.working_size == (64, 36) and found.mask.shape == found.confidence.shape == (90, 160)
    assert (found.mask == logits.argmax(1)[0].numpy()).mean() > 0.999
    assert np.allclose(found.confidence, logits.softmax(1).amax(1)[0].numpy(), atol=1e-3)


def test_size_and_mask_size_are_choices(model):
    photo = Image.fromarray(np.random.default_rng(1).integers(0, 256, (90, 160, 3), np.uint8))
    assert segment(model, photo, size="full").working_size == (160, 90)
    assert segment(model, photo, size=32).working_size == (32, 18)
    found = segment(model, np.array(photo), mask_size=(20, 10))
    assert found.mask.shape == (10, 20) and found.working_size == (64, 36)
    ladder = stages(model, photo, mask_size=(20, 10))
    assert all(stage.mask.shape == (10, 20) for stage in ladder)
    np.testing.assert_array_equal(ladder[-1].mask, found.mask)
    assert engine_of(model, "fp32").working_size == 64 and FCNEngine(model, "fp32").working_size == 64


def test_a_network_without_information_sees_the_photo_as_it_is(make_model):
    photo = Image.new("RGB", (50, 30))
    assert segment(make_model("fcn8s"), photo).working_size == (50, 30)


def test_blocks_of_the_ladder_are_as_large_as_the_enlarged_photo(model):
    photo = Image.fromarray(np.random.default_rng(1).integers(0, 256, (36, 64, 3), np.uint8))
    seen = stages(model, photo, precision="fp32")
    shown = stages(model, photo, mask_size=(256, 144), precision="fp32")
    for small, large in zip(seen[:-1], shown[:-1], strict=True):
        np.testing.assert_array_equal(large.mask, np.kron(small.mask, np.ones((4, 4), np.uint8)))


def test_a_bundled_checkpoint_sees_examples_at_their_own_size():
    for info in catalog(dataset="camvid", backbone="vgg16bn-w25"):  # rescaled by 1 on average in training
        assert (info.working_size, info.working_size_from) == (480, "config.json")
    with Image.open(examples()[0].photo) as photo:
        trained, full = (segment(load(catalog()[0].name), photo, size=size).mask for size in ("trained", "full"))
    np.testing.assert_array_equal(trained, full)


def written(folder, model, **changes):
    """The information of a checkpoint folder whose config.json has these changes; None takes a field away."""
    save(model, folder, labels=CAMVID, loss="ce", training={"crop": 96}, working_size=200)
    path = folder / "config.json"
    document = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({name: value for name, value in document.items() if value is not None}))
    return read_info(folder)


def test_the_working_size_is_read_or_follows_from_the_crop_or_is_unknown(tmp_path, make_model):
    model = make_model("fcn8s", classes=CAMVID.classes)
    info = written(tmp_path, model)
    assert (info.working_size, info.working_size_from) == (200, "config.json")
    info = written(tmp_path, model, working_size=None)
    assert (info.working_size, info.working_size_from) == (144, "training crop")
    for crop in (0, -3, True, "96", None, 10**9):
        training = {"loss": "ce", "dataset": "camvid", "crop": crop}
        info = written(tmp_path, model, working_size=None, training=training)
        assert (info.working_size, info.working_size_from) == (None, "nothing")


@pytest.mark.parametrize(
    "value", [480, [480], {}, {"longest_edge": 0}, {"longest_edge": "480"}, {"longest_edge": 10**6}]
)
def test_a_working_size_of_no_use_is_refused(tmp_path, make_model, value):
    with pytest.raises(CheckpointError, match="working_size"):
        written(tmp_path, make_model("fcn8s", classes=CAMVID.classes), working_size=value)


def test_a_photo_is_displayed_small_and_its_own_size_is_bounded():
    image = Image.new("RGB", (4000, 3000))
    decoded = Decoded(image, (), image.size)
    assert decoded.display.size == (LONG_SIDE, 768) and decoded.own_size == (4000, 3000)
    width, height = Decoded(image.reduce(4), (), (9000, 6000)).own_size
    assert width * height <= FULL_PIXELS and abs(width / height - 1.5) < 0.001
    assert Decoded(image.reduce(4), (), (20_000, 100)).own_size == (8192, 41)
    small = decode_image(examples()[0].photo)
    assert small.display is small.image and small.own_size == small.image.size


@pytest.mark.parametrize(
    ("language", "words"), [("en", r"\((\d+) to (\d+) pixels"), ("pt-BR", r"\((\d+) a (\d+) pixels")]
)
def test_the_page_tells_the_sizes_of_the_bundled_checkpoints(language, words):
    sizes = [info.working_size for info in catalog()]
    said = re.search(words, texts(language)["size_help"]).groups()
    assert said == (str(min(sizes)), str(max(sizes)))
