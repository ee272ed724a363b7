"""Architectures as data: `FCNConfig`, `BaselineConfig`, and the names that their fields may have.

Torch is not needed here, so that checkpoints can be listed, and the page served, before it is imported.
"""

import math
from dataclasses import asdict, dataclass, fields
from typing import Self, cast, get_args

VARIANTS = ("fcn32s", "fcn16s", "fcn8s")
OUTPUT_STRIDE = {"fcn32s": 32, "fcn16s": 16, "fcn8s": 8}
PADDINGS = ("same", "paper")
UPSAMPLINGS = ("paper", "learned", "fixed")
VGG_BACKBONES = ("vgg16", "vgg16_bn")
RESNET_BACKBONES = ("resnet18", "resnet50", "resnet101")
BACKBONES = VGG_BACKBONES + RESNET_BACKBONES
SMP_BACKBONES = ("resnet18", "resnet34", "resnet50", "mobilenet_v2")
BASELINES = {
    "torchvision": {
        "fcn": ("resnet50", "resnet101"),
        "deeplabv3": ("resnet50",),
        "lraspp": ("mobilenet_v3_large",),
    },
    "smp": {"unet": SMP_BACKBONES, "deeplabv3plus": SMP_BACKBONES},
}
MAXIMUM_PANELS = 9  # checkpoints that are compared on one photo


@dataclass(frozen=True)
class ModelConfig:
    """What configurations have in common: fields of checked types, and plain JSON values. Raises ValueError."""

    def _check_types(self) -> None:
        for field in fields(self):
            self._check_type(field.name, cast(type, field.type))

    def _check_type(self, name: str, kind: type) -> None:
        value = getattr(self, name)
        if kind is float and type(value) is int:
            object.__setattr__(self, name, _finite(name, value))
        elif item := get_args(kind):
            accepted = (int, float) if item[0] is float else item[0]
            if not isinstance(value, list | tuple) or not all(
                type(v) is not bool and isinstance(v, accepted) for v in value
            ):
                raise ValueError(f"{name}: needs a list of {item[0].__name__}, got {value!r}")
            convert = (lambda v: _finite(name, v)) if item[0] is float else item[0]
            object.__setattr__(self, name, tuple(convert(v) for v in value))
        elif type(value) is not kind:
            raise ValueError(f"{name}: needs {kind.__name__}, got {value!r}")
        elif kind is float:
            _finite(name, value)

    def _check_choices(self, choices: dict[str, tuple[str, ...]]) -> None:
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name}: {getattr(self, name)!r} is not one of {', '.join(allowed)}")

    @staticmethod
    def _check_classes_and_colours(classes: tuple[str, ...], mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        if not 1 <= len(classes) <= 255 or len(set(classes)) != len(classes):
            raise ValueError(f"classes: needs 1 to 255 different names, got {len(classes)}")
        if len(mean) != 3 or len(std) != 3 or min(std) <= 0:
            raise ValueError("mean, std: need three numbers each, std above zero")

    def to_dict(self) -> dict:
        """Plain JSON values; `from_dict` gives the equal configuration back."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: dict) -> Self:
        """The configuration with these fields; raises ValueError naming a field that is unknown or wrong."""
        unknown = sorted(set(values) - {field.name for field in fields(cls)})
        if unknown:
            raise ValueError(f"unknown field {', '.join(map(repr, unknown))} in the model's configuration")
        return cls(**values)


def _finite(name: str, value: float) -> float:
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"{name}: needs a finite number")
    return number


@dataclass(frozen=True)
class FCNConfig(ModelConfig):
    """Architecture of an FCN, nothing else: no paths, no learning rates. Raises ValueError naming the field.

    width: factor on the channels of a VGG backbone. head_channels, head_kernel, head_batch_norm: fc6 and fc7 of a VGG
    (4096, 7, False in the paper); a ResNet has no such head. upsampling: 'paper' learns the x2 stages and fixes the
    last one, 'learned' learns all, 'fixed' none. padding: 'same', or 'paper' for the published pad of 100.
    phase: pixels by which 'same' shifts the grid of the pools; 3 samples where the paper's padding does (99 mod 32).
    pool_scaling: the paper's constants on pool4 and pool3 for at-once training. mean, std: in the order of
    channel_order, for values in [0, 1].
    """

    variant: str = "fcn8s"
    backbone: str = "vgg16"
    classes: tuple[str, ...] = ()
    width: float = 1.0
    head_channels: int = 4096
    head_kernel: int = 7
    head_batch_norm: bool = False
    dropout: float = 0.5
    padding: str = "same"
    phase: int = 0
    upsampling: str = "paper"
    pool_scaling: bool = False
    channel_order: str = "rgb"
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)

    def __post_init__(self):
        self._check_types()
        choices = {"variant": VARIANTS, "backbone": BACKBONES, "padding": PADDINGS, "upsampling": UPSAMPLINGS}
        choices["channel_order"] = ("rgb", "bgr")
        self._check_choices(choices)
        limits = {"width": (0.01, 2), "head_channels": (1, 8192), "head_kernel": (1, 15), "dropout": (0, 0.99)}
        for name, (low, high) in (limits | {"phase": (0, 31)}).items():
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name}: {getattr(self, name)} is outside {low}..{high}")
        self._check_combinations()

    def _check_combinations(self) -> None:
        self._check_classes_and_colours(self.classes, self.mean, self.std)
        if self.head_kernel % 2 == 0:
            raise ValueError(f"head_kernel: {self.head_kernel} is even; an odd kernel keeps the grid in place")
        if self.padding == "paper" and (self.head_kernel != 7 or self.phase):
            raise ValueError("padding: 'paper' goes with head_kernel 7 and phase 0, its crop offsets depend on them")
        if self.backbone not in VGG_BACKBONES and (self.width != 1.0 or self.padding == "paper"):
            raise ValueError(f"backbone: {self.backbone} goes with width 1.0 and padding 'same'")


@dataclass(frozen=True)
class BaselineConfig(ModelConfig):
    """A network of another library that FCNs are compared with, out of `BASELINES`. Raises ValueError naming the field.

    library 'torchvision' has published weights, 'smp' (segmentation-models-pytorch) is trained here. mean, std: RGB,
    for values in [0, 1].
    """

    library: str = "torchvision"
    variant: str = "fcn"
    backbone: str = "resnet50"
    classes: tuple[str, ...] = ()
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)

    width = 1.0  # as an FCN at full width; no field, as it cannot be chosen

    def __post_init__(self):
        self._check_types()
        self._check_choices({"library": tuple(BASELINES)})
        self._check_choices({"variant": tuple(BASELINES[self.library])})
        self._check_choices({"backbone": BASELINES[self.library][self.variant]})
        self._check_classes_and_colours(self.classes, self.mean, self.std)
