"""Fully Convolutional Networks: models, label sets, checkpoint folders and image -> mask.

The names below are loaded when they are first used, so that `import zoo` costs nothing and the page can be served
before torch is imported.
"""

from importlib import import_module

_HOME = {
    "CheckpointError": "zoo.checkpoint",
    "CheckpointInfo": "zoo.checkpoint",
    "FCN": "zoo.fcn",
    "FCNConfig": "zoo.fcn",
    "ImageError": "zoo.segment",
    "LABEL_SETS": "zoo.labels",
    "LabelSet": "zoo.labels",
    "Segmentation": "zoo.segment",
    "catalog": "zoo.catalog",
    "load": "zoo.catalog",
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
