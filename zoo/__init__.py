"""Fully Convolutional Networks: models, label sets, checkpoint folders and image -> mask.

The names below are loaded when they are first used, so that `import zoo` costs nothing and the page can be served
before torch is imported.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from zoo.numbers import end_if_unreadable

end_if_unreadable()

if TYPE_CHECKING:  # for editors and type checkers, which see through no lazy import
    from zoo.checkpoints.conversion import convert
    from zoo.checkpoints.folder import save
    from zoo.checkpoints.information import CheckpointError, CheckpointInfo
    from zoo.config import FCNConfig
    from zoo.hub.catalog import Catalog, catalog, load
    from zoo.hub.download import pull
    from zoo.hub.publish import push
    from zoo.hub.requests import HubError
    from zoo.hub.settings import HubSettings
    from zoo.images.photo import ImageError
    from zoo.labels import LABEL_SETS, LabelSet
    from zoo.models.fcn import FCN
    from zoo.models.segmentation import Segmentation, segment

__all__ = [
    "FCN",
    "LABEL_SETS",
    "Catalog",
    "CheckpointError",
    "CheckpointInfo",
    "FCNConfig",
    "HubError",
    "HubSettings",
    "ImageError",
    "LabelSet",
    "Segmentation",
    "catalog",
    "convert",
    "load",
    "pull",
    "push",
    "save",
    "segment",
]

_HOMES = {
    "zoo.checkpoints.conversion": ("convert",),
    "zoo.checkpoints.folder": ("save",),
    "zoo.checkpoints.information": ("CheckpointError", "CheckpointInfo"),
    "zoo.config": ("FCNConfig",),
    "zoo.hub.catalog": ("Catalog", "catalog", "load"),
    "zoo.hub.download": ("pull",),
    "zoo.hub.publish": ("push",),
    "zoo.hub.requests": ("HubError",),
    "zoo.hub.settings": ("HubSettings",),
    "zoo.images.photo": ("ImageError",),
    "zoo.labels": ("LABEL_SETS", "LabelSet"),
    "zoo.models.fcn": ("FCN",),
    "zoo.models.segmentation": ("Segmentation", "segment"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"module 'zoo' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return [*__all__]
