"""Encoders of the FCN: VGG-16 (with or without batch norm, any width) and torchvision's ResNet-18/50/101.

Each encoder is cut into stages at the points where the stride doubles; stride and channels of every stage are
recorded while it is built, so that the FCN finds its scores at strides 8, 16 and 32 without counting layers.
"""

from collections.abc import Iterator

import torch
from torch import nn

from zoo.config import BACKBONES, RESNET_BACKBONES, VGG_BACKBONES

PAPER_PADDING = 100  # conv1_1 of the published prototxts
# Channels of VGG-16's convolutions, pool by pool (Simonyan and Zisserman: arXiv 1409.1556, configuration D). Importing
# them with torchvision would cost the page a quarter of its memory and its first mask a second and a half.
VGG16_CHANNELS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


class Encoder(nn.Module):
    """Stages of a backbone. `strides[i]` and `channels[i]` describe the output of `stages[i]`."""

    def __init__(self, stages: list[tuple[nn.Module, int, int]]):
        super().__init__()
        self.stages = nn.ModuleList(module for module, _, _ in stages)
        self.strides = tuple(stride for _, stride, _ in stages)
        self.channels = tuple(channels for _, _, channels in stages)

    def forward(self, images: torch.Tensor, after: int = 1, until: int = 32) -> dict[int, torch.Tensor]:
        """(N, 3, H, W) normalised images -> {stride: (N, channels, H / stride, W / stride)} features.

        With `after` it goes on from the features at that stride; with `until` it stops at that stride.
        """
        features = {}
        for stage, stride in zip(self.stages, self.strides, strict=True):
            if after < stride <= until:
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
        yield nn.Sequential(*layers, nn.MaxPool2d(2, ceil_mode=paper_padding)), stride, inputs


def _resnet_stages(backbone: str) -> Iterator[tuple[nn.Module, int, int]]:
    from torchvision import models  # not before it is needed, see `VGG16_CHANNELS`

    resnet = getattr(models, backbone)(weights=None)
    stem = [resnet.conv1, resnet.bn1, resnet.relu, resnet.maxpool]
    stride = resnet.conv1.stride[0] * resnet.maxpool.stride
    for blocks in (resnet.layer1, resnet.layer2, resnet.layer3, resnet.layer4):
        convolutions = [module for module in blocks.modules() if isinstance(module, nn.Conv2d)]
        stride *= max(convolution.stride[0] for convolution in convolutions)
        yield nn.Sequential(*stem, *blocks), stride, convolutions[-1].out_channels
        stem = []


def transplant(encoder: Encoder, head: nn.Module | None, state: dict[str, torch.Tensor]) -> None:
    """Copy torchvision classifier weights (ImageNet) into an encoder and, for VGG, its convolutional head.

    `state` is the state dict of torchvision's `vgg16`, `vgg16_bn` or `resnet*`. The fully connected layers fc6 and
    fc7 become convolutions with weights and biases copied (Long et al. 2015, section 3.1); a head of another kernel
    or width than 7x7x4096 keeps its initialisation. Raises ValueError if a tensor is missing or does not fit.
    """
    source = {key: value for key, value in state.items() if not key.startswith(("classifier.", "fc."))}
    target = encoder.state_dict()
    if len(source) != len(target):
        raise ValueError(f"backbone weights hold {len(source)} encoder tensors, this encoder has {len(target)}")
    # Both sides list their layers in forward order, so the n-th tensor of one is the n-th of the other.
    for (name, value), (key, old) in zip(source.items(), target.items(), strict=True):
        if value.shape != old.shape or name.rsplit(".", 1)[-1] != key.rsplit(".", 1)[-1]:
            raise ValueError(f"backbone weight {name} {tuple(value.shape)} does not fit {key} {tuple(old.shape)}")
        target[key] = value
    encoder.load_state_dict(target)
    if head is None or "classifier.0.weight" not in state:
        return
    for layer, name in ((head.fc6, "classifier.0"), (head.fc7, "classifier.3")):
        if layer.weight.numel() == state[f"{name}.weight"].numel():
            with torch.no_grad():
                layer.weight.copy_(state[f"{name}.weight"].view_as(layer.weight))
                layer.bias.copy_(state[f"{name}.bias"])
