"""Random training crops: rescale, flip, colour jitter and crop, image and mask together (torchvision v2 transforms).

Masks are resized by nearest neighbour; what a crop needs beyond the image is filled with the mean colour and void.
Every crop is a pure function of (seed, step, place in the batch), so an interrupted run repeats exactly.
"""

import torch
from torch.utils.data import DataLoader, Dataset
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as transform

from evaluation.datasets import SegmentationDataset
from training.recipe import Recipe

MEAN_COLOUR = (124, 116, 104)  # ImageNet's mean in 0..255


class TrainingCrops(Dataset):
    """Item (index, seed) -> image (3, crop, crop) uint8 and mask (crop, crop) uint8. Holds the split in memory."""

    def __init__(self, dataset: SegmentationDataset, recipe: Recipe):
        self.images = [torch.from_numpy(dataset.image(i)).permute(2, 0, 1) for i in range(len(dataset))]
        self.masks = [torch.from_numpy(dataset.mask(i)) for i in range(len(dataset))]
        self.recipe = recipe
        jitter = recipe.jitter
        fill = {tv_tensors.Image: MEAN_COLOUR, tv_tensors.Mask: dataset.labels.void}
        self.augment = v2.Compose(
            [
                v2.RandomCrop(recipe.crop, pad_if_needed=True, fill=fill),
                v2.RandomHorizontalFlip(),
                v2.ColorJitter(brightness=jitter, contrast=jitter, saturation=jitter),
                # Hue costs four times the rest of the jitter, so only every third crop gets it.
                v2.RandomApply([v2.ColorJitter(hue=min(jitter / 5, 0.5))], p=1 / 3),
            ]
        )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, item: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
        index, seed = item
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            image, mask = self._rescale(tv_tensors.Image(self.images[index]), tv_tensors.Mask(self.masks[index]))
            image, mask = self.augment(image, mask)
        return image.as_subclass(torch.Tensor), mask.as_subclass(torch.Tensor)

    def _rescale(self, image: tv_tensors.Image, mask: tv_tensors.Mask):
        low, high = self.recipe.scale_low, self.recipe.scale_high
        factor = low + (high - low) * torch.rand(()).item()
        size = [max(1, round(side * factor)) for side in image.shape[-2:]]
        return transform.resize(image, size, antialias=True), transform.resize(mask, size)


def batch_items(images: int, recipe: Recipe, step: int) -> list[tuple[int, int]]:
    """(index, seed) of every crop of a step: epochs are permutations, drawn from (seed, epoch) alone."""
    steps = steps_per_epoch(images, recipe)
    epoch, place = divmod(step, steps)
    generator = torch.Generator().manual_seed(recipe.seed * 1_000_003 + epoch)
    order = torch.randperm(images, generator=generator).tolist()
    # A split smaller than the batch is repeated, otherwise the incomplete batch at the end is dropped.
    chosen = [order[(place * recipe.batch_size + i) % images] for i in range(recipe.batch_size)]
    base = (recipe.seed * 1_000_003 + step) * recipe.batch_size
    return [(index, base + i) for i, index in enumerate(chosen)]


def steps_per_epoch(images: int, recipe: Recipe) -> int:
    """Full batches in a pass over the split, at least one."""
    return max(1, images // recipe.batch_size)


def crop_loader(crops: TrainingCrops, recipe: Recipe, start: int, stop: int, *, workers: int = 1) -> DataLoader:
    """Batches of the steps start..stop-1: images (N, 3, crop, crop) and masks (N, crop, crop), both uint8."""
    plan = [batch_items(len(crops), recipe, step) for step in range(start, stop)]
    return DataLoader(crops, batch_sampler=plan, num_workers=workers, prefetch_factor=2 if workers else None)
