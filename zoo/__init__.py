"""Fully Convolutional Networks: models, label sets, checkpoint folders and image -> mask.

The names below are loaded when they are first used, so that `import zoo` costs nothing and the page can be served
before torch is imported.
"""

import sys
from importlib import import_module
from types import ModuleType

_HOME = {
    "Catalog": "zoo.catalog",
    "CheckpointError": "zoo.checkpoint_info",
    "CheckpointInfo": "zoo.checkpoint_info",
    "FCN": "zoo.fcn",
    "FCNConfig": "zoo.config",
    "HubError": "zoo.hub",
    "HubSettings": "zoo.settings",
    "ImageError": "zoo.segment",
    "LABEL_SETS": "zoo.labels",
    "LabelSet": "zoo.labels",
    "Segmentation": "zoo.segment",
    "catalog": "zoo.catalog",
    "convert": "zoo.convert",
    "load": "zoo.catalog",
    "pull": "zoo.download",
    "push": "zoo.publish",
    "save": "zoo.checkpoint",
    "segment": "zoo.segment",
}

__all__ = sorted(_HOME)


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"module 'zoo' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__


class _Package(ModuleType):
    """Keeps `zoo.catalog(...)` and `zoo.segment(...)` functions though modules of the same names exist.

    The import system binds every submodule to its package; for these names it must not.
    """

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _HOME and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
