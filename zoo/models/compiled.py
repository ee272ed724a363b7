"""An FCN compiled for this processor by OpenVINO, without torch: what runs where there is no GPU.

The network is the portable graph of `zoo.models.graph` up to the last score map: in float32, in bfloat16 where the
processor multiplies it natively, or in 8 bits where that is asked for and the checkpoint has ranges for it. A large
photo passes the stages at full detail in tiles.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING, cast

import numpy as np

from zoo.config import VGG_BACKBONES, FCNConfig
from zoo.models import tiles
from zoo.models.architecture import FINE_STRIDE, PAPER_PADDING
from zoo.models.domain import Domain
from zoo.models.engine import Engine
from zoo.models.labelling import Ladder
from zoo.models.ranges import MEASURE, Ranges

if TYPE_CHECKING:
    from openvino import CompiledModel, Core

HINTS = {"fp32": "f32", "bf16": "bf16"}


@cache
def is_available() -> bool:
    """Whether the libraries are installed that write and compile a network."""
    return all(find_spec(name) for name in ("openvino", "onnx"))


def openvino() -> ModuleType:
    """The library, without the part that would tell its maker of every import, and keep an identifier to tell it by.

    OpenVINO does without that part where it is not installed.
    """
    sys.modules.setdefault("openvino_telemetry", cast("ModuleType", None))  # importing it fails from now on
    import openvino

    return openvino


@cache
def runtime() -> Core:
    """What compiles networks, once in a process."""
    return openvino().Core()


@cache
def multiplies_bfloat16() -> bool:
    """Whether OpenVINO multiplies bfloat16 natively on this processor, and oneDNN lets it (ONEDNN_MAX_CPU_ISA)."""
    if "BF16" not in runtime().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        return False
    try:  # the property tells of the processor alone, and compiling ends in an error where oneDNN may not use it whole
        compile_graph(pooled_convolution(), {"INFERENCE_PRECISION_HINT": HINTS["bf16"]})
    except RuntimeError:
        return False
    return True


def pooled_convolution() -> bytes:
    """The smallest ONNX graph with the layers of an encoder: a convolution and a max pool."""
    from onnx import TensorProto, helper

    from zoo.models.graph.writer import IR_VERSION, OPSET

    sides = [helper.make_tensor_value_info(*facts) for facts in (("x", 1, (1, 3, 16, 16)), ("y", 1, (1, 16, 8, 8)))]
    weight = helper.make_tensor("w", TensorProto.FLOAT, (16, 3, 3, 3), np.ones(432, np.float32).tobytes(), raw=True)
    convolution = helper.make_node("Conv", ["x", "w"], ["c"], pads=[1] * 4)
    pool = helper.make_node("MaxPool", ["c"], ["y"], kernel_shape=[2, 2], strides=[2, 2])
    graph = helper.make_graph([convolution, pool], "pooled", sides[:1], sides[1:], [weight])
    versions = {"opset_imports": [helper.make_opsetid("", OPSET)], "ir_version": IR_VERSION}
    return helper.make_model(graph, **versions).SerializeToString()


def can_run(precision: str) -> bool:
    """Whether a network can be compiled here that works in 'fp32', 'bf16' or 'int8'."""
    return is_available() and (precision != "bf16" or multiplies_bfloat16())


class CompiledEngine(Engine):
    """An FCN with the weights of a state dict as arrays, at one precision ('fp32', 'bf16' or 'int8', see `can_run`).

    Threads may share it: their passes through the network come one after the other. threads: 0 leaves their number to
    the library. ranges: of these weights, which 'int8' needs. Raises ValueError for weights that do not fit the
    configuration or are not finite, and for 'int8' without their ranges.
    """

    config: FCNConfig

    def __init__(
        self,
        config: FCNConfig,
        weights: Mapping[str, np.ndarray],
        precision: str,
        *,
        threads: int = 0,
        working_size: int | None = None,
        domain: Domain | None = None,
        ranges: Ranges | None = None,
    ):
        from zoo.models.graph import build_halves

        self.config, self.precision, self.working_size, self.domain = config, precision, working_size, domain
        self.output, self.margin = Ladder(config, weights, threads), tiles.fine_margin(config)
        self.nbytes = sum(value.size for value in weights.values()) * np.dtype(np.float32).itemsize
        limits, exact = None, precision
        if precision == "int8":  # what stays in floating point, first convolution and scores, is as it would be
            limits = checked_limits(config, weights, ranges)
            exact = "bf16" if multiplies_bfloat16() else "fp32"
        options = {"INFERENCE_PRECISION_HINT": HINTS[exact], "PERFORMANCE_HINT": "LATENCY"}
        options |= {"INFERENCE_NUM_THREADS": threads} if threads else {}
        halves = build_halves(config, weights, limits)
        self.fine, self.coarse = (compile_graph(half.SerializeToString(), options) for half in halves)
        self.alone = threading.Lock()  # each half has one infer request, which refuses a second pass and reuses memory

    def to(self, device: str) -> CompiledEngine:
        """This engine: it runs on the processor whatever else there is."""
        return self

    def features(self, pixels: np.ndarray) -> np.ndarray:
        """Features (1, channels, h, w) float32 at stride 8 of (H, W, 3) uint8 pixels."""
        image = self.prepare(pixels)
        if image.shape[-2] * image.shape[-1] <= tiles.TILE_PIXELS:
            return self.see(image)
        return tiles.features_in_tiles(self.see, image, self.margin, empty)

    def see(self, image: np.ndarray) -> np.ndarray:
        """Features of a prepared image, or a tile of one."""
        image = np.ascontiguousarray(image)
        with self.alone:
            return self.fine(image)[0]  # a copy: the next pass writes where this one's output is

    def prepare(self, pixels: np.ndarray) -> np.ndarray:
        """(H, W, 3) uint8 -> what the encoder takes: (1, 3, H', W') float32, normalised, the mean colour around it."""
        config, (height, width) = self.config, pixels.shape[:2]
        if config.padding == "paper":  # the rest is the first convolution's own
            before = after = (PAPER_PADDING - 1,) * 2
        else:
            before, after = (config.phase,) * 2, (-(height + config.phase) % 32, -(width + config.phase) % 32)
        image = np.zeros((1, 3, before[0] + height + after[0], before[1] + width + after[1]), np.float32)
        # The graph takes RGB also where the network was trained on BGR, in which its constants are.
        order = slice(None, None, -1 if config.channel_order == "bgr" else 1)
        for channel, (mean, std) in enumerate(zip(config.mean[order], config.std[order], strict=True)):
            inside = image[0, channel, before[0] : before[0] + height, before[1] : before[1] + width]
            np.subtract(pixels[..., channel], np.float32(255 * mean), out=inside)
            np.multiply(inside, np.float32(1 / (255 * std)), out=inside)
        return image

    def maps(self, features: np.ndarray) -> list[tuple[str, np.ndarray]]:
        """`FCN.score_maps` of the features at stride 8."""
        with self.alone:
            found = self.coarse(features)
            maps = [(output.get_any_name().replace("_", " "), found[output].copy()) for output in self.coarse.outputs]
            if features.shape[-2] * features.shape[-1] * FINE_STRIDE**2 > tiles.TILE_PIXELS:
                self.release()  # or each half would keep what its largest photo needed
        return maps

    def rest(self) -> None:
        """Give back the memory that passes need and weights do not; the next pass takes it again."""
        with self.alone:
            self.release()

    def release(self) -> None:
        """As `rest`, for whoever holds `alone`."""
        for half in (self.fine, self.coarse):
            half.release_memory()

    def descriptor(self, features: np.ndarray) -> np.ndarray:
        """(channels,) float32: the logarithm of each channel's standard deviation over the photo, plus one."""
        return np.log1p(features[0].reshape(features.shape[1], -1).std(1))


def checked_limits(config: FCNConfig, weights: Mapping[str, np.ndarray], ranges: Ranges | None) -> dict[str, float]:
    """The limits in `ranges`. Raises ValueError where there are none, or those of other weights, and for a ResNet."""
    if config.backbone not in VGG_BACKBONES:
        raise ValueError(f"a {config.backbone} cannot work in 8 bits, only a VGG; choose another precision")
    if ranges is None:
        raise ValueError(f"the checkpoint has no ranges, without which it cannot work in 8 bits; {MEASURE}")
    ranges.check(weights)
    return ranges.limits


def compile_graph(graph: bytes, options: dict) -> CompiledModel:
    """An ONNX graph ready to run on the processor."""
    return runtime().compile_model(runtime().read_model(model=graph), "CPU", options)


def empty(like: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Room for features of these sides, of the kind and the channels of `like`."""
    return np.empty((*like.shape[:2], *size), like.dtype)
