"""Pixels in, class of every pixel out: the part of `zoo.segment` that needs torch.

An `Engine` is a network made ready for photos: batch norm and the scaling of pixel values are folded into the
convolutions, encoder and head work in bfloat16 where the processor multiplies it natively, scores and everything after
them in float32. It is made once per model. A large photo passes in tiles, for memory and for the processor's cache.
"""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from zoo.backbones import PAPER_PADDING
from zoo.fcn import FCN

PRECISIONS = ("auto", "fp32", "bf16")
TILE_PIXELS = 2**19  # of the photo, that the stages at full detail see at once: in larger ones the cache is of no use
TILE_COLUMNS = 1024
STRIP_LOGITS = 2**21  # values of the output that exist at once; more would not stay in a processor's cache
FINE_STRIDE = 8  # stages up to this stride see tiles, coarser ones are small enough for whole photos
PACKED_FOR = (360, 480)  # pixels of the photo for which weights are laid out; others of a few times this do as well


def choose_precision(precision: str, device: str | torch.device = "cpu") -> str:
    """'fp32' or 'bf16'; 'auto' is bf16 on a processor with AVX512-BF16 or AMX and float32 everywhere else.

    Raises ValueError for what is not one of `PRECISIONS`.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision is {precision!r}; it must be one of {', '.join(PRECISIONS)}")
    if precision != "auto":
        return precision
    native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return "bf16" if torch.device(device).type == "cpu" and native and torch.backends.mkldnn.is_available() else "fp32"


class PlainEngine(nn.Module):
    """Any network of images (N, 3, H, W) in [0, 1] to logits, for photos at one precision ('fp32' or 'bf16')."""

    def __init__(self, model: nn.Module, precision: str):
        super().__init__()
        self.network, self.precision = model, precision

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.network.parameters()).device

    @torch.inference_mode()
    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """(H, W, 3) uint8 pixels -> logits (1, C, H, W) float32."""
        *_, (_, scores) = self.score_maps(pixels)
        return self.enlarge(scores, *pixels.shape[:2])

    @torch.inference_mode()
    def score_maps(self, pixels: torch.Tensor) -> list[tuple[str, torch.Tensor]]:
        """Names and maps (1, C, h, w) float32 of what the network says of (H, W, 3) uint8 pixels, the last one last."""
        images = (pixels.permute(2, 0, 1)[None].float() / 255).contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            return [("output", self.network(images).float())]

    def enlarge(self, scores: torch.Tensor, height: int, width: int, top: int = 0) -> torch.Tensor:
        """Rows `top` to `top + height` of the logits (1, C, height, width), from the last of the score maps."""
        return scores[..., top : top + height, :width]

    @torch.inference_mode()
    def label(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        """Mask (H, W) uint8, confidence (H, W) float32 and milliseconds for (H, W, 3) uint8 pixels.

        Raises ValueError when the network returns numbers that are not finite.
        """
        begin = time.perf_counter()
        *_, (_, scores) = self.score_maps(torch.from_numpy(pixels).to(self.device))
        height, width = pixels.shape[:2]
        mask, confidence = winners(lambda top, rows: self.enlarge(scores, rows, width, top), (height, width), scores)
        return mask, confidence, 1000 * (time.perf_counter() - begin)


class Engine(PlainEngine):
    """`model` made ready for photos at one precision ('fp32' or 'bf16'); a copy, on the model's device.

    Raises ValueError for weights that are not finite: a ReLU could hide them, as oneDNN's takes NaN for zero.

    `pack` lays the weights out for this processor, for good: such an engine cannot move to another device.
    """

    def __init__(self, model: FCN, precision: str, *, pack: bool = True):
        super().__init__(model, precision)
        self.config = model.config
        self.dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        self.margin = tile_margin(model)
        network = copy.deepcopy(model).eval().requires_grad_(False)
        fold_batch_norm(network)
        # Whole numbers up to 256 are exact in bfloat16: if the mean is one, the photo enters without loss.
        offset = 255 * network.mean.flatten()
        self.register_buffer("offset", offset.round() if precision == "bf16" else offset)
        fold_scaling(network, self.offset)
        if not all(tensor.isfinite().all() for tensor in network.state_dict().values()):
            raise ValueError("the model has weights that are not finite; the checkpoint is unusable")
        if model.config.padding == "paper":  # `prepare` adds the rest, so that tiles can have it at the border only
            first_convolution(network).padding = (1, 1)
        for part in filter(None, (network.encoder, network.head)):
            part.to(dtype=self.dtype)
        self.network = network.to(memory_format=torch.channels_last)
        if pack and self.offset.device.type == "cpu" and torch.backends.mkldnn.is_available():
            photo = torch.zeros(*PACKED_FOR, 3, dtype=torch.uint8)
            sizes = input_sizes(self.network, lambda: self.score_maps(photo))
            for part in filter(None, (network.encoder, network.head)):
                pack_convolutions(part, sizes)

    @property
    def device(self) -> torch.device:
        """Where the engine is."""
        return self.offset.device

    @torch.inference_mode()
    def score_maps(self, pixels: torch.Tensor) -> list[tuple[str, torch.Tensor]]:
        """`FCN.score_maps` of (H, W, 3) uint8 pixels, float32."""
        network, fine = self.network, self.fine_features(self.prepare(pixels))
        features = {FINE_STRIDE: fine} | network.encoder(fine, after=FINE_STRIDE)
        if network.head is not None:
            features[32] = network.head(features[32])
        maps = network.ladder({stride: features[stride].float() for stride in network.strides})
        return [(name, scores.contiguous()) for name, scores in maps]

    def enlarge(self, scores: torch.Tensor, height: int, width: int, top: int = 0) -> torch.Tensor:
        """Rows `top` to `top + height` of the logits (1, C, height, width), from the last of the score maps."""
        return self.network.enlarge(scores, height, width, top)

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
        inside.copy_(pixels).sub_(self.offset)
        return images.permute(2, 0, 1)[None]

    def fine_features(self, images: torch.Tensor) -> torch.Tensor:
        """The features at stride 8, (1, channels, H' / 8, W' / 8), of prepared images; tile by tile if large.

        Tiles overlap by `margin` pixels, more than any of these features sees, so that they show no seam.
        """
        height, width = images.shape[-2:]
        if height * width <= TILE_PIXELS:
            return self.network.encoder(images, until=FINE_STRIDE)[FINE_STRIDE]
        parts = -(-width // TILE_COLUMNS)
        columns = -(-width // parts // 32) * 32
        rows = max(TILE_PIXELS // columns // 32 * 32, 2 * self.margin)
        channels = dict(zip(self.network.encoder.strides, self.network.encoder.channels, strict=True))[FINE_STRIDE]
        size = (1, channels, -(-height // FINE_STRIDE), -(-width // FINE_STRIDE))
        features = torch.empty(size, dtype=self.dtype, device=images.device, memory_format=torch.channels_last)
        for top in range(0, height, rows):
            for left in range(0, width, columns):
                inside, across = self.tile(top, rows, height), self.tile(left, columns, width)
                found = self.network.encoder(images[..., inside.seen, across.seen], until=FINE_STRIDE)[FINE_STRIDE]
                features[..., inside.kept, across.kept] = found[..., inside.part, across.part]
        return features

    def tile(self, first: int, size: int, end: int) -> Tile:
        """The tile that covers pixels `first` to `first + size` of a side that is `end` pixels long."""
        above = min(first, self.margin)
        start, skipped = first // FINE_STRIDE, above // FINE_STRIDE
        stop = None if first + size >= end else size // FINE_STRIDE  # what the last one has of more is kept
        kept = slice(start, None if stop is None else start + stop)
        part = slice(skipped, None if stop is None else skipped + stop)
        return Tile(slice(first - above, first + size + self.margin), kept, part)


@dataclass(frozen=True)
class Tile:
    """One side of a tile: the pixels that the network sees, the features kept, and where in its output those are."""

    seen: slice
    kept: slice
    part: slice


def winners(strip: Callable, size: tuple[int, int], scores: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """`top_class` of a whole photo of `size`, as arrays: mask (H, W) uint8 and confidence (H, W) float32.

    `strip(top, rows)` makes logits (1, C, rows, W) of scores (1, C, h, w); only `STRIP_LOGITS` values exist at once.
    """
    height, width = size
    mask, confidence = np.empty(size, np.uint8), np.empty(size, np.float32)
    rows = max(32, STRIP_LOGITS // (width * scores.shape[1]))
    for top in range(0, height, rows):
        found = top_class(strip(top, min(rows, height - top)))
        mask[top : top + rows], confidence[top : top + rows] = (part[0].cpu().numpy() for part in found)
    return mask, confidence


def top_class(logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Winning class (N, H, W) uint8, the first of equals, and its softmax probability, from logits (N, C, H, W).

    `torch.max` with indices takes twice as long. Raises ValueError for logits that are not finite.
    """
    classes = logits.shape[1]
    best = logits.amax(1, keepdim=True)
    confidence = (logits - best).exp_().sum(1).reciprocal_()
    if not bool(confidence.sum().isfinite()):  # a NaN anywhere is one in the sum
        raise ValueError("the model returned logits that are not finite; the checkpoint is unusable")
    countdown = torch.arange(classes, 0, -1, dtype=torch.uint8, device=logits.device).view(1, -1, 1, 1)
    mask = classes - ((logits == best).view(torch.uint8) * countdown).amax(1)
    return mask, confidence


def tile_margin(model: FCN) -> int:
    """Pixels, a multiple of 32, that a tile's features at stride 8 see at most beyond it: their receptive field."""
    reach, step = 0, 1
    stages = zip(model.encoder.stages, model.encoder.strides, strict=True)
    for stage in (stage for stage, stride in stages if stride <= FINE_STRIDE):
        for layer in stage.modules():
            if isinstance(layer, nn.Conv2d | nn.MaxPool2d):
                kernel, stride = (np.max(size).item() for size in (layer.kernel_size, layer.stride))
                if kernel > 1:  # 1x1 convolutions see nothing more, and a shortcut's stride is that of its block
                    reach, step = reach + kernel // 2 * step, step * stride
    return -(-reach // 32) * 32


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
    first.bias = nn.Parameter(first.bias + (weight * shift).sum((1, 2, 3)), requires_grad=False)
    first.weight = nn.Parameter(weight, requires_grad=False)


class PackedConvolution(nn.Module):
    """A convolution whose weight oneDNN has laid out once, with the ReLU that follows it if `relu`.

    `nn.Conv2d` lays it out anew for every photo, and `nn.ReLU` reads and writes all features once more: together up to
    half of a thin layer's time. `size` is the shape of the features that the layout is made for.
    """

    def __init__(self, layer: nn.Conv2d, size: tuple[int, ...], *, relu: bool):
        super().__init__()
        self.arguments = (layer.padding, layer.stride, layer.dilation, layer.groups)
        self.after = "relu" if relu else "none"
        # What torch's own compiler emits for a frozen convolution; the module of `torch.utils.mkldnn` unpacks again.
        weight = layer.weight.detach().to_mkldnn()
        weight = torch._C._nn.mkldnn_reorder_conv2d_weight(weight, *self.arguments, list(size))
        self.register_buffer("weight", weight, persistent=False)
        self.register_buffer("bias", layer.bias.detach(), persistent=False)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        operator = torch.ops.mkldnn._convolution_pointwise
        return operator(features, self.weight, self.bias, *self.arguments, self.after, [], "")


def pack_convolutions(module: nn.Module, sizes: dict[nn.Conv2d, tuple[int, ...]]) -> None:
    """Replace the convolutions that `sizes` knows the input of by packed ones, ReLUs that follow one included."""
    children = list(module.named_children())
    for index, (name, child) in enumerate(children):
        if not isinstance(child, nn.Conv2d):
            pack_convolutions(child, sizes)
        elif child in sizes:
            following = children[index + 1 :] if isinstance(module, nn.Sequential) else []
            following = [(other, part) for other, part in following if not isinstance(part, nn.Identity)]
            relu = following and isinstance(following[0][1], nn.ReLU)
            setattr(module, name, PackedConvolution(child, sizes[child], relu=bool(relu)))
            if relu:
                setattr(module, following[0][0], nn.Identity())


def input_sizes(module: nn.Module, run: Callable[[], object]) -> dict[nn.Conv2d, tuple[int, ...]]:
    """Shape of the input of every convolution of `module` with a bias that `run()` reaches."""
    sizes = {}
    layers = [layer for layer in module.modules() if isinstance(layer, nn.Conv2d) and layer.bias is not None]
    hooks = [layer.register_forward_hook(lambda at, given, _: sizes.update({at: given[0].shape})) for layer in layers]
    try:
        run()
    finally:
        for hook in hooks:
            hook.remove()
    return sizes


ENGINES: WeakKeyDictionary[FCN, tuple[tuple, Engine]] = WeakKeyDictionary()
MAKING = threading.Lock()


def engine_of(model: nn.Module, precision: str = "auto") -> PlainEngine:
    """The engine of a network, of an FCN made once and again after its weights have changed or moved.

    An engine is its own. Any other network is used as it is.

    A change that goes around autograd's version counter (`parameter.data`) in place is not noticed.
    """
    if isinstance(model, PlainEngine):
        return model
    chosen = choose_precision(precision, next(model.parameters()).device)
    if not isinstance(model, FCN):
        return PlainEngine(model, chosen)
    state = [*model.parameters(), *model.buffers()]
    if any(tensor.is_inference() for tensor in state):  # such tensors count no changes
        return Engine(model, chosen)
    stamp = (chosen, *((tensor.data_ptr(), tensor._version) for tensor in state))
    with MAKING:
        known = ENGINES.get(model)
        if known is None or known[0] != stamp:
            known = ENGINES[model] = (stamp, Engine(model, chosen))
    return known[1]


def prepared(model: nn.Module, device: str) -> PlainEngine:
    """The engine that a page keeps of a model that will work on `device`, 'cpu' or 'cuda'."""
    precision = choose_precision("auto", device)
    return Engine(model, precision, pack=device == "cpu") if isinstance(model, FCN) else PlainEngine(model, precision)
