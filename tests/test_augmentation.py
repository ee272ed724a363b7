"""Random crops: image and mask together, void beyond the image, and the same crops for any number of processes."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torchvision.transforms.v2 import functional as transform

from evaluation.datasets import open_dataset
from training import TrainingError, augmentation
from training.augmentation import (
    TrainingCrops,
    batch_items,
    crop_loader,
    plan_batches,
    process_batches,
    stack,
    steps_per_epoch,
)
from training.device_augmentation import DeviceCrops, draw, jitter_colours, turn_hue
from training.device_augmentation import device_crops as batches_on_device
from training.recipe import Recipe
from zoo.labels import CAMVID

TINY = Recipe(batch_size=2, crop=32)


def test_crops_keep_image_and_mask_together(camvid):
    """In the synthetic data red = 20 * class: wherever the crop is labelled, the colour still tells the class."""
    recipe = replace(TINY, jitter=0.0, scale_low=1.0, scale_high=1.0)
    crops = TrainingCrops(open_dataset("camvid", camvid, "train"), recipe)
    for seed in range(10):
        image, mask = crops[seed % len(crops), seed]
        assert image.shape == (3, 32, 32) and mask.shape == (32, 32) and mask.dtype == torch.uint8
        assert (image[0].int() - mask.int() * 20).abs().max() <= 8


def test_crops_beyond_the_image_are_void(camvid):
    recipe = replace(TINY, crop=100, jitter=0.0)
    image, mask = TrainingCrops(open_dataset("camvid", camvid, "train"), recipe)[0, 0]
    outside = (image == torch.tensor([124, 116, 104])[:, None, None]).all(0)
    assert outside.float().mean() > 0.2 and (mask[outside] == CAMVID.void).float().mean() > 0.99


def test_crops_are_a_function_of_their_seed(camvid):
    crops = TrainingCrops(open_dataset("camvid", camvid, "train"), TINY)
    first = crops[1, 7]
    state = torch.get_rng_state()
    again = crops[1, 7]
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(first[0], crops[1, 8][0])


def test_an_epoch_shows_every_image_once():
    recipe = replace(TINY, batch_size=5)
    steps = steps_per_epoch(20, recipe)
    epochs = [
        [index for step in range(e * steps, (e + 1) * steps) for index, _ in batch_items(20, recipe, step)]
        for e in (0, 1)
    ]
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(20)) and epochs[0] != epochs[1]


def test_processes_share_the_images_of_a_step():
    """Whatever the number of processes and accumulated batches, a step shows the same crops, each once."""
    for processes, accumulate in ((1, 1), (2, 1), (2, 3), (3, 2), (6, 1)):
        recipe = replace(TINY, batch_size=12, accumulate=accumulate)
        items = batch_items(20, recipe, 7)
        shares = [process_batches(items, recipe, process, processes) for process in range(processes)]
        assert {len(batch) for share in shares for batch in share} == {12 // (processes * accumulate)}
        assert all(len(share) == accumulate for share in shares)
        assert sorted(item for share in shares for batch in share for item in batch) == sorted(items)


def test_whole_images_keep_their_pixels(camvid):
    dataset = open_dataset("camvid", camvid, "train")
    image, mask = TrainingCrops(dataset, replace(TINY, crop=0, flip=False, jitter=0.0))[2, 5]
    assert torch.equal(image.permute(1, 2, 0), torch.from_numpy(dataset.image(2)))
    assert torch.equal(mask, torch.from_numpy(dataset.mask(2)))
    with pytest.raises(TrainingError, match="different sizes make no batch"):
        stack([(image, mask), (image[:, 1:], mask[1:])])


def test_a_split_too_large_for_memory_is_read_from_disk(camvid, monkeypatch):
    dataset = open_dataset("camvid", camvid, "train")
    held = TrainingCrops(dataset, TINY)
    monkeypatch.setattr(augmentation, "RESIDENT_BYTES", 10_000)
    read = TrainingCrops(dataset, TINY)
    assert held.resident is not None and read.resident is None
    assert all(torch.equal(a, b) for a, b in zip(held[3, 4], read[3, 4], strict=True))


def test_loader_gives_the_planned_crops(camvid):
    recipe = replace(TINY, accumulate=2)
    crops = TrainingCrops(open_dataset("camvid", camvid, "train"), recipe)
    batches = list(crop_loader(crops, plan_batches(6, recipe, 1, 3), workers=0))
    expected = [crops[item] for step in (1, 2) for item in batch_items(6, recipe, step)]
    assert len(batches) == 4 and batches[0][0].shape == (1, 3, 32, 32)
    for (images, masks), (image, mask) in zip(batches, expected, strict=True):
        assert torch.equal(images[0], image) and torch.equal(masks[0], mask)


def device_crops(camvid, **changes):
    dataset = open_dataset("camvid", camvid, "train")
    return dataset, DeviceCrops(dataset, replace(TINY, **changes), torch.device("cpu"))


@pytest.mark.parametrize("scale", [1.0, 1.5, 2.0])
def test_device_crops_resize_as_torch_does(camvid, scale):
    """Without jitter and shrinking a crop is a window of the image and mask that `F.interpolate` gives."""
    changes = {"jitter": 0.0, "scale_low": scale, "scale_high": scale}
    dataset, crops = device_crops(camvid, **changes)
    images, masks = crops([(index, 100 + index) for index in range(6)])
    assert images.dtype == torch.float32 and masks.dtype == torch.uint8
    for index in range(6):
        drawn = draw(crops.recipe, (40, 56), 100 + index)
        size, window = (drawn.height, drawn.width), (drawn.top, drawn.left, 32, 32)
        image = torch.from_numpy(dataset.image(index)).permute(2, 0, 1)[None].float() / 255
        image = F.interpolate(image, size, mode="bilinear", align_corners=False)[0]
        mask = F.interpolate(torch.from_numpy(dataset.mask(index))[None, None].float(), size)[0]
        image, mask = transform.crop(image, *window), transform.crop(mask, *window)[0]
        if drawn.flip:
            image, mask = image.flip(-1), mask.flip(-1)
        torch.testing.assert_close(images[index], image, rtol=0, atol=2e-3)
        assert torch.equal(masks[index], mask.to(torch.uint8))
    assert {draw(crops.recipe, (40, 56), seed).flip for seed in range(100, 106)} == {False, True}


@pytest.mark.slow
def test_device_crops_are_distributed_as_the_loaders(camvid):
    """Share of void and of every class, and mean and deviation of the colours, over 600 crops of each."""
    changes = {"crop": 48, "jitter": 0.4}
    dataset, crops = device_crops(camvid, **changes)
    items = [(index % 6, seed) for seed, index in enumerate(range(600))]
    images, masks = crops(items)
    loader = TrainingCrops(dataset, replace(TINY, **changes))
    expected_images, expected_masks = stack([loader[item] for item in items])
    shares = [
        torch.bincount(values.flatten().long(), minlength=12) / values.numel() for values in (masks, expected_masks)
    ]
    torch.testing.assert_close(*shares, rtol=0, atol=0.02)
    assert shares[0][11] > 0.1
    expected_images = expected_images.float() / 255
    torch.testing.assert_close(images.mean((0, 2, 3)), expected_images.mean((0, 2, 3)), rtol=0, atol=0.02)
    torch.testing.assert_close(images.std((0, 2, 3)), expected_images.std((0, 2, 3)), rtol=0, atol=0.02)


def test_device_crops_repeat_and_fill_with_void(camvid):
    _, crops = device_crops(camvid, crop=100, jitter=0.0)
    (images, masks), (again, _) = crops([(0, 3), (1, 4)]), crops([(0, 3), (1, 4)])
    assert torch.equal(images, again) and images.is_contiguous(memory_format=torch.channels_last)
    outside = (images * 255 - torch.tensor([124, 116, 104]).view(1, 3, 1, 1)).abs().amax(1) < 1e-3
    assert outside.float().mean() > 0.2 and (masks[outside] == CAMVID.void).float().mean() > 0.99


def test_device_crops_of_images_of_several_sizes(camvid, tmp_path):
    """Each is cropped as if it were alone: what lies beyond it in memory is never seen."""
    root = tmp_path / "own"
    for kind in ("images", "masks"):
        (root / "train" / kind).mkdir(parents=True)
    (root / "classes.txt").write_text("background\nthing\n")
    random = np.random.default_rng(0)
    for name, (height, width) in {"a": (30, 70), "b": (64, 20), "c": (40, 40)}.items():
        Image.fromarray(random.integers(0, 256, (height, width, 3), np.uint8)).save(root / f"train/images/{name}.png")
        Image.fromarray(random.integers(0, 2, (height, width), np.uint8)).save(root / f"train/masks/{name}.png")
    dataset, recipe = open_dataset("folder", root, "train"), replace(TINY, crop=48, jitter=0.0)
    items = [(index, seed) for seed in range(4) for index in range(3)]
    images, masks = DeviceCrops(dataset, recipe, torch.device("cpu"))(items)
    for place, (index, seed) in enumerate(items):
        alone = DeviceCrops(dataset.subset([index]), recipe, torch.device("cpu"))
        image, mask = alone([(0, seed)])
        torch.testing.assert_close(images[place], image[0], rtol=0, atol=1e-4)
        assert torch.equal(masks[place], mask[0])


@pytest.mark.parametrize("kind", ["brightness", "contrast", "saturation", "hue"])
def test_jitter_in_batches_is_torchvisions(kind):
    torch.manual_seed(0)
    images, factors = torch.rand(3, 3, 8, 9), torch.tensor([0.6, 1.0, 1.4])
    values = {name: torch.ones(3) for name in ("brightness", "contrast", "saturation")}
    hues = [0.0, 0.0, 0.0]
    if kind == "hue":
        hues = [-0.1, 0.0, 0.1]
    else:
        values[kind] = factors
    expected = [
        getattr(transform, f"adjust_{kind}")(image, hue if kind == "hue" else factor.item())
        for image, factor, hue in zip(images, factors, hues, strict=True)
    ]
    torch.testing.assert_close(jitter_colours(images, values, hues), torch.stack(expected), rtol=0, atol=1e-5)


@pytest.mark.parametrize("images", [torch.tensor([[0.2, 0.2, 0.2], [0, 0, 0], [1, 1, 1]]), torch.eye(3)])
def test_greys_have_no_hue_and_primaries_go_round(images):
    """A third of the circle makes red green, green blue and blue red."""
    turned = turn_hue(images[:, :, None, None], torch.full((3,), 1 / 3))[..., 0, 0]
    expected = images.roll(1, 1) if torch.equal(images, torch.eye(3)) else images
    torch.testing.assert_close(turned, expected)


@pytest.mark.parametrize("together", [2, 16])
def test_batches_made_at_once_are_those_made_one_by_one(camvid, together):
    _, crops = device_crops(camvid, jitter=0.4)
    plan = [[(0, 1), (1, 2)], [(2, 3)], [(3, 4), (4, 5)]]
    for made, batch in zip(batches_on_device(crops, plan, together), plan, strict=True):
        for found, expected in zip(made, crops(batch), strict=True):
            torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_device_crops_need_a_crop(camvid):
    with pytest.raises(TrainingError, match="augment_on: device needs a crop"):
        device_crops(camvid, crop=0)
