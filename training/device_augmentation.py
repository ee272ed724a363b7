"""Random crops made in batches where the model is: the split lies on the device as uint8 and never leaves it.

Images of several sizes lie there in the corner of the largest height and width that they have.

The same rescaling, cropping, mirroring and jitter as `training.augmentation`, drawn from the same ranges. Each item's
draws come from its own seed on the CPU, so they are the same on every device. Two things differ: the order of the
jitters is fixed, and a shrunken image is smoothed by four samples a pixel instead of an antialiasing filter.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields

import torch
import torch.nn.functional as F

from evaluation.datasets import SegmentationDataset
from training import TrainingError
from training.augmentation import MEAN_COLOUR
from training.mixture import Mixture
from training.recipe import Recipe

AT_ONCE = 16  # batches on a GPU, whose kernels take less time than they take to launch
GREY = (0.2989, 0.587, 0.114)  # ITU-R 601, as in torchvision


@dataclass(frozen=True)
class Draws:
    """What chance decided for one crop. Scaled image size, place of the crop in it (below 0: beyond it), factors."""

    height: int
    width: int
    top: int
    left: int
    flip: bool
    brightness: float
    contrast: float
    saturation: float
    hue: float


def draw(recipe: Recipe, size: tuple[int, int], seed: int) -> Draws:
    """The draws of the crop with this seed from an image of `size` (height, width)."""
    generator = torch.Generator().manual_seed(seed)
    values = torch.rand(9, generator=generator, dtype=torch.float64).tolist()

    def between(low: float, high: float) -> float:
        return low + (high - low) * values.pop()

    def place(side: int) -> int:
        low, high = sorted((0, side - recipe.crop))
        return low + min(high - low, int(between(0, high - low + 1)))

    factor, jitter = between(recipe.scale_low, recipe.scale_high), recipe.jitter
    height, width = (max(1, round(side * factor)) for side in size)
    top, left, flip = place(height), place(width), recipe.flip and between(0, 1) < 0.5
    factors = [between(max(0, 1 - jitter), 1 + jitter) for _ in range(3)]
    hue = min(jitter / 5, 0.5)
    hue = between(-hue, hue) if between(0, 1) < 1 / 3 else 0.0
    return Draws(height, width, top, left, flip, *factors, hue)


class DeviceCrops:
    """A split on a device; called with [(index, seed), ...] it gives a batch of crops.

    Raises TrainingError unless the recipe asks for crops.
    """

    def __init__(self, dataset: SegmentationDataset | Mixture, recipe: Recipe, device: torch.device):
        if not recipe.crop:
            raise TrainingError("augment_on: device needs a crop; use loader for whole images")
        self.recipe, self.void = recipe, dataset.labels.void
        sizes = [dataset.size(index)[::-1] for index in range(len(dataset))]
        height, width = (max(sides) for sides in zip(*sizes, strict=True))
        self.images = torch.zeros(len(sizes), 3, height, width, dtype=torch.uint8, device=device)
        self.masks = torch.zeros(len(sizes), height, width, dtype=torch.uint8, device=device)
        for index, (rows, columns) in enumerate(sizes):
            self.images[index, :, :rows, :columns] = torch.from_numpy(dataset.image(index)).permute(2, 0, 1)
            self.masks[index, :rows, :columns] = torch.from_numpy(dataset.mask(index))
        self.sizes = sizes

    def __call__(self, items: list[tuple[int, int]]) -> tuple[torch.Tensor, torch.Tensor]:
        """Images (N, 3, crop, crop) float32 in [0, 1], channels-last, and masks (N, crop, crop) uint8."""
        device = self.images.device
        listed = [draw(self.recipe, self.sizes[index], seed) for index, seed in items]
        indices = torch.tensor([index for index, _ in items], device=device)
        # One transfer for all draws; each becomes a (N,) tensor.
        table = torch.tensor([[getattr(d, f.name) for f in fields(Draws)] for d in listed], dtype=torch.float64)
        draws = dict(zip((f.name for f in fields(Draws)), table.to(device).T, strict=True))
        sides = torch.tensor([self.sizes[index] for index, _ in items], dtype=torch.float64).to(device).T[:, :, None]
        rows = self._positions(draws["top"])
        columns = self._positions(draws["left"], flip=draws["flip"])
        masks = self._sample_masks(indices, rows, columns, draws, sides)
        outside = self._outside(rows, draws["height"])[:, :, None] | self._outside(columns, draws["width"])[:, None]
        images = self._sample_images(indices, rows, columns, draws, sides)
        mean = torch.tensor(MEAN_COLOUR, device=device).view(1, 3, 1, 1) / 255
        images = torch.where(outside[:, None], mean, images)
        images = jitter_colours(images, draws, [d.hue for d in listed])
        return images.contiguous(memory_format=torch.channels_last), torch.where(outside, self.void, masks)

    def _positions(self, offset: torch.Tensor, flip: torch.Tensor | None = None) -> torch.Tensor:
        """(N, crop) pixels of the scaled image that the crop's rows or columns show."""
        steps = torch.arange(self.recipe.crop, device=offset.device)
        if flip is not None:
            steps = torch.where(flip[:, None] > 0, self.recipe.crop - 1 - steps, steps)
        return offset[:, None] + steps

    @staticmethod
    def _outside(positions: torch.Tensor, side: torch.Tensor) -> torch.Tensor:
        return (positions < 0) | (positions >= side[:, None])

    def _sample_masks(self, indices, rows, columns, draws, sides) -> torch.Tensor:
        """Nearest neighbour as in `F.interpolate`: output pixel i is input pixel floor(i * input / output)."""
        height, width = sides  # (N, 1) each
        y = (rows * height / draws["height"][:, None]).floor().clamp(min=0).minimum(height - 1).long()
        x = (columns * width / draws["width"][:, None]).floor().clamp(min=0).minimum(width - 1).long()
        return self.masks[indices[:, None, None], y[:, :, None], x[:, None, :]]

    def _sample_images(self, indices, rows, columns, draws, sides) -> torch.Tensor:
        """Bilinear; where any image shrinks, the mean of 2 x 2 samples a pixel."""
        images, total = self.images[indices].float() / 255, 0
        height, width = sides
        shrinks = self.recipe.scale_low < 1
        shifts = (-0.25, 0.25) if shrinks else (0.0,)
        for dy in shifts:
            for dx in shifts:
                # Pixels of the image, whose outermost centres are repeated beyond it.
                y = ((rows + 0.5 + dy) * height / draws["height"][:, None]).clamp(min=0.5).minimum(height - 0.5)
                x = ((columns + 0.5 + dx) * width / draws["width"][:, None]).clamp(min=0.5).minimum(width - 0.5)
                # grid_sample's coordinates run from -1 to 1 between the outer edges of the outermost pixels.
                y, x = 2 * y / self.masks.shape[1] - 1, 2 * x / self.masks.shape[2] - 1
                grid = torch.stack(torch.broadcast_tensors(x[:, None, :], y[:, :, None]), -1).float()
                total = total + F.grid_sample(images, grid, padding_mode="border", align_corners=False)
        return total / len(shifts) ** 2


def device_crops(crops: DeviceCrops, plan: list, together: int = 1) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """The planned batches, `together` of them made at once."""
    for first in range(0, len(plan), together):
        batches = plan[first : first + together]
        images, masks = crops([item for batch in batches for item in batch])
        sizes = [len(batch) for batch in batches]
        yield from zip(images.split(sizes), masks.split(sizes), strict=True)


def jitter_colours(images: torch.Tensor, draws: dict[str, torch.Tensor], hues: list[float]) -> torch.Tensor:
    """Brightness, contrast, saturation, then hue of (N, 3, H, W) floats in [0, 1], each image by its own factors."""
    weights = torch.tensor(GREY, device=images.device).view(1, 3, 1, 1)

    def blend(other, factor):
        factor = factor.float().view(-1, 1, 1, 1)
        return (images * factor + other * (1 - factor)).clamp(0, 1)

    images = blend(torch.zeros((), device=images.device), draws["brightness"])
    images = blend((images * weights).sum(1, keepdim=True).mean((2, 3), keepdim=True), draws["contrast"])
    images = blend((images * weights).sum(1, keepdim=True), draws["saturation"])
    turned = [place for place, hue in enumerate(hues) if not math.isclose(hue, 0, abs_tol=1e-6)]
    if turned:
        places, shifts = (torch.tensor(values, device=images.device) for values in (turned, [hues[i] for i in turned]))
        images[places] = turn_hue(images[places], shifts)
    return images


def turn_hue(images: torch.Tensor, shifts: torch.Tensor) -> torch.Tensor:
    """Images (N, 3, H, W) in [0, 1] with hues (N,) added to theirs, in turns of the colour circle, in HSV."""
    value, lowest = images.amax(1), images.amin(1)
    chroma = value - lowest
    red, green, blue = images.unbind(1)
    by = torch.where(chroma > 0, chroma, 1)  # greys have no hue and no chroma: any will do
    sixth = torch.where(value == green, 2 + (blue - red) / by, 4 + (red - green) / by)
    sixth = torch.where(value == red, (green - blue) / by, sixth) + 6 * shifts.view(-1, 1, 1)
    steps = torch.tensor([5, 3, 1], device=images.device).view(1, 3, 1, 1)
    place = (steps + sixth.unsqueeze(1)) % 6
    return value.unsqueeze(1) - chroma.unsqueeze(1) * torch.minimum(place, 4 - place).clamp(0, 1)
