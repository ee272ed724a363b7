"""Large photos in tiles: the stages at full detail, which hold most of a network's memory, see a part at a time.

Features at stride 8 depend on few pixels around them, so tiles that overlap by that many give the features of the whole
photo, and no seam. Coarser stages are small enough to see all of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo.config import VGG_BACKBONES, FCNConfig
from zoo.models.architecture import FINE_STRIDE

if TYPE_CHECKING:
    import torch

    from zoo.models.fcn import FCN

TILE_PIXELS = 2**19  # of the photo, that the stages at full detail see at once: in larger ones the cache is of no use
TILE_COLUMNS = 1024


@dataclass(frozen=True)
class Tile:
    """One side of a tile: the pixels that the network sees, the features kept, and where in its output those are."""

    seen: slice
    kept: slice
    part: slice


def features_in_tiles(fine: Callable, images: Any, margin: int, empty: Callable) -> Any:
    """What `fine` makes of (1, 3, H, W) images, whose sides are multiples of 32: (1, channels, H / 8, W / 8) features.

    Images, features and tiles are arrays of one library; `empty(like, size)` makes features of these sides, of as many
    channels as a first tile `like` has. Images of more than TILE_PIXELS pass tile by tile; tiles overlap by `margin`
    pixels, more than a feature sees.
    """
    height, width = images.shape[-2:]
    if height * width <= TILE_PIXELS:
        return fine(images)
    parts = -(-width // TILE_COLUMNS)
    columns = -(-width // parts // 32) * 32
    rows = max(TILE_PIXELS // columns // 32 * 32, 2 * margin)
    features = None
    for top in range(0, height, rows):
        for left in range(0, width, columns):
            inside, across = tile(top, rows, height, margin), tile(left, columns, width, margin)
            found = fine(images[..., inside.seen, across.seen])
            if features is None:
                features = empty(found, (-(-height // FINE_STRIDE), -(-width // FINE_STRIDE)))
            features[..., inside.kept, across.kept] = found[..., inside.part, across.part]
    return features


def tile(first: int, size: int, end: int, margin: int) -> Tile:
    """The tile that covers pixels `first` to `first + size` of a side that is `end` pixels long."""
    above = min(first, margin)
    start, skipped = first // FINE_STRIDE, above // FINE_STRIDE
    stop = None if first + size >= end else size // FINE_STRIDE  # what the last one has of more is kept
    kept = slice(start, None if stop is None else start + stop)
    part = slice(skipped, None if stop is None else skipped + stop)
    return Tile(slice(first - above, first + size + margin), kept, part)


def empty_tensor(like: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Room for features of these sides, of the kind and the channels of `like`."""
    import torch

    return like.new_empty((*like.shape[:2], *size)).contiguous(memory_format=torch.channels_last)


def fine_margin(config: FCNConfig) -> int:
    """Pixels, a multiple of 32, that a feature at stride 8 sees at most beyond its own.

    Up to there a VGG-16 sees 25, a ResNet up to 49: half of each kernel, times the stride at which it stands.
    """
    return 32 if config.backbone in VGG_BACKBONES else 64


def logits_in_tiles(model: FCN, images: torch.Tensor) -> torch.Tensor:
    """`model(images)` of (1, 3, H, W) images in [0, 1], with the memory of a tile; for eval mode, without gradients.

    Equal but for rounding where an image has more than TILE_PIXELS, and bit for bit where it has not. The published
    padding of 100 pixels belongs to a convolution that must see the whole image, which is then seen whole.
    """
    if model.config.padding == "paper" or images.shape[-2] * images.shape[-1] <= TILE_PIXELS:
        return model(images)
    from torch import nn

    encoder = model.encoder
    stages = list(zip(encoder.strides, encoder.stages, strict=True))
    fine = nn.Sequential(*(stage for stride, stage in stages if stride <= FINE_STRIDE))
    found = features_in_tiles(fine, model.normalise(images), fine_margin(model.config), empty_tensor)
    features = {FINE_STRIDE: found}
    for stride, stage in stages:
        if stride > FINE_STRIDE:
            features[stride] = found = stage(found)
    if model.head is not None:
        features[32] = model.head(features[32])
    *_, (_, scores) = model.ladder(features)
    return model.enlarge(scores, *images.shape[-2:])
