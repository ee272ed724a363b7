"""Where a run's weights start: fresh, from a coarser stage, or with a backbone trained on ImageNet."""

from pathlib import Path

import torch
import torchvision
from safetensors.torch import load_file
from torch import nn

from training import TrainingError
from training.recipe import Recipe
from zoo.checkpoint import build
from zoo.fcn import FCN
from zoo.labels import LabelSet


def initial_model(recipe: Recipe, labels: LabelSet, start_from: FCN | None) -> FCN:
    """A new FCN on the CPU, initialised as the recipe says; `start_from` is the checkpoint that it names."""
    model = build(recipe.model_config(labels))
    if start_from is not None:
        check_unseen(recipe, start_from)
        take_over(model, start_from)
    elif recipe.backbone_weights and not isinstance(model, FCN):
        raise TrainingError(f"backbone_weights: {recipe.variant} is trained from scratch here; leave it out")
    elif recipe.backbone_weights:
        state = read_backbone_weights(recipe.backbone_weights, recipe.backbone)
        try:
            model.transplant_backbone(state)
        except ValueError as error:
            raise TrainingError(f"backbone_weights: {recipe.backbone_weights}: {error}") from None
    return model


def read_backbone_weights(source: str, backbone: str) -> dict[str, torch.Tensor]:
    """State dict of torchvision's classifier: 'imagenet' downloads it, otherwise a safetensors or torch.save file.

    Files are read without running code. Raises TrainingError naming the file.
    """
    try:
        if source == "imagenet":
            state = torchvision.models.get_model_weights(backbone).IMAGENET1K_V1.get_state_dict(check_hash=True)
        elif Path(source).suffix == ".safetensors":
            state = load_file(source)
        else:
            state = torch.load(source, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever unpickling a file of another kind ends in
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise TrainingError(f"backbone_weights: {source}: cannot be read ({reason})") from None
    # Torchvision's own classifier brings the tensors into its order and adds the counters that old files lack.
    with torch.device("meta"):
        classifier = getattr(torchvision.models, backbone)(weights=None)
    try:
        classifier.load_state_dict(state, assign=True)
    except (RuntimeError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise TrainingError(
            f"backbone_weights: {source}: holds no state dict of torchvision's {backbone} ({reason})"
        ) from None
    return classifier.state_dict()


def check_unseen(recipe: Recipe, start_from: nn.Module) -> None:
    """Raise TrainingError if the run is to hold out sequences that the checkpoint it starts from was trained on."""
    info = getattr(start_from, "info", None)
    if not recipe.hold_out or info is None or info.dataset != recipe.dataset:
        return
    before = {name.strip() for name in info.training.get("hold_out", "").split(",")}
    seen = [name.strip() for name in recipe.hold_out.split(",") if name.strip() not in before]
    if seen:
        raise TrainingError(
            f"start_from: {info.name} was trained on {', '.join(seen)}, which is to be held out; start from a run that "
            "left it out too, or anew with --start-from="
        )


def take_over(model: FCN, source: FCN) -> list[str]:
    """Copy the tensors of `source` that `model` has in the same shape; returns the names that `model` had to keep.

    Raises TrainingError if the encoders do not match, since a stage would then start from nothing.
    """
    target, given = model.state_dict(), source.state_dict()
    fitting = {key: value for key, value in given.items() if key in target and target[key].shape == value.shape}
    kept = [key for key in target if key not in fitting]
    if any(key.startswith(("encoder.", "head.")) for key in kept):
        raise TrainingError(
            "start_from: backbone and head of that checkpoint differ from the recipe's; use the same ones"
        )
    model.load_state_dict(target | fitting)
    return kept


def pretraining(recipe: Recipe, start_from: FCN | None) -> str | None:
    """What the weights saw before the dataset: 'ImageNet', a file's name, what `start_from` records, or None."""
    if start_from is not None:
        info = getattr(start_from, "info", None)
        return info.training.get("pretraining") if info else None
    return "ImageNet" if recipe.backbone_weights == "imagenet" else Path(recipe.backbone_weights).name or None
