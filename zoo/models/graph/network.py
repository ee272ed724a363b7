"""An FCN as an ONNX model of one photo: uint8 pixels in, mask, confidence, logits or score maps out, at any size.

Written straight from configuration and weights, without tracing a torch module: batch norm is folded, scaling of pixel
values, padding and crops are part of the graph, computed from the photo's own size. It is the network of
`zoo.models.fcn`, with none of an exporter's names, paths and fixed sizes in it.
"""

from collections.abc import Mapping

import numpy as np
from onnx import ModelProto, TensorProto, ValueInfoProto, helper

from zoo.config import OUTPUT_STRIDE, RESNET_BACKBONES, FCNConfig
from zoo.models.architecture import (
    ATONCE_SCALE,
    FINE_STRIDE,
    PAPER_OUTPUT_OFFSET,
    PAPER_PADDING,
    PAPER_SKIP_OFFSET,
    RESNET_BLOCKS,
    RESNET_BOTTLENECKS,
    VGG16_CHANNELS,
)
from zoo.models.graph.writer import GraphWriter, ShapeWriter

OUTPUTS = ("mask", "confidence", "logits")
RESNET_WIDTHS = (64, 128, 256, 512)


def build_graph(
    config: FCNConfig,
    weights: Mapping[str, np.ndarray],
    *,
    outputs: tuple[str, ...] = ("mask", "confidence"),
    half: bool = False,
    metadata: Mapping[str, str] | None = None,
) -> ModelProto:
    """The ONNX model of an FCN and its state dict, as arrays by name.

    Its input 'photo' is (height, width, 3) uint8 RGB. `outputs`, any of: 'mask' (height, width) uint8, the class with
    the largest logit, the first of equals; 'confidence' (height, width) float32, that class's softmax probability;
    'logits' (classes, height, width) float32; and `score_map_outputs`. half: 16-bit weights, computed in 32 bits.
    Raises ValueError for weights that do not fit the configuration or are not finite, and for an unknown output.
    """
    known = OUTPUTS + score_map_outputs(config)
    if not outputs or (unknown := [name for name in outputs if name not in known]):
        raise ValueError(f"outputs: {unknown if outputs else 'none'} given; there are {', '.join(known)}")
    network = Network(config, GraphWriter(weights, half=half))
    network.write()
    photo = helper.make_tensor_value_info("photo", TensorProto.UINT8, ["height", "width", 3])
    values = [network.output(name) for name in outputs]
    return network.writer.model(config.variant, [photo], values, metadata or {})


def build_halves(
    config: FCNConfig, weights: Mapping[str, np.ndarray], limits: Mapping[str, float] | None = None
) -> tuple[ModelProto, ModelProto]:
    """The network of `build_graph` in two, so that a photo of any size can pass the first one in tiles.

    The first takes 'image' (1, 3, H', W') float32, a photo normalised and padded, and gives 'features' (1, channels,
    H' / 8, W' / 8) float32; the second takes those and gives `score_map_outputs`. Raises ValueError as `build_graph`.
    limits: the largest values of `activation_names`, with which the convolutions between the first and the scores work
    in 8 bits; those two have few multiplications, and the mask hangs on them. One that is missing raises ValueError.
    """
    writer = GraphWriter(weights, limits=limits)
    network = Network(config, writer)
    writer.node("Identity", "features", network.fine("image"))
    # The last upsampling is left to the engine: here its weights are looked at, and its nodes are no part of a half.
    network.enlarge(network.ladder(network.coarse("features")), "size")
    writer.finish()
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, "rows", "columns"])
    sides = [1, network.channels[FINE_STRIDE], "rows_8", "columns_8"]
    features = helper.make_tensor_value_info("features", TensorProto.FLOAT, sides)
    maps = [network.output(name) for name in score_map_outputs(config)]
    fine = writer.model(f"{config.variant} to stride 8", [image], [features], {})
    return fine, writer.model(f"{config.variant} from stride 8", [features], maps, {})


def build_largest(config: FCNConfig, weights: Mapping[str, np.ndarray]) -> ModelProto:
    """The graph from 'image', as `build_halves` takes it, to 'largest' (n,) float32: of each of `activation_names`."""
    writer = GraphWriter(weights)
    network = Network(config, writer)
    network.coarse(network.fine("image"))
    largest = [writer.node("ReduceMax", f"{name}.largest", name, keepdims=0) for name in writer.activations]
    each = [writer.node("Unsqueeze", f"{name}.vector", name, writer.integers(0)) for name in largest]
    writer.node("Concat", "largest", *each, axis=0)
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, "rows", "columns"])
    output = helper.make_tensor_value_info("largest", TensorProto.FLOAT, [len(each)])
    return writer.model("largest activations", [image], [output], {})


def activation_names(config: FCNConfig) -> tuple[str, ...]:
    """Names of what the convolutions see that can work in 8 bits; none for a ResNet."""
    writer = ShapeWriter()
    Network(config, writer).write()
    return tuple(writer.activations)


def expected_shapes(config: FCNConfig) -> dict[str, tuple[int, ...]]:
    """{tensor name: shape} of the weights that an architecture needs, at no cost in memory."""
    writer = ShapeWriter()
    Network(config, writer).write()
    return writer.shapes


def score_map_outputs(config: FCNConfig) -> tuple[str, ...]:
    """Names of the score maps (classes, height', width') float32 that a graph can give: 'score_32', 'fused_16', ..."""
    strides = [stride for stride in (16, 8) if stride >= OUTPUT_STRIDE[config.variant]]
    return ("score_32", *(f"{kind}_{stride}" for stride in strides for kind in ("score", "fused")))


class Network:
    """The layers of one FCN; `write` adds all of them to `writer`, from the photo to every output."""

    def __init__(self, config: FCNConfig, writer: GraphWriter):
        self.config, self.writer = config, writer
        self.classes, self.paper = len(config.classes), config.padding == "paper"
        self.stride = OUTPUT_STRIDE[config.variant]
        self.channels: dict[int, int] = {}  # of the features, by stride

    def write(self) -> None:
        """Add the whole network. Raises ValueError for weights that do not fit it."""
        writer = self.writer
        shape = writer.node("Shape", "shape", "photo")
        size = writer.node("Slice", "size", shape, writer.integers(0), writer.integers(2))
        scores = self.ladder(self.coarse(self.fine(self.prepare(size))))
        logits = self.enlarge(scores, size)
        self.winner(logits)
        self.without_batch("logits", logits)
        writer.finish()

    def prepare(self, size: str) -> str:
        """Pixels (height, width, 3) uint8 -> (1, 3, H', W') normalised, the mean colour around them."""
        config, writer = self.config, self.writer
        # The photo is RGB; a network of BGR has its first convolution and its constants turned round instead.
        order = slice(None, None, -1 if config.channel_order == "bgr" else 1)
        mean, std = (np.array(values)[order] for values in (config.mean, config.std))
        pixels = writer.node("Cast", "pixels", "photo", to=TensorProto.FLOAT)
        planes = writer.node("Transpose", "planes", pixels, perm=[2, 0, 1])
        image = writer.node("Unsqueeze", "image", planes, writer.integers(0))
        centred = writer.node("Sub", "centred", image, writer.numbers(255 * mean.reshape(1, 3, 1, 1)))
        image = writer.node("Mul", "scaled", centred, writer.numbers(1 / (255 * std.reshape(1, 3, 1, 1))))
        if self.paper:  # the rest of the padding is the first convolution's own
            around = PAPER_PADDING - 1
            return writer.node("Pad", "padded", image, writer.integers(0, 0, around, around, 0, 0, around, around))
        # -(size + phase) % 32, with a remainder of a positive number: of a negative one, runtimes give two answers.
        phase = config.phase
        shifted = writer.node("Add", "size_shifted", size, writer.integers(phase + 31))
        rest = writer.node("Mod", "size_rest", shifted, writer.integers(32))
        after = writer.node("Sub", "padding_after", writer.integers(31), rest)
        before = writer.integers(0, 0, phase, phase, 0, 0)
        return writer.node("Pad", "padded", image, writer.node("Concat", "padding", before, after, axis=0))

    def fine(self, image: str) -> str:
        """The features (1, channels, H' / 8, W' / 8) of a prepared image (1, 3, H', W')."""
        resnet = self.config.backbone in RESNET_BACKBONES
        return (self.resnet(self.stem(image), 0, 2) if resnet else self.vgg(image, 0, 3))[FINE_STRIDE]

    def coarse(self, features: str) -> dict[int, str]:
        """The features (1, channels, H' / stride, W' / stride) by stride, from those at 8; at 32 after a VGG's head."""
        if self.config.backbone in RESNET_BACKBONES:
            return {FINE_STRIDE: features} | self.resnet(features, 2, 4)
        found = {FINE_STRIDE: features} | self.vgg(features, 3, 5)
        return found | {32: self.head(found[32], self.channels[32])}

    def vgg(self, features: str, start: int, stop: int) -> dict[int, str]:
        """The features by stride of these stages of a VGG-16."""
        config, writer, found = self.config, self.writer, {}
        inputs = self.channels.get(2**start, 3)
        normed = config.backbone.endswith("_bn")
        for stage in range(start, stop):
            layer = 0
            for published in VGG16_CHANNELS[stage]:
                channels, first = max(1, round(published * config.width)), stage == layer == 0
                name = f"encoder.stages.{stage}.{layer}"
                features = writer.convolution(
                    name,
                    features,
                    (channels, inputs, 3, 3),
                    norm=f"encoder.stages.{stage}.{layer + 1}" if normed else None,
                    padding=1,
                    flip=first and config.channel_order == "bgr",
                    exact=first,
                )
                features = writer.activation(f"{name}.relu", features)
                inputs, layer = channels, layer + (3 if normed else 2)
            pool = {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": int(self.paper)}
            features = writer.node("MaxPool", f"encoder.stages.{stage}.pool", features, **pool)
            found[2 ** (stage + 1)], self.channels[2 ** (stage + 1)] = features, inputs
        return found

    def head(self, features: str, inputs: int) -> str:
        """fc6 and fc7 of a VGG."""
        config, writer = self.config, self.writer
        kernel, channels = config.head_kernel, config.head_channels
        padding = 0 if self.paper else kernel // 2
        for name, norm, shape in (
            ("head.fc6", "head.norm6", (channels, inputs, kernel, kernel)),
            ("head.fc7", "head.norm7", (channels, channels, 1, 1)),
        ):
            norm = norm if config.head_batch_norm else None
            features = writer.convolution(name, features, shape, norm=norm, padding=padding, exact=False)
            padding = 0
            if name == "head.fc6":
                features = writer.activation(f"{name}.relu", features)
            else:  # what follows is the scores, which see it as it is
                features = writer.node("Relu", f"{name}.relu", features)
        self.channels[32] = channels
        return features

    def stem(self, features: str) -> str:
        """What a ResNet of torchvision does before its blocks, down to stride 4."""
        writer = self.writer
        stem = {"norm": "encoder.stages.0.1", "bias": False, "padding": 3, "stride": 2}
        flip = self.config.channel_order == "bgr"
        features = writer.convolution("encoder.stages.0.0", features, (64, 3, 7, 7), **stem, flip=flip)
        features = writer.node("Relu", "encoder.stages.0.relu", features)
        pool = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1] * 4}
        return writer.node("MaxPool", "encoder.stages.0.pool", features, **pool)

    def resnet(self, features: str, start: int, stop: int) -> dict[int, str]:
        """The features by stride of these layers of a ResNet of torchvision, 0 to 3."""
        found, inputs = {}, self.channels.get(2 * 2**start, 64)
        for stage in range(start, stop):
            width = RESNET_WIDTHS[stage]
            for block in range(RESNET_BLOCKS[self.config.backbone][stage]):
                name = f"encoder.stages.{stage}.{block + (4 if stage == 0 else 0)}"
                stride = 2 if stage and not block else 1
                features, inputs = self.block(name, features, inputs, width, stride)
            found[4 * 2**stage], self.channels[4 * 2**stage] = features, inputs
        return found

    def block(self, name: str, features: str, inputs: int, width: int, stride: int) -> tuple[str, int]:
        """One residual block; returns its features and how many channels they have."""
        writer, before = self.writer, features
        bottleneck = self.config.backbone in RESNET_BOTTLENECKS
        channels = 4 * width if bottleneck else width
        # (outputs, kernel, stride): torchvision's bottleneck strides in its 3x3 convolution.
        plan = (
            [(width, 1, 1), (width, 3, stride), (channels, 1, 1)] if bottleneck else [(width, 3, stride), (width, 3, 1)]
        )
        taken = inputs
        for index, (outputs, kernel, step) in enumerate(plan, 1):
            geometry = {"padding": kernel // 2, "stride": step, "bias": False, "norm": f"{name}.bn{index}"}
            features = writer.convolution(f"{name}.conv{index}", features, (outputs, taken, kernel, kernel), **geometry)
            if index < len(plan):
                features = writer.node("Relu", f"{name}.relu{index}", features)
            taken = outputs
        if stride != 1 or inputs != channels:
            geometry = {"stride": stride, "bias": False, "norm": f"{name}.downsample.1"}
            before = writer.convolution(f"{name}.downsample.0", before, (channels, inputs, 1, 1), **geometry)
        features = writer.node("Add", f"{name}.sum", features, before)
        return writer.node("Relu", f"{name}.relu", features), channels

    def ladder(self, features: dict[int, str]) -> str:
        """The score maps, coarse to fine; returns the last one, (1, classes, h, w)."""
        config, writer = self.config, self.writer
        scores = self.score(32, features[32])
        for stride in (stride for stride in (16, 8) if stride >= self.stride):
            skip = features[stride]
            if config.pool_scaling:
                skip = writer.node("Mul", f"scaled_{stride}", skip, writer.numbers([ATONCE_SCALE[stride]]))
            skip = self.score(stride, skip, out=not self.paper)
            name = f"upsample.{2 * stride}"
            upsampled, margin = self.upsample(name, scores, 2, learned=config.upsampling != "fixed")
            if margin:
                starts, ends, axes = writer.integers(margin, margin), writer.integers(-margin, -margin), (2, 3)
                upsampled = writer.node("Slice", f"{name}.cropped", upsampled, starts, ends, writer.integers(*axes))
            if self.paper:
                size = writer.node(
                    "Slice", f"{name}.size", writer.node("Shape", f"{name}.shape", upsampled), *self.last_two()
                )
                skip = self.crop(f"scores_{stride}.cropped", skip, PAPER_SKIP_OFFSET[stride], size)
                self.without_batch(f"score_{stride}", skip)
            scores = writer.node("Add", f"fused.{stride}", upsampled, skip)
            self.without_batch(f"fused_{stride}", scores)
        return scores

    def score(self, stride: int, features: str, *, out: bool = True) -> str:
        """The 1x1 convolution at a stride, (1, classes, h, w); an output of the graph if `out`."""
        shape = self.classes, self.channels[stride], 1, 1
        scores = self.writer.convolution(f"score.{stride}", features, shape)
        if out:
            self.without_batch(f"score_{stride}", scores)
        return scores

    def upsample(self, name: str, scores: str, factor: int, *, learned: bool) -> tuple[str, int]:
        """Scores enlarged by `factor`, and how many pixels on every side of them are to be cut off.

        Equal to `zoo.models.fcn.Upsampling`. Fixed interpolation is a resize and never a transposed convolution.
        """
        writer = self.writer
        if learned:
            weight = writer.take(f"{name}.weight", (self.classes, self.classes, 2 * factor, 2 * factor))
            weight = writer.parameter(f"{name}.weight", weight)
            if not self.paper:
                scores = writer.node(
                    "Pad", f"{name}.edges", scores, writer.integers(0, 0, 1, 1, 0, 0, 1, 1), mode="edge"
                )
            enlarged = writer.node("ConvTranspose", name, scores, weight, strides=[factor] * 2)
            # Cropped afterwards: some converters have no transposed convolution with padding.
            return enlarged, 0 if self.paper else factor + factor // 2
        if self.paper:  # what lies beyond the border counts as zero
            scores = writer.node("Pad", f"{name}.border", scores, writer.integers(0, 0, 1, 1, 0, 0, 1, 1))
        scales = writer.numbers([1, 1, factor, factor])
        kind = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
        return writer.node("Resize", name, scores, "", scales, **kind), factor // 2 if self.paper else 0

    def enlarge(self, scores: str, size: str) -> str:
        """The logits (1, classes, height, width) from the last of the score maps."""
        learned = self.config.upsampling == "learned"
        enlarged, margin = self.upsample("upsample_output", scores, self.stride, learned=learned)
        offset = PAPER_OUTPUT_OFFSET[self.stride] if self.paper else self.config.phase
        return self.crop("cropped", enlarged, offset + margin, size)

    def crop(self, name: str, values: str, offset: int, size: str) -> str:
        """`values` (1, channels, h, w) from `offset` on, as high and wide as `size` (2,) says."""
        writer = self.writer
        ends = writer.node("Add", f"{name}.ends", size, writer.integers(offset))
        return writer.node("Slice", name, values, writer.integers(offset, offset), ends, writer.integers(2, 3))

    def last_two(self) -> tuple[str, str]:
        """Start and end of the sides in a shape (1, channels, h, w)."""
        return self.writer.integers(2), self.writer.integers(4)

    def winner(self, logits: str) -> None:
        """Add 'mask' and 'confidence' of the logits (1, classes, height, width)."""
        writer = self.writer
        best = writer.node("ReduceMax", "best", logits, axes=[1], keepdims=1)
        index = writer.node("ArgMax", "index", logits, axis=1, keepdims=0)
        self.without_batch("mask", writer.node("Cast", "index_uint8", index, to=TensorProto.UINT8))
        powers = writer.node("Exp", "powers", writer.node("Sub", "below_best", logits, best))
        total = writer.node("ReduceSum", "total", powers, writer.integers(1), keepdims=0)
        self.without_batch("confidence", writer.node("Reciprocal", "probability", total))

    def without_batch(self, name: str, values: str) -> None:
        """Add the output `name`: `values` (1, ...) without their first side."""
        self.writer.node("Squeeze", name, values, self.writer.integers(0))

    def output(self, name: str) -> ValueInfoProto:
        """The declaration of one output."""
        if name in ("mask", "confidence"):
            kind = TensorProto.UINT8 if name == "mask" else TensorProto.FLOAT
            return helper.make_tensor_value_info(name, kind, ["height", "width"])
        sides = ["height", "width"] if name == "logits" else [f"{name}_rows", f"{name}_columns"]
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, [self.classes, *sides])
