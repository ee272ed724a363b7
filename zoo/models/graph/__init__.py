"""The one portable graph: an FCN as an ONNX model, written straight from its configuration and its weights."""

from zoo.models.graph.network import (
    OUTPUTS,
    activation_names,
    build_graph,
    build_halves,
    build_largest,
    expected_shapes,
    score_map_outputs,
)

__all__ = [
    "OUTPUTS",
    "activation_names",
    "build_graph",
    "build_halves",
    "build_largest",
    "expected_shapes",
    "score_map_outputs",
]
