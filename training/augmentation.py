"""Random training crops: rescale, flip, colour jitter and crop, image and mask together (torchvision v2 transforms).

Masks are resized by nearest neighbour; what a crop needs beyond the image is filled with the mean colour and void.
Every crop is a pure function of (seed, step, place in the batch), so an interrupted run repeats exactly and any number
of processes sees the same crops.
"""

import math

import torch
from torch.utils.data import DataLoader, Dataset
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as transform

from evaluation.datasets import SegmentationDataset
from training import TrainingError
from training.recipe import Recipe

MEAN_COLOUR = (124, 116, 104)  # ImageNet's mean in 0..255
RESIDENT_BYTES = 2 * 1024**3  # larger splits are read from disk image by image


class TrainingCrops(Dataset):
    """Item (index, seed) -> image (3, crop, crop) uint8 and mask (crop, crop) uint8; whole images where crop is 0.

    A split that fits into RESIDENT_BYTES is held in memory.
    """

    def __init__(self, dataset: SegmentationDataset, recipe: Recipe):
        self.dataset, self.recipe = dataset, recipe
        self.resident = None
        if resident_bytes(dataset) <= RESIDENT_BYTES:
            self.resident = [self._read(index) for index in range(len(dataset))]
        jitter = recipe.jitter
        fill = {tv_tensors.Image: MEAN_COLOUR, tv_tensors.Mask: dataset.labels.void}
        steps = [v2.RandomCrop(recipe.crop, pad_if_needed=True, fill=fill)] if recipe.crop else []
        steps += [v2.RandomHorizontalFlip()] if recipe.flip else []
        steps += [
            v2.ColorJitter(brightness=jitter, contrast=jitter, saturation=jitter),
            # Hue costs four times the rest of the jitter, so only every third crop gets it.
            v2.RandomApply([v2.ColorJitter(hue=min(jitter / 5, 0.5))], p=1 / 3),
        ]
        self.augment = v2.Compose(steps)

    def _read(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        image, mask = self.dataset.image(index), self.dataset.mask(index)
        return torch.from_numpy(image).permute(2, 0, 1), torch.from_numpy(mask)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, item: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
        index, seed = item
        image, mask = self._read(index) if self.resident is None else self.resident[index]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            image, mask = tv_tensors.Image(image), tv_tensors.Mask(mask)
            if self.recipe.crop:
                image, mask = self._rescale(image, mask)
            image, mask = self.augment(image, mask)
        return image.as_subclass(torch.Tensor), mask.as_subclass(torch.Tensor)

    def _rescale(self, image: tv_tensors.Image, mask: tv_tensors.Mask):
        low, high = self.recipe.scale_low, self.recipe.scale_high
        factor = low + (high - low) * torch.rand(()).item()
        size = [max(1, round(side * factor)) for side in image.shape[-2:]]
        return transform.resize(image, size, antialias=True), transform.resize(mask, size)


def resident_bytes(dataset: SegmentationDataset) -> int:
    """Memory that all images and masks of a split take, three channels and one."""
    return sum(4 * math.prod(dataset.size(index)) for index in range(len(dataset)))


def batch_items(images: int, recipe: Recipe, step: int, extra: int = 0) -> list[tuple[int, int]]:
    """(index, seed) of every crop of a step: epochs are permutations, drawn from (seed, epoch) alone.

    `extra` images of another dataset follow the `images`; `recipe.extra_images` of a step's crops show them, spread
    over the batch, and they have epochs of their own.
    """
    own = recipe.batch_size - recipe.extra_images
    chosen = _drawn(images, own, recipe.seed, step)
    if recipe.extra_images:
        others = _drawn(extra, recipe.extra_images, recipe.seed + 1, step)
        places = [((2 * place + 1) / len(part), images * number + index)
                  for number, part in enumerate((chosen, others)) for place, index in enumerate(part)]  # fmt: skip
        chosen = [index for _, index in sorted(places)]
    base = (recipe.seed * 1_000_003 + step) * recipe.batch_size
    return [(index, base + i) for i, index in enumerate(chosen)]


def _drawn(images: int, count: int, seed: int, step: int) -> list[int]:
    """The `count` images that a step takes from a pass over all of them in random order."""
    epoch, place = divmod(step, max(1, images // count))
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    order = torch.randperm(images, generator=generator).tolist()
    # A split smaller than the batch is repeated, otherwise the incomplete batch at the end is dropped.
    return [order[(place * count + i) % images] for i in range(count)]


def steps_per_epoch(images: int, recipe: Recipe) -> int:
    """Full batches in a pass over the recipe's own split, at least one."""
    return max(1, images // (recipe.batch_size - recipe.extra_images))


def process_batches(items: list, recipe: Recipe, process: int = 0, processes: int = 1) -> list[list]:
    """The batches of one step that one process takes, one for each that is accumulated, all of one size."""
    size = len(items) // (processes * recipe.accumulate)
    starts = [(batch * processes + process) * size for batch in range(recipe.accumulate)]
    return [items[start : start + size] for start in starts]


def plan_batches(
    images: int, recipe: Recipe, start: int, stop: int, *, extra: int = 0, process: int = 0, processes: int = 1
) -> list:
    """(index, seed) of every crop in one process's batches of the steps start..stop-1, `accumulate` of them a step."""
    return [
        batch
        for step in range(start, stop)
        for batch in process_batches(batch_items(images, recipe, step, extra), recipe, process, processes)
    ]


def crop_loader(crops: TrainingCrops, plan: list, *, workers: int = 1, pinned: bool = False) -> DataLoader:
    """The planned batches: images (N, 3, crop, crop) and masks (N, crop, crop), both uint8."""
    options = {"num_workers": workers, "prefetch_factor": 2 if workers else None, "pin_memory": pinned}
    return DataLoader(crops, batch_sampler=plan, collate_fn=stack, **options)


def stack(items: list[tuple[torch.Tensor, torch.Tensor]]) -> tuple[torch.Tensor, torch.Tensor]:
    """A batch from its crops; whole images of several sizes do not make one."""
    images, masks = zip(*items, strict=True)
    if len({mask.shape for mask in masks}) > 1:
        raise TrainingError("crop: whole images of different sizes make no batch; take one image a batch or a crop")
    return torch.stack(images), torch.stack(masks)
