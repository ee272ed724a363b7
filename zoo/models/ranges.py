"""How large a network's activations become: what it needs to work in 8 bits, measured on photos like those it will see.

A range belongs to the weights it was measured with; those of other weights would cut values off, so they are refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from zoo.config import FCNConfig

MEASURE = "measure them: python -m zoo ranges CHECKPOINT --photos DIR"


@dataclass(frozen=True)
class Ranges:
    """limits: {activation: its largest value, the mean over photos}; photos: how many; weights: `weights_digest`."""

    limits: dict[str, float]
    photos: int
    weights: str

    def check(self, weights: Mapping[str, np.ndarray]) -> None:
        """Raise ValueError where these are the ranges of other weights."""
        if self.weights != weights_digest(weights):
            raise ValueError(f"the ranges for 8 bits are those of other weights; {MEASURE}")


def weights_digest(weights: Mapping[str, np.ndarray]) -> str:
    """sha256 of the tensors of a state dict as float32, whatever files and types they were stored in."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        value = np.ascontiguousarray(weights[name], np.float32)
        digest.update(f"{name} {value.shape}\n".encode() + value.tobytes())
    return digest.hexdigest()


def measure_ranges(config: FCNConfig, weights: Mapping[str, np.ndarray], photos: Iterable[np.ndarray]) -> Ranges:
    """The ranges of a state dict on (H, W, 3) uint8 photos, each at the size at which the network will see it.

    The mean over photos of the largest value, not the largest of all: one glaring spot would make every step coarse.
    Raises ValueError for a network that cannot work in 8 bits, for no photos, and as `build_halves`.
    """
    from zoo.models.compiled import HINTS, CompiledEngine, compile_graph
    from zoo.models.graph import activation_names, build_largest

    names = activation_names(config)
    if not names:
        raise ValueError(f"8 bits are for a VGG; a {config.backbone} has no ranges")
    engine = CompiledEngine(config, weights, "fp32")
    graph = compile_graph(
        build_largest(config, weights).SerializeToString(), {"INFERENCE_PRECISION_HINT": HINTS["fp32"]}
    )
    found = [graph(engine.prepare(photo))[0].copy() for photo in photos]
    if not found:
        raise ValueError("photos are needed to measure ranges, and there are none")
    means = np.stack(found).mean(0, dtype=np.float64).tolist()
    limits = {name: float(f"{mean:.6g}") for name, mean in zip(names, means, strict=True)}
    return Ranges(limits, len(found), weights_digest(weights))
