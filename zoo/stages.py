"""Inside the network: what the ladder of score maps says before and after each fusion, at the photo's size.

Every score map is drawn as the network has it, one block of stride x stride pixels per score, so that the 32-pixel
staircase, what each skip adds, and the last upsampling can be told apart. Torch is imported with the first photo, so
that the page can be served before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    import torch

    from zoo.config import FCNConfig
    from zoo.fcn import FCN
    from zoo.inference import PlainEngine


@dataclass(frozen=True)
class Stage:
    """One score map: `name` such as 'score 32', 'fused 16' or 'output', its stride in pixels, the top class
    (H, W) uint8 and its softmax probability (H, W) float32 in [0, 1]."""

    name: str
    stride: int
    mask: np.ndarray
    confidence: np.ndarray


def stages(model: FCN | PlainEngine, image: Image.Image, *, precision: str = "auto") -> list[Stage]:
    """The ladder of `model` on an RGB image, from 'score 32' to 'output', each at the image's size.

    'score s' is what the 1x1 convolution at stride s says by itself, 'fused s' its sum with the coarser scores
    upsampled, 'output' the logits; of another network than an FCN it is the only one.
    `precision` as for `zoo.segment.segment`.
    """
    import torch

    from zoo.inference import engine_of, winners

    engine = engine_of(model, precision)
    device = engine.device
    pixels = torch.from_numpy(np.array(image.convert("RGB"))).to(device)
    size = pixels.shape[:2]
    maps, found = engine.score_maps(pixels), []
    for name, scores in maps:
        if name == "output":  # not an FCN: nothing is known of its inside
            break
        stride = int(name.split()[1])
        rows, columns = (_cells(engine.config, side, stride, device) for side in size)
        wide = scores[..., columns]
        blocks = winners(lambda top, count, rows=rows, wide=wide: wide[..., rows[top : top + count], :], size, scores)
        found.append(Stage(name, stride, *blocks))
    whole = winners(lambda top, count: engine.enlarge(scores, count, size[1], top), size, scores)
    return [*found, Stage("output", 1, *whole)]


def _cells(config: FCNConfig, size: int, stride: int, device: torch.device) -> torch.Tensor:
    """Index of the score nearest to each of `size` pixels."""
    import torch

    from zoo.fcn import PAPER_OUTPUT_OFFSET

    paper = config.padding == "paper"
    offset = PAPER_OUTPUT_OFFSET[stride] - stride // 2 if paper else config.phase
    return (torch.arange(size, device=device) + offset) // stride
