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

from training.losses import REDUCTIONS, listed_weights, loss_terms
from zoo.checkpoints.information import checkpoint_name
from zoo.config import BASELINES, VARIANTS, VGG_BACKBONES, BaselineConfig, FCNConfig
from zoo.labels import LabelSet
from zoo.text import counted

CHOICES = {
    "variant": (*VARIANTS, *BASELINES["smp"]),
    "reduction": REDUCTIONS,
    "optimizer": ("adamw", "sgd"),
    "schedule": ("one-cycle", "poly", "cosine", "constant"),
    "augment_on": ("loader", "device"),
    "precision": ("bf16", "fp16", "fp32"),
    "prune": ("", "l1", "interpolation"),
    "distill_images": ("all", "partial"),
}


def setting(default, text: str):
    """A recipe field with its help text."""
    return field(default=default, metadata={"help": text})


COUNTED_WEIGHTS = ("none", "median-frequency")


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
    backbone_source: str = setting("", "where a file of backbone weights comes from, and its licence, for the record")
    prune: str = setting("", "l1 or interpolation: how a full VGG-16 in backbone_weights becomes one of this width")
    encoder_rate: float = setting(1.0, "factor on the learning rate of the encoder (FCN)")
    frozen_stages: int = setting(0, "stages of the encoder, from the image on, that keep their weights (FCN)")
    start_from: str = setting("", "checkpoint whose matching layers the run starts from (staged training)")
    dataset: str = setting("camvid", "dataset name, as in python -m evaluation")
    split: str = setting("train", "split to train on")
    extra_dataset: str = setting("", "another dataset of the same classes that is trained on too (--extra-data)")
    extra_images: int = setting(0, "images of each batch that come from the other dataset")
    unlabelled_penalty: float = setting(0.0, "weight of the probability of classes that an image's dataset leaves out")
    distill_from: str = setting("", "checkpoint whose probabilities are learned too; it sees the same crops")
    distill_weight: float = setting(1.0, "weight of the divergence from those")
    distill_temperature: float = setting(2.0, "what both networks' logits are divided by there")
    distill_images: str = setting("all", "all, or partial: only images whose masks label some of the classes")
    hold_out: str = setting("", "video sequences left out of training and validated on, comma-separated")
    hold_out_every: int = setting(
        1, "hold out every so many frames of these alone; the rest replace as many frames of other sequences"
    )
    validation_split: str = setting("val", "split to validate on where nothing is held out")
    validation_dataset: str = setting("", "dataset to validate on, where it is another one")
    validate_every: int = setting(10, "epochs between validations; 0 for none")
    loss: str = setting("ce", "ce, focal, dice or a sum such as ce+dice")
    gamma: float = setting(2.0, "focal loss's gamma")
    class_weights: str = setting("none", "none, median-frequency, or a number a class such as 1,5 (ce, focal)")
    reduction: str = setting("mean", "mean over labelled pixels, or their sum as in the paper's solver")
    epochs: int = setting(80, "passes over the split")
    stop_epoch: int = setting(0, "end after so many epochs, while the schedule is laid out for all; 0 for all")
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
    cool_down: float = setting(
        0.0, "share of the run's steps, at its end, in which the rate also falls to zero linearly"
    )
    clip: float = setting(0.0, "largest gradient norm; 0 for no limit")
    ema: float = setting(0.0, "decay of averaged weights, which then are validated and saved; 0 for none")
    precision: str = setting("bf16", "bf16 or fp16 (autocast), or fp32")
    compile: bool = setting(False, "torch.compile the network")
    sync_batch_norm: bool = setting(False, "batch-norm statistics over all processes (GPUs)")
    seed: int = setting(0, "seed of weights, order, augmentation and dropout")

    def __post_init__(self):
        for name in ("loss", "class_weights"):  # as people write them: 'ce + dice', '1, 5'
            object.__setattr__(self, name, "".join(getattr(self, name).split()))
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name}: {getattr(self, name)!r} is not one of {', '.join(allowed)}")
        lowest = {"epochs": 1, "batch_size": 1, "accumulate": 1, "crop": 0, "validate_every": 0, "jitter": 0, "clip": 0}
        lowest |= {"gamma": 0, "weight_decay": 0, "bias_rate": 0, "power": 0, "encoder_rate": 0, "frozen_stages": 0}
        lowest |= {"stop_epoch": 0, "extra_images": 0, "unlabelled_penalty": 0, "hold_out_every": 1}
        for name, low in lowest.items():
            if not low <= getattr(self, name) < math.inf:
                raise ValueError(f"{name}: {getattr(self, name)} is below {low} or not finite")
        if not 0 < self.scale_low <= self.scale_high <= 8:
            raise ValueError(
                f"scale_low, scale_high: need 0 < low <= high <= 8, got {self.scale_low}, {self.scale_high}"
            )
        for name in ("learning_rate", "distill_weight", "distill_temperature"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name}: {getattr(self, name)} is not above 0")
        for name in ("warm_up", "momentum", "ema", "cool_down"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name}: {getattr(self, name)} is not in 0 <= {name} < 1")
        if self.start_from and self.backbone_weights:
            raise ValueError("start_from, backbone_weights: give one; a checkpoint brings its backbone along")
        if self.hold_out_every > 1 and not self.hold_out:
            raise ValueError("hold_out_every: counts the frames of sequences in hold_out; name those too")
        if self.stop_epoch > self.epochs:
            raise ValueError(f"stop_epoch: {self.stop_epoch} is beyond the {counted(self.epochs, 'epoch')}")
        self._check_encoder()
        self._check_extra()
        loss_terms(self.loss)
        if self.class_weights not in COUNTED_WEIGHTS:
            listed_weights(self.class_weights)

    def _check_encoder(self) -> None:
        if self.backbone_source and self.backbone_weights in ("", "imagenet"):
            raise ValueError("backbone_source: tells of a file in backbone_weights; leave it out without one")
        if self.variant not in VARIANTS and (self.encoder_rate != 1 or self.frozen_stages):
            raise ValueError(f"encoder_rate, frozen_stages: {self.variant} is trained as a whole; leave them out")

        if not self.prune:
            return
        if self.backbone not in VGG_BACKBONES or self.width >= 1:
            raise ValueError("prune: makes a VGG narrower; give vgg16 or vgg16_bn and a width below 1, or leave it out")
        if not self.backbone_weights:
            raise ValueError("prune: needs the weights of a full VGG-16 in backbone_weights")

    def _check_extra(self) -> None:
        if bool(self.extra_dataset) != bool(self.extra_images):
            raise ValueError("extra_dataset, extra_images: give both or none")
        if not self.distill_from and self.distill_images != "all":
            raise ValueError("distill_images: says what distill_from teaches; leave it out without one")
        if self.extra_images >= self.batch_size:
            raise ValueError(f"extra_images: {self.extra_images} leave no place in a batch of {self.batch_size}")

    def model_config(self, labels: LabelSet) -> FCNConfig | BaselineConfig:
        """The architecture this recipe trains for a label set."""
        if self.variant not in VARIANTS:
            return BaselineConfig("smp", self.variant, self.backbone, labels.classes)
        shared = {entry.name for entry in fields(FCNConfig)} & {entry.name for entry in fields(self)}
        return FCNConfig(classes=labels.classes, **{name: getattr(self, name) for name in sorted(shared)})

    def checkpoint_name(self, labels: LabelSet, pretraining: str | None = None) -> str:
        """Name of the checkpoint that this recipe yields from weights of this `pretraining`."""
        datasets = f"{labels.name}+{self.extra_dataset}" if self.extra_dataset else labels.name
        return checkpoint_name(self.model_config(labels), self.loss_label, datasets, pretraining)

    @property
    def loss_label(self) -> str:
        """The loss as checkpoints are called: 'wce' is cross-entropy with class weights."""
        terms = (term.rpartition("*") for term in self.loss.split("+"))
        weighted = {"ce": "wce", "focal": "wfocal"} if self.class_weights != "none" else {}
        return "+".join(f"{factor}{star}{weighted.get(kind, kind)}" for factor, star, kind in terms)

    @property
    def last_epoch(self) -> int:
        """The epoch after which the run ends."""
        return self.stop_epoch or self.epochs

    def to_dict(self) -> dict:
        """Plain JSON values."""
        return asdict(self)

    def resumes(self, before: dict) -> bool:
        """Whether a run of the recipe `before` (plain values) goes on as this one.

        What changes no step that was taken may differ: where the run ends and cools down, and that it stops averaging.
        """
        usual = {entry.name: entry.default for entry in fields(self)}
        free = {name: getattr(self, name) for name in ("stop_epoch", "cool_down")}
        free |= {} if self.ema else {"ema": 0.0}
        return usual | before | free == self.to_dict()


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
    begun = {"backbone_weights": "", "backbone_source": "", "prune": ""}  # a stage's backbone comes with start_from
    for variant in chain[1:]:
        stages.append(replace(recipe, variant=variant, start_from=stages[-1].variant, **begun))
    return stages
