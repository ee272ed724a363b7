"""Writing an ONNX graph node by node: what every operator of `zoo.models.graph.network` is made of.

A value has the name of the node that makes it. Every tensor of the weights is taken once, at the shape that the
architecture says, so that a graph of weights that do not fit it cannot be written.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike
from onnx import ModelProto, TensorProto, helper, numpy_helper

# Old enough for every runtime in use, new enough for what the graph needs (Pad and ReduceSum with computed inputs).
OPSET, IR_VERSION = 17, 8
LARGEST_WEIGHT, LARGEST_ACTIVATION = 127, 255  # in 8 bits: weights have a sign, what a Relu gives has none
BATCH_NORM_EPSILON = 1e-5  # torch's, with which the networks are trained


class GraphWriter:
    """An ONNX graph under construction, over the tensors `weights` of a state dict.

    half: store the tensors of layers in 16 bits; they are widened before use, so that every runtime can run them.
    limits: {name of an activation: its largest value}, with which convolutions work in 8 bits; None: none does.
    """

    def __init__(
        self, weights: Mapping[str, np.ndarray], *, half: bool = False, limits: Mapping[str, float] | None = None
    ):
        self.weights, self.half, self.limits = dict(weights), half, limits
        self.activations: list[str] = []  # those of which `limits` must tell
        self.nodes, self.initializers = [], []
        self._constants: dict[tuple, str] = {}

    def node(self, operator: str, name: str, *inputs: str, **attributes) -> str:
        """Add one node with one output; returns the output's name, which is `name`."""
        self.nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))
        return name

    def integers(self, *values: int) -> str:
        """Name of a constant (n,) int64; equal ones are stored once."""
        return self._constant(np.array(values, np.int64))

    def numbers(self, values: ArrayLike) -> str:
        """Name of a float32 constant; equal ones are stored once."""
        return self._constant(np.array(values, np.float32))

    def _constant(self, value: np.ndarray) -> str:
        key = value.dtype.str, value.shape, value.tobytes()
        if key not in self._constants:
            self._constants[key] = f"constant_{len(self._constants)}"
            self.initializers.append(numpy_helper.from_array(value, self._constants[key]))
        return self._constants[key]

    def take(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        """The tensor `name` as float32, once.

        Raises ValueError for a tensor that is missing, of another shape or with numbers that are not finite.
        """
        if name not in self.weights:
            raise ValueError(f"the weights have no tensor {name}")
        value = np.asarray(self.weights.pop(name), np.float32)
        if value.shape != shape:
            raise ValueError(f"the tensor {name} is {value.shape}, this architecture needs {shape}")
        if not np.isfinite(value).all():
            raise ValueError(f"the tensor {name} has numbers that are not finite; the checkpoint is unusable")
        return value

    def finish(self) -> None:
        """Raise ValueError naming a tensor that the network has not taken."""
        if self.weights:
            raise ValueError(f"the weights have a tensor that this architecture does not: {min(self.weights)}")

    def parameter(self, name: str, value: np.ndarray) -> str:
        """Store a layer's tensor (float32, in 16 bits if `half`); returns the name under which it is float32."""
        if not self.half:
            self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(value, np.float32), name))
            return name
        limit = np.finfo(np.float16).max
        if np.abs(value).max(initial=0) > limit:
            raise ValueError(f"{name} has numbers beyond {limit:.0f}, which 16 bits cannot hold; store 32")
        self.initializers.append(numpy_helper.from_array(value.astype(np.float16), f"{name}.half"))
        return self.node("Cast", name, f"{name}.half", to=TensorProto.FLOAT)

    def convolution(
        self,
        name: str,
        features: str,
        shape: tuple[int, ...],
        *,
        norm: str | None = None,
        bias: bool = True,
        padding: int = 0,
        stride: int = 1,
        flip: bool = False,
        exact: bool = True,
    ) -> str:
        """A convolution with the state dict's `name`.weight of `shape` (outputs, inputs, k, k), batch norm folded in.

        norm: name of the batch norm that follows it. flip: turn the order of the input's channels. exact: its weights
        are not rounded to 8 bits where the graph has `limits`.
        """
        weight = self.take(f"{name}.weight", shape)
        offset = self.take(f"{name}.bias", weight.shape[:1]) if bias else np.zeros(len(weight), np.float32)
        if norm is not None:
            weight, offset = self._fold(norm, weight, offset)
        weight = weight[:, ::-1] if flip else weight
        store = self.parameter if exact or self.limits is None else self.rounded
        parameters = store(f"{name}.weight", weight), self.parameter(f"{name}.bias", offset)
        geometry = {"kernel_shape": weight.shape[2:], "pads": [padding] * 4, "strides": [stride] * 2}
        return self.node("Conv", name, features, *parameters, **geometry)

    def rounded(self, name: str, weight: np.ndarray) -> str:
        """Store a convolution's weight (outputs, inputs, k, k) in 8 bits, each output with a scale of its own.

        Returns the name under which it is float32.
        """
        largest = np.abs(weight).reshape(len(weight), -1).max(1)
        scale = np.where(largest > 0, largest, 1).astype(np.float32) / LARGEST_WEIGHT
        stored = np.rint(weight / scale.reshape(-1, 1, 1, 1)).astype(np.int8)
        self.initializers += [
            numpy_helper.from_array(stored, f"{name}.int8"),
            numpy_helper.from_array(scale, f"{name}.scale"),
        ]
        return self.node("DequantizeLinear", name, f"{name}.int8", f"{name}.scale", axis=0)

    def activation(self, name: str, features: str) -> str:
        """A Relu of what a convolution in 8 bits sees: in steps of 1/255 of its limit where the graph has `limits`.

        Raises ValueError for a limit that is missing.
        """
        self.activations.append(name)
        features = self.node("Relu", name, features)
        if self.limits is None:
            return features
        if name not in self.limits:
            raise ValueError(f"the ranges have none for {name}; measure them again")
        scale = self.numbers((self.limits[name] or 1) / LARGEST_ACTIVATION)  # a layer may give nothing but zeros
        zero = self._constant(np.array(0, np.uint8))
        stored = self.node("QuantizeLinear", f"{name}.uint8", features, scale, zero)
        return self.node("DequantizeLinear", f"{name}.stepped", stored, scale, zero)

    def _fold(self, norm: str, weight: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The convolution's weight and bias with the batch norm `norm` behind it taken in."""
        channels = weight.shape[:1]
        gamma, beta, mean, variance = (
            self.take(f"{norm}.{part}", channels).astype(np.float64)
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        self.take(f"{norm}.num_batches_tracked", ())
        factor = gamma / np.sqrt(variance + BATCH_NORM_EPSILON)
        bias = (bias - mean) * factor + beta
        return weight * factor.astype(np.float32).reshape(-1, 1, 1, 1), bias.astype(np.float32)

    def model(self, name: str, inputs: list, outputs: list, metadata: Mapping[str, str]) -> ModelProto:
        """The ONNX model of what lies between these inputs and these outputs, of all that was added."""
        needed, given = {output.name for output in outputs}, {value.name for value in inputs}
        nodes = []
        for node in reversed(self.nodes):
            if node.output[0] in needed - given:
                nodes.insert(0, node)
                needed.update(node.input)
        initializers = [tensor for tensor in self.initializers if tensor.name in needed]
        graph = helper.make_graph(nodes, name, inputs, outputs, initializers)
        opset = helper.make_opsetid("", OPSET)
        model = helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION, producer_name="fcn-zoo")
        helper.set_model_props(model, dict(metadata))
        return model


class ShapeWriter(GraphWriter):
    """A writer that has no weights and makes no graph: it notes in `shapes` which tensors are asked for."""

    def __init__(self):
        super().__init__({})
        self.shapes: dict[str, tuple[int, ...]] = {}

    def take(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        """Note the tensor; gives zeros of its shape that take no memory."""
        self.shapes[name] = shape
        return np.broadcast_to(np.float32(0), shape)

    def parameter(self, name: str, value: np.ndarray) -> str:
        """Stores nothing."""
        return name

    def _fold(self, norm: str, weight: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        for part in ("weight", "bias", "running_mean", "running_var"):
            self.take(f"{norm}.{part}", weight.shape[:1])
        self.take(f"{norm}.num_batches_tracked", ())
        return weight, bias
