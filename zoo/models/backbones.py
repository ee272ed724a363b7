"""Encoders of the FCN: VGG-16 (with or without batch norm, any width) and torchvision's ResNet-18/50/101.

Each encoder is cut into stages at the points where the stride doubles; stride and channels of every stage are
recorded while it is built, so that the FCN finds its scores at strides 8, 16 and 32 without counting layers.
"""

from collections.abc import Iterator

import torch
from torch import nn

from zoo.config import BACKBONES, RESNET_BACKBONES, VGG_BACKBONES
from zoo.models.architecture import PAPER_PADDING, VGG16_CHANNELS
from zoo.text import word_for


class Encoder(nn.Module):
    """Stages of a backbone. `strides[i]` and `channels[i]` describe the output of `stages[i]`."""

    def __init__(self, stages: list[tuple[nn.Module, int, int]]):
        super().__init__()
        self.stages = nn.ModuleList(module for module, _, _ in stages)
        self.strides = tuple(stride for _, stride, _ in stages)
        self.channels = tuple(channels for _, _, channels in stages)

    def forward(self, images: torch.Tensor, until: int = 32) -> dict[int, torch.Tensor]:
        """(N, 3, H, W) normalised images -> {stride: (N, channels, H / stride, W / stride)} features.

        With `until` it stops at that stride.
        """
        features = {}
        for stage, stride in zip(self.stages, self.strides, strict=True):
            if stride <= until:
                images = stage(images)
                features[stride] = images
        return features


def build_encoder(backbone: str, *, width: float = 1.0, paper_padding: bool = False) -> Encoder:
    """An encoder with He-initialised weights; nothing is downloaded.

    `width` scales the channels of every VGG layer (1.0 is the published net); `paper_padding` gives the first
    convolution a padding of 100 and the pools Caffe's ceil mode. Raises ValueError for what a backbone cannot do.
    """
    if backbone in RESNET_BACKBONES and (width != 1.0 or paper_padding):
        raise ValueError(f"backbone {backbone!r} has neither a width factor nor the paper's padding; use a VGG")
    if backbone in VGG_BACKBONES:
        encoder = Encoder(list(_vgg_stages(backbone, width, paper_padding)))
    elif backbone in RESNET_BACKBONES:
        encoder = Encoder(list(_resnet_stages(backbone)))
    else:
        raise ValueError(f"unknown backbone {backbone!r}; choose one of {', '.join(BACKBONES)}")
    for module in encoder.modules():
        initialise_convolution(module)
    return encoder


def initialise_convolution(module: nn.Module) -> None:
    """He initialisation (He et al. 2015, eq. 10) that keeps the forward signal's variance; other layers untouched."""
    # Without weights there is nothing to fill, but torch would import its compiler to find that out: 180 MB.
    if isinstance(module, nn.Conv2d) and not module.weight.is_meta:
        nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class Stage(nn.Sequential):
    """Layers of a VGG stage, of which the last two, ReLU and pool, change places: a quarter of the values is left then.

    Maximum and ReLU commute, and so do their gradients, bit for bit.
    """

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        *layers, activation, pool = self
        for layer in layers:
            images = layer(images)
        return activation(pool(images))


def _vgg_stages(backbone: str, width: float, paper_padding: bool) -> Iterator[tuple[nn.Module, int, int]]:
    inputs, stride = 3, 1
    for plan in VGG16_CHANNELS:
        layers = []
        for published in plan:
            channels = max(1, round(published * width))
            padding = PAPER_PADDING if paper_padding and stride == 1 and not layers else 1  # conv1_1
            layers.append(nn.Conv2d(inputs, channels, 3, padding=padding))
            if backbone.endswith("_bn"):
                layers.append(nn.BatchNorm2d(channels))
            layers.append(nn.ReLU(inplace=True))
            inputs = channels
        stride *= 2
        yield Stage(*layers, nn.MaxPool2d(2, ceil_mode=paper_padding)), stride, inputs


def _resnet_stages(backbone: str) -> Iterator[tuple[nn.Module, int, int]]:
    from torchvision import models  # not before it is needed: it is slow and large

    resnet = getattr(models, backbone)(weights=None)
    stem = [resnet.conv1, resnet.bn1, resnet.relu, resnet.maxpool]
    stride = resnet.conv1.stride[0] * resnet.maxpool.stride
    for blocks in (resnet.layer1, resnet.layer2, resnet.layer3, resnet.layer4):
        convolutions = [module for module in blocks.modules() if isinstance(module, nn.Conv2d)]
        stride *= max(convolution.stride[0] for convolution in convolutions)
        yield nn.Sequential(*stem, *blocks), stride, convolutions[-1].out_channels
        stem = []


def published_names(encoder: Encoder, backbone: str) -> dict[str, str]:
    """{tensor of the encoder: its name in the state dict of torchvision's classifier}, in forward order."""
    prefixes, place = {}, 0
    for number, stage in enumerate(encoder.stages):
        stem = ("conv1", "bn1", "relu", "maxpool") if number == 0 and backbone in RESNET_BACKBONES else ()
        layers = len(list(stage.children()))
        for index in range(layers):
            if backbone in VGG_BACKBONES:  # `features` counts its layers through all stages
                published = f"features.{place + index}"
            else:
                published = stem[index] if index < len(stem) else f"layer{number + 1}.{index - len(stem)}"
            prefixes[f"stages.{number}.{index}"] = published
        place += layers
    return {key: f"{prefixes['.'.join(key.split('.')[:3])]}.{key.split('.', 3)[3]}" for key in encoder.state_dict()}


def transplant(encoder: Encoder, head: nn.Module | None, state: dict[str, torch.Tensor], backbone: str) -> None:
    """Copy torchvision classifier weights (ImageNet) into an encoder and, for VGG, its convolutional head.

    `state` has the names of torchvision's `vgg16`, `vgg16_bn` or `resnet*`, in any order and of any float dtype; a
    VGG's may come without the prefix 'features.'. The classifier may be missing. The fully connected layers fc6 and
    fc7 become convolutions with weights and biases copied (Long et al. 2015, section 3.1); a head of another kernel
    or width than 7x7x4096 keeps its initialisation. Raises ValueError naming a tensor that is missing, that this
    backbone does not have, or that does not fit; nothing is copied then.
    """
    if backbone in VGG_BACKBONES and "0.weight" in state:
        state = {f"features.{name}": value for name, value in state.items()}
    names, target = published_names(encoder, backbone), encoder.state_dict()
    # Batch norm's counters, which files written before torch 0.4.1 lack, do not matter to its result.
    needed = [name for name in names.values() if not name.endswith("num_batches_tracked")]
    missing = [name for name in needed if name not in state]
    if missing:
        raise ValueError(
            f"{missing[0]} is missing ({len(missing)} of the {len(needed)} tensors of {backbone} "
            f"{word_for(len(missing), 'is', 'are')})"
        )
    known = set(names.values())
    unknown = [name for name in state if name not in known and not name.startswith(("classifier.", "fc."))]
    if unknown:
        raise ValueError(f"{unknown[0]} is no tensor of {backbone}")
    for key, name in names.items():
        if name in state and state[name].shape != target[key].shape:
            found, wanted = tuple(state[name].shape), tuple(target[key].shape)
            raise ValueError(f"{name} is {found}, but {backbone} as configured needs {wanted}")
    encoder.load_state_dict({key: state.get(name, target[key]) for key, name in names.items()})
    if head is not None:
        _transplant_head(head, state)


def _transplant_head(head: nn.Module, state: dict[str, torch.Tensor]) -> None:
    for layer, name in ((head.get_submodule("fc6"), "classifier.0"), (head.get_submodule("fc7"), "classifier.3")):
        assert isinstance(layer, nn.Conv2d)
        weight, bias = state.get(f"{name}.weight"), state.get(f"{name}.bias")
        if weight is not None and bias is not None and layer.weight.numel() == weight.numel():
            layer.load_state_dict({"weight": weight.view_as(layer.weight), "bias": bias})
