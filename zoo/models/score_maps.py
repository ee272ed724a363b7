"""Inside the network: what the ladder of score maps says before and after each fusion, at the photo's size.

Every score map is drawn as the network has it, one block of stride x stride pixels per score, so that the 32-pixel
staircase, what each skip adds, and the last upsampling can be told apart. `summands` are the same ladder as a sum:
upsampling is linear, so each stride's scores can be followed to the output by themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
from PIL import Image

from zoo.config import OUTPUT_STRIDE
from zoo.models.architecture import VGG16_CHANNELS
from zoo.models.labelling import Ladder
from zoo.models.preparation import engine_of
from zoo.working_size import network_side, resize_photo

if TYPE_CHECKING:
    from zoo.config import FCNConfig
    from zoo.models.engine import Engine
    from zoo.models.fcn import FCN


@dataclass(frozen=True)
class Stage:
    """One score map: `name` such as 'score 32', 'fused 16' or 'output', its stride in pixels, the top class
    (H, W) uint8 and its softmax probability (H, W) float32 in [0, 1]."""

    name: str
    stride: int
    mask: np.ndarray
    confidence: np.ndarray


def stages(
    model: FCN | Engine,
    image: Image.Image,
    *,
    size: str | int = "trained",
    mask_size: tuple[int, int] | None = None,
    precision: str = "auto",
) -> list[Stage]:
    """The ladder of `model` on an RGB image, from 'score 32' to 'output', each at the image's size.

    'score s' is what the 1x1 convolution at stride s says by itself, 'fused s' its sum with the coarser scores
    upsampled, 'output' the logits; of another network than an FCN it is the only one. Strides are in pixels of what
    the network sees. `size`, `mask_size` and `precision` as for `zoo.segment`.
    """
    engine = engine_of(model, precision)
    photo = resize_photo(image.convert("RGB"), network_side(engine.working_size, image.size, size))
    pixels, (width, height) = np.array(photo), mask_size or image.size
    seen, target = pixels.shape[:2], (height, width)
    maps, output, found = engine.score_maps(pixels), engine.output, []
    if isinstance(output, Ladder):  # of another network nothing is known of its inside
        for name, scores in maps:
            stride = int(name.split()[1])
            found.append(Stage(name, stride, *output.blocks(scores, stride, seen, target)))
    return [*found, Stage("output", 1, *output.label(maps[-1][1], seen, target))]


def ladder(config: FCNConfig) -> tuple[tuple[str, int], ...]:
    """(name, stride) of each of the `stages` of an FCN."""
    skips = [stride for stride in (16, 8) if stride >= OUTPUT_STRIDE[config.variant]]
    fused = [(f"{kind} {stride}", stride) for stride in skips for kind in ("score", "fused")]
    return ("score 32", 32), *fused, ("output", 1)


@dataclass(frozen=True)
class Sum:
    """The scores of an FCN on one image, stride by stride, and the masks of their running sums.

    own: {stride: (C, h, w) float32} what each stride's 1x1 convolution says.
    carried: {stride: (C, h, w) float32} what the stride's own scores are at the last stride, after the upsamplings that
    they pass; they add up to the last score map. masks: {stride: (H, W) uint8} the top class of the logits once this
    stride has been added, coarsest first; the last one is the network's mask. stride: the last one. offset: pixel x has
    its place in the grid at (x + 1/2 + offset) / stride - 1/2.
    """

    own: dict[int, np.ndarray]
    carried: dict[int, np.ndarray]
    masks: dict[int, np.ndarray]
    stride: int
    offset: int


def summands(model: FCN | Engine, image: Image.Image, *, precision: str = "auto") -> Sum:
    """The `Sum` of an FCN on an RGB image that it sees at its own size."""
    engine = engine_of(model, precision)
    output, size = cast("Ladder", engine.output), (image.height, image.width)
    maps = dict(engine.score_maps(np.array(image.convert("RGB"))))
    own, carried, masks, total = {}, {}, {}, None
    for place, stride in enumerate(output.strides):
        scores = own[stride] = maps[f"score {stride}"]
        for coarse in output.strides[place:-1]:
            scores = output.twice(scores, coarse)
        total = scores if total is None else total + scores
        carried[stride], (masks[stride], _) = scores, output.label(total, size, size)
    return Sum(own, carried, masks, output.stride, output.offset(output.stride))


def receptive_fields(config: FCNConfig) -> dict[str, int]:
    """{'8', '16', '32': pixels across that one score sees} of an FCN on a VGG, at 32 through fc6."""
    field, stride, found = 1, 1, {}
    for plan in VGG16_CHANNELS:
        field += len(plan) * 2 * stride + stride  # 3x3 convolutions, then a 2x2 pool
        stride *= 2
        found[str(stride)] = field
    return {"32": field + (config.head_kernel - 1) * stride} | {name: found[name] for name in ("16", "8")}
