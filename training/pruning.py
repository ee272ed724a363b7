"""Structured pruning of a VGG-16 that was trained at full width: which channels stay, and with what weights.

Two criteria. 'l1' keeps the filters with the largest sum of absolute weights (Li et al. 2017, arXiv 1608.08710).
'interpolation' keeps the channels from which the others are best interpolated, by QR with column pivoting of the
activations on photos, and folds what they stood for into the next layer (Chee et al. 2022, arXiv 2108.00065); its
interpolation is fitted to what the layers that are pruned already give, so that errors do not add up. Either way the
input is a full network's state dict and the result that of the narrow one, for `zoo.models.backbones.transplant`.
`python -m training.criteria` compares them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from scipy.linalg import qr
from torchvision.transforms.v2 import functional as transform

from evaluation.datasets import SegmentationDataset
from training import TrainingError
from training.mixture import Mixture
from zoo.config import FCNConfig
from zoo.models.architecture import VGG16_CHANNELS

CRITERIA = ("l1", "interpolation")
PHOTOS, PHOTO_SIZE = 64, (240, 320)  # that activations are looked at on
POSITIONS = 8192  # of the photos' feature maps, drawn at random in each layer
RIDGE = 1e-4  # of the mean square of a channel, in the fit of the interpolation
EPSILON = 1e-5  # of nn.BatchNorm2d


@dataclass(frozen=True)
class Convolution:
    """Weight (out, in, 3, 3) and bias (out,), float32, of a convolution that a ReLU follows."""

    weight: torch.Tensor
    bias: torch.Tensor

    def __call__(self, features: torch.Tensor) -> torch.Tensor:
        return F.conv2d(features, self.weight, self.bias, padding=1)


@dataclass(frozen=True)
class Pruned:
    """A narrow layer: the channels of the full one that it `kept` (ascending), mean and variance before its ReLU."""

    convolution: Convolution
    kept: torch.Tensor
    mean: torch.Tensor
    variance: torch.Tensor


def prune(state: dict[str, torch.Tensor], backbone: str, width: float, criterion: str, photos: torch.Tensor) -> dict:
    """The state dict of `backbone` ('vgg16' or 'vgg16_bn') at `width`, from one of a full VGG-16 with or without norm.

    Names are torchvision's. `photos` (N, 3, H, W) float32 are normalised as the network's input and at least 32 pixels
    high and wide; 'l1' looks at them only for the statistics of batch norm, which the narrow network is given so that
    it computes what it would without. Features are computed where the photos lie, and what is returned lies there too.
    Raises ValueError naming a tensor that is missing or does not fit.
    """
    layers = prune_layers(full_convolutions(state), width, criterion, photos)
    pruned, place = {}, 0
    for plan in VGG16_CHANNELS:
        for _ in plan:
            layer = layers.pop(0)
            weight, bias = layer.convolution.weight, layer.convolution.bias
            if backbone.endswith("_bn"):
                pruned |= {f"features.{place + 1}.{name}": value for name, value in unit_norm(layer).items()}
                deviation = (layer.variance + EPSILON).sqrt()
                weight, bias = weight / deviation[:, None, None, None], bias / deviation
            pruned |= {f"features.{place}.weight": weight, f"features.{place}.bias": bias}
            place += 3 if backbone.endswith("_bn") else 2
        place += 1
    return pruned


def unit_norm(layer: Pruned) -> dict[str, torch.Tensor]:
    """Batch norm that undoes a division of the layer's weights by its standard deviation.

    VGG's activations have variances beyond what float16, in which checkpoints are stored, can hold.
    """
    deviation = (layer.variance + EPSILON).sqrt()
    norm = {"weight": deviation * (1 + EPSILON) ** 0.5, "bias": layer.mean.clone()}
    return norm | {"running_mean": layer.mean / deviation, "running_var": torch.ones_like(deviation)}


def prune_layers(
    convolutions: Sequence[Convolution], width: float, criterion: str, photos: torch.Tensor
) -> list[Pruned]:
    """The narrow layers, first to last; one of C channels keeps round(C * width), as `build_encoder` counts them."""
    generator = torch.Generator().manual_seed(0)
    ends = set(np.cumsum([len(plan) for plan in VGG16_CHANNELS]).tolist())
    full, narrow, device = photos, photos, photos.device
    mixing, layers = torch.eye(photos.shape[1], device=device), []  # (kept, all): all channels from those kept
    with torch.inference_mode(), torch.backends.cudnn.flags(allow_tf32=False):  # as exact on a card as elsewhere
        for number, convolution in enumerate(convolutions, start=1):
            convolution = Convolution(convolution.weight.to(device), convolution.bias.to(device))
            full = pooled(convolution(full).relu_(), number in ends)
            count = max(1, round(len(convolution.weight) * width))
            sample = positions(full, generator)
            kept = kept_channels(convolution.weight, sample(full), count, criterion)
            weight = torch.einsum("oihw,ki->okhw", convolution.weight[kept], mixing)
            layer = Convolution(weight.contiguous(), convolution.bias[kept])
            before = layer(narrow)
            variance, mean = torch.var_mean(before, (0, 2, 3), correction=0)
            layers.append(Pruned(layer, kept, mean, variance))
            narrow = pooled(before.relu_(), number in ends)
            mixing = torch.eye(len(convolution.weight), device=device)[kept]
            if criterion == "interpolation":
                mixing = interpolation(sample(narrow), sample(full))
    return layers


def kept_channels(weight: torch.Tensor, activations: torch.Tensor, count: int, criterion: str) -> torch.Tensor:
    """(count,) ascending indices of the channels that stay, by filters (C, in, 3, 3) or activations (n, C)."""
    if criterion == "l1":
        order = weight.abs().sum((1, 2, 3)).argsort(descending=True, stable=True)
    else:
        order = torch.from_numpy(qr(activations.double().cpu().numpy(), mode="r", pivoting=True)[1]).long()
    return order[:count].sort().values.to(weight.device)


def interpolation(kept: torch.Tensor, every: torch.Tensor) -> torch.Tensor:
    """(K, C) float32 least-squares map from activations of the kept channels (n, K) to those of all (n, C)."""
    kept, every = kept.double(), every.double()
    gram = kept.T @ kept
    ridge = RIDGE * gram.diagonal().mean().clamp(min=torch.finfo(torch.float32).tiny)
    return torch.linalg.solve(gram + ridge * torch.eye(len(gram), device=gram.device), kept.T @ every).float()


def pooled(features: torch.Tensor, stage_ends: bool) -> torch.Tensor:
    """The features after the max pool where a stage ends."""
    return F.max_pool2d(features, 2) if stage_ends else features


def positions(features: torch.Tensor, generator: torch.Generator):
    """A function that takes (n, C) activations at the same random positions of maps (N, C, H, W) of this size."""
    count, _, height, width = features.shape
    chosen = torch.randperm(count * height * width, generator=generator)[:POSITIONS]
    photo, place = chosen // (height * width), chosen % (height * width)
    return lambda maps: maps[photo, :, place // width, place % width]


def full_convolutions(state: dict[str, torch.Tensor]) -> list[Convolution]:
    """The 13 convolutions of torchvision's vgg16 or vgg16_bn, batch norm folded in; ValueError for another state."""
    if "0.weight" in state:
        state = {f"features.{name}": value for name, value in state.items()}
    normed = "features.1.running_mean" in state
    found, place, inputs = [], 0, 3
    for plan in VGG16_CHANNELS:
        for channels in plan:
            weight = tensor(state, f"features.{place}.weight", (channels, inputs, 3, 3))
            bias = tensor(state, f"features.{place}.bias", (channels,))
            if normed:
                place += 1
                names = ("weight", "bias", "running_mean", "running_var")
                scale, shift, mean, variance = (
                    tensor(state, f"features.{place}.{name}", (channels,)) for name in names
                )
                factor = scale / (variance + EPSILON).sqrt()
                weight, bias = weight * factor[:, None, None, None], (bias - mean) * factor + shift
            found.append(Convolution(weight, bias))
            place, inputs = place + 2, channels
        place += 1
    return found


def tensor(state: dict[str, torch.Tensor], name: str, shape: tuple[int, ...]) -> torch.Tensor:
    """The tensor of this name; ValueError where it is missing or has another shape."""
    if name not in state:
        raise ValueError(f"{name} is missing; pruning starts from the convolutions of a whole VGG-16")
    if state[name].shape != shape:
        raise ValueError(f"{name} is {tuple(state[name].shape)}, but a VGG-16 that is to be pruned has {shape}")
    return state[name].float()


def calibration_photos(dataset: SegmentationDataset | Mixture, config: FCNConfig) -> torch.Tensor:
    """(N, 3, 240, 320) float32 photos of a split, evenly spread over it, normalised as the network's input."""
    if len(dataset) == 0:
        raise TrainingError("prune: there is no photo to look at")
    chosen = np.unique(np.linspace(0, len(dataset) - 1, PHOTOS).round().astype(int)).tolist()
    photos = [torch.from_numpy(dataset.image(index)).permute(2, 0, 1) for index in chosen]
    stacked = torch.stack([transform.resize(photo, list(PHOTO_SIZE), antialias=True) for photo in photos]) / 255
    return (stacked - torch.tensor(config.mean).view(3, 1, 1)) / torch.tensor(config.std).view(3, 1, 1)
