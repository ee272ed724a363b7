"""Which checkpoints there are, and loading one of them by name.

Bundled checkpoints (`zoo/bundled/NAME/`) come first and never need a network. A folder that cannot be read is left out
of the list and named in a warning, so that one broken checkpoint costs neither the others nor a silent gap.
"""

import logging
from pathlib import Path

from zoo.checkpoint import CheckpointError, CheckpointInfo, bundled_folder, load_folder, read_info
from zoo.fcn import FCN

logger = logging.getLogger("zoo")


def scan(root: Path | None = None) -> tuple[list[CheckpointInfo], list[str]]:
    """The checkpoints in the folders of `root` (default: the bundled ones), by name, and one message per broken one."""
    root = bundled_folder() if root is None else Path(root)
    found, problems = [], []
    for folder in sorted(root.iterdir()) if root.is_dir() else []:
        if not folder.is_dir() or folder.name.startswith((".", "__")):
            continue
        try:
            info = read_info(folder, source="bundled")
            if info.name != folder.name:
                raise CheckpointError(f"config.json names it {info.name!r}; folder and name must agree")
            found.append(info)
        except (CheckpointError, OSError) as error:
            problems.append(f"Checkpoint {folder.name!r} is left out: {error}")
    return found, problems


def catalog(root: Path | None = None, *, variant=None, loss=None, backbone=None, dataset=None) -> list[CheckpointInfo]:
    """Bundled checkpoints, filtered by the values given; a broken one is left out with a logged warning.

    `backbone` matches the backbone's name ("vgg16_bn") or its label ("vgg16bn-w25").
    """
    found, problems = scan(root)
    for problem in problems:
        logger.warning(problem)
    return select(found, variant=variant, loss=loss, backbone=backbone, dataset=dataset)


def select(checkpoints, *, variant=None, loss=None, backbone=None, dataset=None) -> list[CheckpointInfo]:
    """Those of `checkpoints` that have every value given; None leaves a property open."""
    wanted = {"variant": variant, "loss": loss, "dataset": dataset}
    return [
        info
        for info in checkpoints
        if all(value is None or getattr(info, name) == value for name, value in wanted.items())
        and backbone in (None, info.backbone, info.backbone_label)
    ]


def find(name: str, root: Path | None = None) -> CheckpointInfo:
    """The bundled checkpoint `name`; raises CheckpointError with the list of names."""
    found, problems = scan(root)
    for info in found:
        if info.name == name:
            return info
    broken = [problem for problem in problems if f"{name!r}" in problem]
    names = ", ".join(info.name for info in found) or "none"
    raise CheckpointError(broken[0] if broken else f"no bundled checkpoint {name!r}; there are: {names}")


def load(source: str | Path, *, revision: str | None = None, device: str = "cpu") -> FCN:
    """The model of a bundled name or of a checkpoint folder, in eval mode on `device`.

    Raises CheckpointError when there is no such checkpoint or it is not sound.
    """
    if revision is not None:
        raise CheckpointError(f"revision {revision!r}: only repositories on the Hub have revisions")
    folder = Path(source)
    if not folder.is_dir():
        folder = Path(find(str(source)).location)
    return load_folder(folder, device=device)
