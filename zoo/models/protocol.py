"""What every network of the zoo has in common, whichever library it comes from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import torch

    from zoo.config import BaselineConfig, FCNConfig


class Network(Protocol):
    """An `FCN`, or a `BaselineNetwork` of another library: images in, logits out.

    info: the CheckpointInfo of the folder that it was loaded from; domain: what its training photos looked like, see
    `zoo.models.domain`, ranges: what it needs to work in 8 bits, `zoo.models.ranges`; None where that is not known.
    """

    info: Any
    domain: Any
    ranges: Any

    @property
    def config(self) -> FCNConfig | BaselineConfig:
        """The architecture."""
        ...

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """(N, 3, H, W) float RGB in [0, 1] -> logits (N, C, H, W)."""
        ...

    def parameters(self) -> Iterator[torch.nn.Parameter]:
        """The weights that a training changes."""
        ...

    def state_dict(self) -> dict[str, torch.Tensor]:
        """The weights by name, as they are saved."""
        ...
