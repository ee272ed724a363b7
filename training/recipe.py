"""A recipe: everything needed to repeat a training run, as a TOML file, as flags, or both.

One small TOML file per released checkpoint lives in `training/recipes/`. Flags are generated from the same fields
and win over the file.
"""

import argparse
import math
import tomllib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path

from training.losses import REDUCTIONS, build_loss
from zoo.checkpoint_info import checkpoint_name
from zoo.config import BASELINES, VARIANTS, BaselineConfig, FCNConfig
from zoo.labels import LabelSet

CHOICES = {
    "variant": (*VARIANTS, *BASELINES["smp"]),
    "class_weights": ("none", "median-frequency"),
    "reduction": REDUCTIONS,
    "optimizer": ("adamw", "sgd"),
    "schedule": ("one-cycle", "poly", "cosine", "constant"),
    "augment_on": ("loader", "device"),
    "precision": ("bf16", "fp16", "fp32"),
}


def setting(default, text: str):
    """A recipe field with its help text."""
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True)
class Recipe:
    """Settings of one run. Raises ValueError naming the field that cannot be used."""

    variant: str = setting("fcn8s", "fcn32s, fcn16s or fcn8s; unet or deeplabv3plus (baselines.txt)")
    backbone: str = setting("vgg16_bn", "vgg16, vgg16_bn, resnet18, resnet50 or resnet101")
    width: float = setting(1.0, "factor on the channels of a VGG backbone")
    head_channels: int = setting(4096, "channels of fc6 and fc7 (VGG)")
    head_kernel: int = setting(7, "kernel of fc6 (VGG)")
    head_batch_norm: bool = setting(False, "batch norm after fc6 and fc7 (VGG)")
    dropout: float = setting(0.5, "dropout after fc6 and fc7 (VGG)")
    padding: str = setting("same", "same, or paper for the published pad of 100 (VGG)")
    upsampling: str = setting("paper", "paper: x2 stages learned, last fixed; learned; fixed")
    pool_scaling: bool = setting(False, "the paper's constants on pool4 and pool3, for training 8s at once")
    backbone_weights: str = setting("", "imagenet, or a file with torchvision's weights of the backbone")
    start_from: str = setting("", "checkpoint whose matching layers the run starts from (staged training)")
    dataset: str = setting("camvid", "dataset name, as in python -m evaluation")
    split: str = setting("train", "split to train on")
    hold_out: str = setting("", "video sequences left out of training and validated on, comma-separated")
    validation_split: str = setting("val", "split to validate on where nothing is held out")
    validation_dataset: str = setting("", "dataset to validate on, where it is another one")
    validate_every: int = setting(10, "epochs between validations; 0 for none")
    loss: str = setting("ce", "ce, focal, dice or a sum such as ce+dice")
    gamma: float = setting(2.0, "focal loss's gamma")
    class_weights: str = setting("none", "none, or median-frequency counted on the split (ce and focal)")
    reduction: str = setting("mean", "mean over labelled pixels, or their sum as in the paper's solver")
    epochs: int = setting(80, "passes over the split")
    batch_size: int = setting(8, "images a step, over all processes and accumulated batches")
    accumulate: int = setting(1, "batches whose gradients are added up in a step")
    crop: int = setting(320, "side of the square training crops in pixels; 0 for whole images at their own size")
    flip: bool = setting(True, "mirror half of the images")
    scale_low: float = setting(0.5, "smallest random rescale")
    scale_high: float = setting(1.5, "largest random rescale")
    jitter: float = setting(
        0.4, "brightness, contrast and saturation jitter; a third of the crops also get a fifth of it in hue"
    )
    augment_on: str = setting("loader", "loader: workers make crops; device: batches of crops where the model is")
    optimizer: str = setting("adamw", "adamw or sgd")
    learning_rate: float = setting(1e-3, "peak of the schedule")
    bias_rate: float = setting(1.0, "factor on the learning rate of biases")
    momentum: float = setting(0.9, "SGD momentum")
    weight_decay: float = setting(0.01, "weight decay on convolution weights")
    schedule: str = setting("one-cycle", "one-cycle, poly, cosine or constant")
    power: float = setting(0.9, "exponent of the poly schedule")
    warm_up: float = setting(0.1, "share of the steps in which the learning rate rises")
    clip: float = setting(0.0, "largest gradient norm; 0 for no limit")
    ema: float = setting(0.0, "decay of averaged weights, which then are validated and saved; 0 for none")
    precision: str = setting("bf16", "bf16 or fp16 (autocast), or fp32")
    compile: bool = setting(False, "torch.compile the network")
    sync_batch_norm: bool = setting(False, "batch-norm statistics over all processes (GPUs)")
    seed: int = setting(0, "seed of weights, order, augmentation and dropout")

    def __post_init__(self):
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name}: {getattr(self, name)!r} is not one of {', '.join(allowed)}")
        lowest = {"epochs": 1, "batch_size": 1, "accumulate": 1, "crop": 0, "validate_every": 0, "jitter": 0, "clip": 0}
        lowest |= {"gamma": 0, "weight_decay": 0, "bias_rate": 0, "power": 0}
        for name, low in lowest.items():
            if not low <= getattr(self, name) < math.inf:
                raise ValueError(f"{name}: {getattr(self, name)} is below {low} or not finite")
        if not 0 < self.scale_low <= self.scale_high <= 8:
            raise ValueError(
                f"scale_low, scale_high: need 0 < low <= high <= 8, got {self.scale_low}, {self.scale_high}"
            )
        for name in ("warm_up", "momentum", "ema"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name}: {getattr(self, name)} is not in 0 <= {name} < 1")
        if not 0 < self.learning_rate < math.inf:
            raise ValueError(f"learning_rate: {self.learning_rate} is not above 0")
        if self.start_from and self.backbone_weights:
            raise ValueError("start_from, backbone_weights: give one; a checkpoint brings its backbone along")
        build_loss(self.loss, void=255)

    def model_config(self, labels: LabelSet) -> FCNConfig | BaselineConfig:
        """The architecture this recipe trains for a label set."""
        if self.variant not in VARIANTS:
            return BaselineConfig("smp", self.variant, self.backbone, labels.classes)
        shared = {entry.name for entry in fields(FCNConfig)} & {entry.name for entry in fields(self)}
        return FCNConfig(classes=labels.classes, **{name: getattr(self, name) for name in sorted(shared)})

    def checkpoint_name(self, labels: LabelSet) -> str:
        """Name of the checkpoint that this recipe yields."""
        return checkpoint_name(self.model_config(labels), self.loss, labels.name)

    def to_dict(self) -> dict:
        """Plain JSON values."""
        return asdict(self)


def read_recipe(path: str | Path) -> Recipe:
    """The recipe in a TOML file; raises ValueError naming the file and the field that is unknown or wrong."""
    try:
        values = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"{path}: cannot be read as TOML ({error})") from None
    types = {entry.name: entry.type for entry in fields(Recipe)}
    for name, value in values.items():
        if name not in types:
            raise ValueError(f"{path}: unknown field {name!r}; known are {', '.join(types)}")
        if type(value) is int and types[name] is float:
            values[name] = float(value)
        elif type(value) is not types[name]:
            raise ValueError(f"{path}: {name} needs {types[name].__name__}, got {value!r}")
    try:
        return Recipe(**values)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def add_flags(parser: argparse.ArgumentParser) -> None:
    """One flag per recipe field; those that are not given stay out of the parsed namespace."""
    group = parser.add_argument_group("recipe", "each flag overrides the recipe file")
    for entry in fields(Recipe):
        kind = {"action": argparse.BooleanOptionalAction} if entry.type is bool else {"type": entry.type}
        text = f"{entry.metadata['help']} (default: {entry.default!r})"
        group.add_argument(f"--{entry.name.replace('_', '-')}", default=argparse.SUPPRESS, help=text, **kind)


def resolve(files: Sequence[str | Path], flags: dict) -> list[Recipe]:
    """The recipes of `files` (or one of defaults) with `flags` laid over each."""
    recipes = [read_recipe(path) for path in files] or [Recipe()]
    known = {entry.name for entry in fields(Recipe)}
    return [replace(recipe, **{name: value for name, value in flags.items() if name in known}) for recipe in recipes]


def staged(recipe: Recipe) -> list[Recipe]:
    """The paper's stages (section 4.3): fcn32s, then each finer variant started from the one before."""
    if recipe.variant not in VARIANTS:
        raise ValueError(f"variant: {recipe.variant} has no stages; leave out --staged")
    chain = VARIANTS[: VARIANTS.index(recipe.variant) + 1]
    start = recipe.start_from if recipe.variant == chain[0] else ""  # otherwise it names the stage before the last
    stages = [replace(recipe, variant=chain[0], start_from=start)]
    for variant in chain[1:]:
        stages.append(replace(recipe, variant=variant, start_from=stages[-1].variant, backbone_weights=""))
    return stages
