"""How checkpoints are called where people choose and compare them: variant and loss first, the rest below.

The name of a checkpoint is exact but long; on a card or in a table heading, the variant and the loss are what people
look for. Losses are given as the literature abbreviates them, the same in every language.
"""

from dataclasses import dataclass

from zoo.checkpoints.information import CheckpointInfo
from zoo.config import VARIANTS

VARIANT_TITLES = {
    "fcn": "FCN",
    "deeplabv3": "DeepLabV3",
    "lraspp": "LR-ASPP",
    "unet": "U-Net",
    "deeplabv3plus": "DeepLabV3+",
}
# In the order in which they are shown; 'w' is with class weights.
LOSSES = {"ce": "CE", "wce": "Weighted CE", "focal": "Focal", "wfocal": "Weighted focal", "dice": "Dice"}


def variant_title(variant: str) -> str:
    """'FCN-8s' for 'fcn8s', 'U-Net' for 'unet'."""
    return VARIANT_TITLES.get(variant) or f"FCN-{variant.removeprefix('fcn')}"


def loss_title(loss: str) -> str:
    """'Focal' for 'focal', 'CE + Dice' for the sum 'ce+dice'; a loss of another name as it is."""
    return " + ".join(LOSSES.get(part, part) for part in loss.split("+"))


def title(info: CheckpointInfo) -> str:
    """'FCN-8s · Focal'."""
    return f"{variant_title(info.variant)} · {loss_title(info.loss)}"


def subtitle(info: CheckpointInfo) -> str:
    """What tells checkpoints of one title apart: backbone and dataset; on the Hub repository and revision too."""
    parts = [info.backbone_label, info.trained_on]
    if info.source == "torchvision":
        parts += [info.source, f"{info.file_bytes / 1e6:.0f} MB"]
    if info.source == "hub":
        parts.append(f"{info.location}@{(info.revision or '')[:7]}")
    return " · ".join(parts)


def loss_rank(loss: str) -> tuple[int, str]:
    """Sorts losses as `LOSSES` does, others behind them by name."""
    known = list(LOSSES)
    return (known.index(loss) if loss in known else len(known)), loss


def rank(info: CheckpointInfo) -> tuple:
    """Sorts checkpoints by dataset, backbone, variant from coarse to fine, and loss; torchvision's come last."""
    variants = (*VARIANTS, *VARIANT_TITLES)
    place = info.dataset, info.backbone_label, variants.index(info.variant), loss_rank(info.loss), info.location
    return info.source == "torchvision", *place


@dataclass(frozen=True)
class Grid:
    """Checkpoints of one backbone and dataset by variant (rows) and loss (columns); a cell may be empty."""

    variants: tuple[str, ...]
    losses: tuple[str, ...]
    cells: dict[tuple[str, str], CheckpointInfo]

    @property
    def complete(self) -> bool:
        """Whether every variant has every loss."""
        return len(self.cells) == len(self.variants) * len(self.losses)


def arrange(infos: list[CheckpointInfo]) -> Grid | None:
    """The grid of these checkpoints; None where they make no table: one row or column, or two of one kind."""
    cells = {(info.variant, info.loss): info for info in infos}
    variants = tuple(variant for variant in VARIANTS if any(variant == row for row, _ in cells))
    losses = tuple(sorted({loss for _, loss in cells}, key=loss_rank))
    alike = len({(info.backbone_label, info.dataset) for info in infos}) == 1
    if not alike or len(cells) != len(infos) or min(len(variants), len(losses)) < 2:
        return None
    return Grid(variants, losses, cells)
