"""Networks of other libraries that behave as an FCN does: RGB in [0, 1] of any size in, logits of that size out.

torchvision's need nothing; those of segmentation-models-pytorch want sides that are multiples of 32, so the image is
filled up with its mean colour on the right and at the bottom. That library is imported only where one of its networks
is built.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from zoo.config import BaselineConfig

MULTIPLE = 32


class MissingLibraryError(ValueError):
    """The library that builds a network is not installed; the message says how to get it."""


class BaselineNetwork(nn.Module):
    """(N, 3, H, W) images in [0, 1] -> (N, C, H, W) logits. Building one never downloads anything."""

    info: Any
    domain: Any
    ranges: Any

    def __init__(self, config: BaselineConfig):
        super().__init__()
        self.config = config
        self.network = _build(config)
        self.register_buffer("mean", None, persistent=False)
        self.register_buffer("std", None, persistent=False)
        self.fill_constants()

    def fill_constants(self) -> None:
        """Set mean and standard deviation, which no state dict holds; as `FCN.fill_constants`."""
        self.mean = torch.tensor(self.config.mean).view(1, 3, 1, 1)
        self.std = torch.tensor(self.config.std).view(1, 3, 1, 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, 3, H, W) float RGB in [0, 1] -> (N, C, H, W) logits."""
        images = (images - self.mean) / self.std
        if self.config.library == "torchvision":
            return self.network(images)["out"]
        height, width = images.shape[-2:]
        logits = self.network(F.pad(images, (0, -width % MULTIPLE, 0, -height % MULTIPLE)))
        return logits[..., :height, :width]


def _build(config: BaselineConfig) -> nn.Module:
    classes = len(config.classes)
    if config.library == "torchvision":
        auxiliary = {} if config.variant == "lraspp" else {"aux_loss": True}
        from torchvision import models  # a quarter of the page's memory, which FCNs do without

        name = f"{config.variant}_{config.backbone}"
        return models.get_model(name, weights=None, weights_backbone=None, num_classes=classes, **auxiliary)
    try:
        import segmentation_models_pytorch
    except ImportError:
        raise MissingLibraryError(
            f"{config.variant} needs segmentation-models-pytorch; run: pip install -r training/baselines.txt"
        ) from None
    builders = {
        "unet": segmentation_models_pytorch.Unet,
        "deeplabv3plus": segmentation_models_pytorch.DeepLabV3Plus,
    }
    return builders[config.variant](config.backbone, encoder_weights=None, classes=classes)
