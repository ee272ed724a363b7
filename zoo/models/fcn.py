"""FCN-32s, FCN-16s and FCN-8s (Long, Shelhamer, Darrell: arXiv 1411.4038 and 1605.06211) in one class.

Score the last stage, upsample x2, add the score of pool4, upsample x2, add the score of pool3, upsample x8:
the variant says how far down that ladder the network goes. Images are RGB in [0, 1] of any size; mean and standard
deviation live inside the model, logits come out at exactly the input's size. On ResNet the scores sit on layer4,
layer3 and layer2, an extension that the paper does not define.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.autograd.function import once_differentiable

from zoo.config import OUTPUT_STRIDE, VGG_BACKBONES, FCNConfig
from zoo.models.architecture import ATONCE_SCALE, PAPER_OUTPUT_OFFSET, PAPER_SKIP_OFFSET
from zoo.models.backbones import build_encoder, initialise_convolution, transplant


def bilinear_kernel(factor: int) -> torch.Tensor:
    """(2 * factor, 2 * factor) float32 weights with which a transposed convolution interpolates bilinearly."""
    steps = torch.arange(2 * factor, dtype=torch.float32, device="cpu")  # on 'meta' it would import torch's compiler
    line = 1 - (steps - (factor - 0.5)).abs() / factor
    return line[:, None] * line[None, :]


def bilinear_matrix(size: int, factor: int, like: torch.Tensor) -> torch.Tensor:
    """(size * factor, size) weights of a line's pixels in the bilinearly enlarged line, of the dtype of `like`."""
    places = ((torch.arange(size * factor, dtype=torch.float64) + 0.5) / factor - 0.5).clamp(0, size - 1)
    low = places.long()
    share = (places - low)[:, None]
    lines = torch.eye(size, dtype=torch.float64)
    return (lines[low] * (1 - share) + lines[(low + 1).clamp(max=size - 1)] * share).to(like)


class BilinearEnlargement(torch.autograd.Function):
    """`F.interpolate` by a whole factor for training on a CPU: (N, C, h, w) -> (N, C, h * factor, w * factor) float32.

    Its gradient is two matrix products, a sixth of torch's time. It is float32 also where autocast is on, because
    bfloat16 takes longer here.
    """

    @staticmethod
    def forward(context: Any, scores: torch.Tensor, factor: int) -> torch.Tensor:
        context.factor, context.size, context.dtype = factor, scores.shape[-2:], scores.dtype
        return F.interpolate(scores.float(), scale_factor=float(factor), mode="bilinear", align_corners=False)

    @staticmethod
    @once_differentiable
    def backward(context: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        gradient = gradients[0]
        down, across = (bilinear_matrix(size, context.factor, gradient) for size in context.size)
        return (down.t() @ (gradient @ across)).to(context.dtype), None


class Upsampling(nn.Module):
    """Transposed convolution x `factor` on class scores, bias-free, bilinear at the start.

    (N, C, h, w) -> (N, C, h * factor, w * factor) where edges are replicated (`padded`, equal to bilinear
    `F.interpolate` until it learns), or (N, C, (h + 1) * factor, (w + 1) * factor) without padding as published.
    A fixed one is a depthwise buffer outside the state dict; a learned one mixes classes, starting from the diagonal.
    """

    def __init__(self, classes: int, factor: int, *, learned: bool, padded: bool):
        super().__init__()
        self.factor, self.learned, self.padded = factor, learned, padded
        self.weight: torch.Tensor
        kernel = bilinear_kernel(factor)
        if learned:
            weight = torch.zeros(classes, classes, *kernel.shape)
            if not weight.is_meta:
                weight[range(classes), range(classes)] = kernel
            self.weight = nn.Parameter(weight)
        else:
            self.register_buffer("weight", kernel.repeat(classes, 1, 1, 1), persistent=False)

    def forward(self, scores: torch.Tensor) -> torch.Tensor:
        groups = 1 if self.learned else scores.shape[1]
        if not self.padded:
            return F.conv_transpose2d(scores, self.weight, stride=self.factor, groups=groups)
        if not self.learned:
            if scores.requires_grad and scores.device.type == "cpu" and not torch.compiler.is_compiling():
                return BilinearEnlargement.apply(scores.contiguous(), self.factor)
            # The same numbers as the transposed convolution below (a test holds them equal), many times faster.
            return F.interpolate(scores, scale_factor=float(self.factor), mode="bilinear", align_corners=False)
        # Replicated edges, not by F.pad: compiled, its gradient is said to have strides that it has not (torch 2.14).
        scores = torch.cat((scores[..., :1, :], scores, scores[..., -1:, :]), dim=-2)
        scores = torch.cat((scores[..., :1], scores, scores[..., -1:]), dim=-1)
        margin = self.factor + self.factor // 2
        return F.conv_transpose2d(scores, self.weight, stride=self.factor, padding=margin)


class Head(nn.Sequential):
    """fc6 and fc7 of VGG as convolutions (paper section 3.1), each with ReLU and element-wise dropout."""

    def __init__(self, channels: int, config: FCNConfig):
        padding = config.head_kernel // 2 if config.padding == "same" else 0
        super().__init__()
        self.fc6 = nn.Conv2d(channels, config.head_channels, config.head_kernel, padding=padding)
        if config.head_batch_norm:
            self.norm6 = nn.BatchNorm2d(config.head_channels)
        self.relu6 = nn.ReLU(inplace=True)
        self.drop6 = nn.Dropout(config.dropout)
        self.fc7 = nn.Conv2d(config.head_channels, config.head_channels, 1)
        if config.head_batch_norm:
            self.norm7 = nn.BatchNorm2d(config.head_channels)
        self.relu7 = nn.ReLU(inplace=True)
        self.drop7 = nn.Dropout(config.dropout)
        initialise_convolution(self.fc6)
        initialise_convolution(self.fc7)


class FCN(nn.Module):
    """Fully convolutional network: (N, 3, H, W) images in [0, 1], any H, W >= 1 -> (N, C, H, W) logits.

    Convolutions are He-initialised, score layers are zero, upsampling is bilinear; `transplant_backbone` adds
    ImageNet weights. Building a model never downloads anything.
    """

    mean: torch.Tensor
    std: torch.Tensor
    info: Any
    domain: Any
    ranges: Any

    def __init__(self, config: FCNConfig):
        super().__init__()
        self.config = config
        classes, paper = len(config.classes), config.padding == "paper"
        self.encoder = build_encoder(config.backbone, width=config.width, paper_padding=paper)
        channels = dict(zip(self.encoder.strides, self.encoder.channels, strict=True))
        self.head = None
        if config.backbone in VGG_BACKBONES:
            self.head = Head(channels[32], config)
            channels[32] = config.head_channels

        output_stride = OUTPUT_STRIDE[config.variant]
        self.strides = tuple(stride for stride in (32, 16, 8) if stride >= output_stride)
        self.score = nn.ModuleDict({str(s): nn.Conv2d(channels[s], classes, 1) for s in self.strides})
        for parameter in self.score.parameters():
            nn.init.zeros_(parameter)
        intermediate = {"learned": config.upsampling != "fixed", "padded": not paper}
        self.upsample = nn.ModuleDict({str(s): Upsampling(classes, 2, **intermediate) for s in self.strides[:-1]})
        last_learned = config.upsampling == "learned"
        self.upsample_output = Upsampling(classes, output_stride, learned=last_learned, padded=not paper)

        self.register_buffer("mean", None, persistent=False)
        self.register_buffer("std", None, persistent=False)
        self.fill_constants()

    def fill_constants(self) -> None:
        """Set mean, standard deviation and fixed upsampling, which no state dict holds.

        A model built on the device 'meta' needs it once its state has been assigned.
        """
        self.mean = torch.tensor(self.config.mean).view(1, 3, 1, 1)
        self.std = torch.tensor(self.config.std).view(1, 3, 1, 1)
        for module in self.modules():
            if isinstance(module, Upsampling) and not module.learned:
                module.weight = bilinear_kernel(module.factor).repeat(len(module.weight), 1, 1, 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, 3, H, W) float RGB in [0, 1] -> (N, C, H, W) logits."""
        *_, (_, scores) = self.score_maps(images)
        return self.enlarge(scores, *images.shape[-2:])

    def score_maps(self, images: torch.Tensor) -> list[tuple[str, torch.Tensor]]:
        """The ladder, in order: ('score 32', ...), ('score 16', ...), ('fused 16', ...) and so on, each (N, C, h, w).

        'score s' is what a stride's own 1x1 convolution says, 'fused s' its sum with the coarser score upsampled x2.
        """
        features = self.encoder(self.normalise(images))
        if self.head is not None:
            features[32] = self.head(features[32])
        return self.ladder(features)

    def ladder(self, features: dict[int, torch.Tensor]) -> list[tuple[str, torch.Tensor]]:
        """`score_maps` of the encoder's features by stride, those at 32 after the head."""
        scores = self.score["32"](features[32])
        maps = [("score 32", scores)]
        for coarse, stride in zip(self.strides, self.strides[1:], strict=False):
            skip = features[stride] * ATONCE_SCALE[stride] if self.config.pool_scaling else features[stride]
            skip = self.score[str(stride)](skip)
            upsampled = self.upsample[str(coarse)](scores)
            if self.config.padding == "paper":
                offset = PAPER_SKIP_OFFSET[stride]
                skip = skip[..., offset : offset + upsampled.shape[-2], offset : offset + upsampled.shape[-1]]
            scores = upsampled + skip
            maps += [(f"score {stride}", skip), (f"fused {stride}", scores)]
        return maps

    def enlarge(self, scores: torch.Tensor, height: int, width: int, top: int = 0) -> torch.Tensor:
        """Upsample the last of the score maps to rows `top` to `top + height` of the logits: (N, C, height, width)."""
        stride = self.strides[-1]
        offset = PAPER_OUTPUT_OFFSET[stride] if self.config.padding == "paper" else self.config.phase
        first, last = (top + offset) // stride - 1, (top + offset + height - 1) // stride + 1
        first = max(0, first)  # a pixel mixes the scores above and below it
        logits = self.upsample_output(scores[..., first : last + 1, :].contiguous())
        above = top + offset - first * stride
        return logits[..., above : above + height, offset : offset + width]

    def margins(self, height: int, width: int) -> tuple[int, int, int, int]:
        """Zeros (the mean colour) to add left, right, above and below, so that every stride fits.

        The paper's padding is part of its first convolution.
        """
        if self.config.padding == "paper":
            return 0, 0, 0, 0
        phase = self.config.phase
        return phase, -(width + phase) % 32, phase, -(height + phase) % 32

    def normalise(self, images: torch.Tensor) -> torch.Tensor:
        """Images in [0, 1] as the encoder takes them: mean and standard deviation applied, padded for every stride."""
        if self.config.channel_order == "bgr":
            images = images.flip(1)
        images = (images - self.mean) / self.std
        return F.pad(images, self.margins(*images.shape[-2:]))

    def transplant_backbone(self, state: dict[str, torch.Tensor]) -> None:
        """Take over ImageNet weights under torchvision's names for the same backbone, with or without its classifier.

        Raises ValueError naming the first tensor that is missing or does not fit.
        """
        transplant(self.encoder, self.head, state, self.config.backbone)
