"""Networks in torch made ready for photos: FCNs on a GPU or where OpenVINO is missing, other networks anywhere.

Of an FCN, batch norm and the scaling of pixel values are folded into the convolutions; encoder and head may work in
bfloat16, the scores are float32. A large photo passes the stages at full detail in tiles.
"""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from zoo.config import FCNConfig
from zoo.models import tiles
from zoo.models.architecture import FINE_STRIDE, PAPER_PADDING
from zoo.models.engine import Engine
from zoo.models.fcn import FCN
from zoo.models.labelling import Ladder, Output
from zoo.working_size import working_size_of


def multiplies_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 natively, and oneDNN is allowed to let it (ONEDNN_MAX_CPU_ISA)."""
    allowed = getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", bool)
    names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return (
        torch.backends.mkldnn.is_available() and allowed() and any(getattr(torch.cpu, name, bool)() for name in names)
    )


class TorchEngine(Engine):
    """Any network of images (N, 3, H, W) in [0, 1] to logits of their size, at one precision ('fp32' or 'bf16')."""

    def __init__(self, model: nn.Module, precision: str):
        self.network, self.precision, self.output = model, precision, Output(torch.get_num_threads())
        self.working_size = working_size_of(model)
        self.domain = None  # nothing is known of what other libraries' networks were trained on

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.network.parameters()).device

    @property
    def nbytes(self) -> int:
        """Bytes that parameters and buffers take in memory."""
        return sum(tensor.nbytes for tensor in (*self.network.parameters(), *self.network.buffers()))

    def to(self, device: str) -> TorchEngine:
        """This engine on another device."""
        self.network.to(device)
        return self

    @torch.inference_mode()
    def features(self, pixels: np.ndarray) -> torch.Tensor:
        """(H, W, 3) uint8 pixels -> (1, 3, H, W) in [0, 1]."""
        images = torch.from_numpy(pixels).to(self.device).permute(2, 0, 1)[None]
        return (images.float() / 255).contiguous(memory_format=torch.channels_last)

    @torch.inference_mode()
    def maps(self, features: torch.Tensor) -> list[tuple[str, np.ndarray]]:
        """The logits, as 'output'."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            return [("output", self.network(features)[0].float().cpu().numpy())]

    def descriptor(self, features: torch.Tensor) -> np.ndarray:
        """(channels,) float32, as of every engine."""
        return torch.log1p(features[0].float().flatten(1).std(1, correction=0)).cpu().numpy()

    def rest(self) -> None:
        """Nothing: torch frees what a pass needs at its end."""


class FCNEngine(TorchEngine):
    """An `FCN` at one precision ('fp32' or 'bf16'); a copy, on the model's device.

    Raises ValueError for weights that are not finite: a ReLU could hide them, as oneDNN's takes NaN for zero.
    """

    network: FCN
    config: FCNConfig

    def __init__(self, model: FCN, precision: str):
        super().__init__(copy.deepcopy(model).eval().requires_grad_(False), precision)
        self.domain = getattr(model, "domain", None)
        network, self.config, self.margin = self.network, model.config, tiles.fine_margin(model.config)
        weights = {name: value.detach().float().cpu().numpy() for name, value in model.state_dict().items()}
        self.output = Ladder(model.config, weights, torch.get_num_threads())
        self.dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        fold_batch_norm(network)
        # Whole numbers up to 256 are exact in bfloat16: if the mean is one, the photo enters without loss.
        offset = 255 * network.mean.flatten()
        self.offset = offset.round() if precision == "bf16" else offset
        fold_scaling(network, self.offset)
        if not all(tensor.isfinite().all() for tensor in network.state_dict().values()):
            raise ValueError("the model has weights that are not finite; the checkpoint is unusable")
        if model.config.padding == "paper":  # `prepare` adds the rest, so that tiles can have it at the border only
            first_convolution(network).padding = (1, 1)
        for part in filter(None, (network.encoder, network.head)):
            part.to(dtype=self.dtype)
        network.to(memory_format=torch.channels_last)
        stages = list(zip(network.encoder.strides, network.encoder.stages, strict=True))
        self.fine = nn.Sequential(*(stage for stride, stage in stages if stride <= FINE_STRIDE))
        self.coarse = [(stride, stage) for stride, stage in stages if stride > FINE_STRIDE]

    @torch.inference_mode()
    def features(self, pixels: np.ndarray) -> torch.Tensor:
        """Features (1, channels, h, w) at stride 8 of (H, W, 3) uint8 pixels."""
        images = self.prepare(torch.from_numpy(pixels).to(self.device))
        return tiles.features_in_tiles(self.fine, images, self.margin, tiles.empty_tensor)

    @torch.inference_mode()
    def maps(self, features: torch.Tensor) -> list[tuple[str, np.ndarray]]:
        """`FCN.score_maps` of the features at stride 8."""
        found, last = {FINE_STRIDE: features}, features
        for stride, stage in self.coarse:
            found[stride] = last = stage(last)
        if self.network.head is not None:
            found[32] = self.network.head(found[32])
        maps = self.network.ladder({stride: found[stride].float() for stride in self.network.strides})
        return [(name, np.ascontiguousarray(scores[0].cpu().numpy())) for name, scores in maps]

    def prepare(self, pixels: torch.Tensor) -> torch.Tensor:
        """(H, W, 3) uint8 -> what the encoder takes: (1, 3, H', W') channels-last, the mean colour at zero, padded."""
        if self.config.channel_order == "bgr":
            pixels = pixels.flip(-1)
        height, width = pixels.shape[:2]
        paper = self.config.padding == "paper"
        left, right, top, bottom = (PAPER_PADDING - 1,) * 4 if paper else self.network.margins(height, width)
        size = (top + height + bottom, left + width + right, 3)
        images = torch.zeros(size, dtype=self.dtype, device=pixels.device)
        inside = images[top : top + height, left : left + width]
        inside.copy_(pixels).sub_(self.offset.to(pixels.device))
        return images.permute(2, 0, 1)[None]


def fold_batch_norm(module: nn.Module) -> None:
    """Put every batch norm that follows a convolution into that convolution; the numbers stay, but for rounding."""
    before_name, before = "", None
    for name, child in list(module.named_children()):
        if isinstance(child, nn.BatchNorm2d) and isinstance(before, nn.Conv2d):
            setattr(module, before_name, fuse_conv_bn_eval(before, child))
            setattr(module, name, nn.Identity())
        else:
            fold_batch_norm(child)
        before_name, before = name, child


def first_convolution(network: FCN) -> nn.Conv2d:
    """The convolution that sees the photo."""
    return next(module for module in network.encoder.modules() if isinstance(module, nn.Conv2d))


def fold_scaling(network: FCN, offset: torch.Tensor) -> None:
    """Let the first convolution take pixel values minus `offset` (3,) in place of (value / 255 - mean) / std."""
    first = first_convolution(network)
    weight = first.weight / (255 * network.std)
    shift = (offset - 255 * network.mean.flatten()).view(1, 3, 1, 1)
    assert first.bias is not None
    first.bias = nn.Parameter(first.bias + (weight * shift).sum((1, 2, 3)), requires_grad=False)
    first.weight = nn.Parameter(weight, requires_grad=False)
