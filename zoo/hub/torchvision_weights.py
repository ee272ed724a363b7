"""Published networks of torchvision beside the FCNs: what they are called, what they weigh, and their download.

They are named `torchvision:fcn_resnet50` and so on, have PASCAL VOC's classes, and were trained on the images of COCO
that show them. Nothing is downloaded before one is used; the file then comes from torchvision's own address into
torchvision's own folder and is checked by the sha256 in its name.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.atomic import replacing
from zoo.checkpoints.folder import file_sha256, weightless
from zoo.checkpoints.information import CheckpointError, CheckpointInfo
from zoo.checkpoints.libraries import check_library
from zoo.config import BaselineConfig
from zoo.hub.background import Locks
from zoo.hub.requests import HubError, Watch, stream, within
from zoo.hub.settings import HubSettings
from zoo.labels import PASCAL_VOC
from zoo.text import Message

if TYPE_CHECKING:
    from zoo.models.other_libraries import BaselineNetwork

PREFIX = "torchvision:"
WEIGHTS = "COCO_WITH_VOC_LABELS_V1"
ADDRESS = "https://download.pytorch.org/models/"
WORKING_SIZE = 693  # the long side of a 4:3 photo whose short side is the recipe's 520
RECIPES = "https://github.com/pytorch/vision/tree/main/references/segmentation"


@dataclass(frozen=True)
class Baseline:
    """One published network. file: its name at `ADDRESS`, which ends in the first eight digits of its sha256."""

    variant: str
    backbone: str
    file: str
    megabytes: float
    parameters: int

    @property
    def sha256_start(self) -> str:
        """The first eight hexadecimal digits of the file's SHA-256."""
        return self.file.rpartition("-")[2].removesuffix(".pth")


# As in torchvision.models.get_model_weights(NAME).DEFAULT.
TORCHVISION = {
    "fcn_resnet50": Baseline("fcn", "resnet50", "fcn_resnet50_coco-1167a1af.pth", 135.009, 35_322_218),
    "fcn_resnet101": Baseline("fcn", "resnet101", "fcn_resnet101_coco-7ecb50ca.pth", 207.711, 54_314_346),
    "deeplabv3_resnet50": Baseline(
        "deeplabv3", "resnet50", "deeplabv3_resnet50_coco-cd0a2569.pth", 160.515, 42_004_074
    ),
    "lraspp_mobilenet_v3_large": Baseline(
        "lraspp", "mobilenet_v3_large", "lraspp_mobilenet_v3_large-d234d4ea.pth", 12.49, 3_221_538
    ),
}
_locks = Locks()


def is_baseline(name: str) -> bool:
    """Whether `name` has the form 'torchvision:NAME'."""
    return name.startswith(PREFIX)


def find_baseline(name: str) -> Baseline:
    """The baseline called 'torchvision:NAME'; raises CheckpointError with the names there are."""
    found = TORCHVISION.get(name.removeprefix(PREFIX))
    if found is None:
        names = ", ".join(PREFIX + known for known in TORCHVISION)
        raise CheckpointError(Message("checkpoint_unknown", name=repr(name), names=names))
    return found


def baseline_info(name: str) -> CheckpointInfo:
    """The CheckpointInfo of 'torchvision:NAME'. `sha256` has only the digits that the file's name tells."""
    baseline = find_baseline(name)
    return CheckpointInfo(
        name=name,
        source="torchvision",
        location=name,
        revision=WEIGHTS,
        config=BaselineConfig("torchvision", baseline.variant, baseline.backbone, PASCAL_VOC.classes),
        labels=PASCAL_VOC,
        loss="ce",
        dataset=PASCAL_VOC.name,
        sha256=baseline.sha256_start,
        parameters=baseline.parameters,
        file_bytes=round(baseline.megabytes * 2**20),
        training={"weights": WEIGHTS, "recipe": RECIPES, "images": "COCO train2017, those with classes of VOC"},
        working_size=WORKING_SIZE,
        working_size_from=RECIPES,
    )


def baseline_infos() -> list[CheckpointInfo]:
    """Every baseline, whether its weights are on this machine or not."""
    return [baseline_info(PREFIX + name) for name in TORCHVISION]


def weights_path(name: str) -> Path:
    """Where torchvision keeps the weights of 'torchvision:NAME', downloaded or not."""
    import torch

    return Path(torch.hub.get_dir()) / "checkpoints" / find_baseline(name).file


def load_baseline(
    name: str,
    *,
    device: str = "cpu",
    settings: HubSettings | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> BaselineNetwork:
    """The network 'torchvision:NAME' in eval mode on `device`, downloaded within the limits of `settings` if need be.

    Raises CheckpointError for an unknown name, HubUnreachable when the download does not come, HubError when what is
    there is not what was published.
    """
    info = baseline_info(name)
    check_library(info.config)
    import torch

    baseline, path = find_baseline(name), weights_path(name)
    with _locks.hold(name):
        if not path.is_file():
            _download(name, baseline, path, settings or HubSettings.from_environment(), progress)
    if not file_sha256(path).startswith(baseline.sha256_start):
        raise HubError(Message("baseline_broken", subject=name, file=path.name))
    model = weightless(info.config)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        model.network.load_state_dict(state, assign=True)
    except (RuntimeError, TypeError, AttributeError, EOFError, pickle.UnpicklingError) as error:
        raise HubError(Message("baseline_unfit", subject=name, file=path.name, reason=str(error)[:300])) from None
    model.fill_constants()
    model.network.aux_classifier = None  # helps training only
    model.info = info
    return model.eval().to(device=device, memory_format=torch.channels_last)


def _download(name: str, baseline: Baseline, path: Path, settings: HubSettings, progress: Callable | None) -> None:
    """Bring the weights to `path`, whole or not at all."""
    total = round(baseline.megabytes * 2**20)

    def work(watch: Watch) -> None:
        done = 0
        chunks = stream(ADDRESS + baseline.file, settings, watch, subject=name, limit=2 * total, token=False)
        with open(temporary, "wb") as file:
            for chunk in chunks:
                file.write(chunk)
                done += len(chunk)
                if progress:
                    progress(done, max(done, total))

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            within(work, quiet=settings.answer_seconds, total=settings.pull_seconds, subject=name)
            if not file_sha256(temporary).startswith(baseline.sha256_start):
                raise HubError(Message("baseline_damaged", subject=name, file=baseline.file))
    except OSError as error:
        facts = {"place": str(path.parent), "reason": error.strerror or str(error), "variable": "TORCH_HOME"}
        raise HubError(Message("hub_cache", subject=name, **facts)) from None
