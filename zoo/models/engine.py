"""What every engine gives, whatever runs its network: from pixels to score maps.

`CompiledEngine` (`zoo.models.compiled`) runs FCNs on a processor, without torch; `TorchEngine` and `FCNEngine`
(`zoo.models.torch_engine`) run them on GPUs, and other networks anywhere. `zoo.models.preparation` chooses.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from zoo.models.domain import Domain
from zoo.models.labelling import Output


class Engine(ABC):
    """A network made ready for photos.

    precision: 'fp32', 'bf16' or 'int8', in which it works; output: how its scores become masks.
    working_size: of its checkpoint, see `zoo.working_size`; domain: what it was trained on, see `zoo.models.domain`;
    None for a network without. nbytes: of its weights.
    """

    precision: str
    output: Output
    working_size: int | None
    domain: Domain | None
    nbytes: int

    @abstractmethod
    def to(self, device: str) -> Engine:
        """This engine on another device, 'cpu' or 'cuda', if it can move."""

    @abstractmethod
    def features(self, pixels: np.ndarray) -> Any:
        """What `maps` and `descriptor` start from, for (H, W, 3) uint8 pixels; of an FCN the features at stride 8."""

    @abstractmethod
    def maps(self, features: Any) -> list[tuple[str, np.ndarray]]:
        """Names and maps (C, h, w) float32 of what the network says, the last one last: see `FCN.score_maps`."""

    @abstractmethod
    def descriptor(self, features: Any) -> np.ndarray:
        """(channels,) float32: the logarithm of each channel's standard deviation over the photo, plus one."""

    @abstractmethod
    def rest(self) -> None:
        """Give back the memory that passes need and weights do not; the next pass takes it again."""

    def score_maps(self, pixels: np.ndarray) -> list[tuple[str, np.ndarray]]:
        """`maps` of (H, W, 3) uint8 pixels."""
        return self.maps(self.features(pixels))
