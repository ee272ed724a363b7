"""Where a run's weights start: fresh, from a coarser stage, or with a backbone trained on ImageNet."""

from pathlib import Path

import torch
import torchvision
from safetensors.torch import load_file
from torch import nn

from evaluation.datasets import SegmentationDataset
from training import TrainingError
from training.mixture import Mixture
from training.pruning import calibration_photos, prune
from training.recipe import Recipe
from zoo.checkpoints.folder import build
from zoo.labels import LabelSet
from zoo.models.fcn import FCN


def initial_model(
    recipe: Recipe,
    labels: LabelSet,
    start_from: FCN | None,
    photos: SegmentationDataset | Mixture | None = None,
    *,
    device: str | torch.device = "cpu",
) -> FCN:
    """A new FCN on the CPU, initialised as the recipe says; `start_from` is the checkpoint that it names.

    `photos` are those that a recipe with `prune` looks at; `device` is where their features are computed.
    """
    model = build(recipe.model_config(labels))
    if start_from is not None:
        check_unseen(recipe, start_from, "start_from")
        take_over(model, start_from)
    elif recipe.backbone_weights and not isinstance(model, FCN):
        raise TrainingError(f"backbone_weights: {recipe.variant} is trained from scratch here; leave it out")
    elif recipe.backbone_weights:
        state = read_backbone_weights(recipe.backbone_weights, recipe.backbone)
        try:
            if recipe.prune:
                seen = calibration_photos(photos, model.config).to(device)
                state = prune(state, recipe.backbone, recipe.width, recipe.prune, seen)
            model.transplant_backbone(state)
        except ValueError as error:
            raise TrainingError(f"backbone_weights: {recipe.backbone_weights}: {error}") from None
    return model


def read_backbone_weights(source: str, backbone: str) -> dict[str, torch.Tensor]:
    """Tensors under torchvision's names: 'imagenet' downloads them, otherwise a safetensors or torch.save file.

    Files are read without running code. Raises TrainingError naming the file.
    """
    try:
        if source == "imagenet":
            state = torchvision.models.get_model_weights(backbone).IMAGENET1K_V1.get_state_dict(check_hash=True)
        elif Path(source).suffix == ".safetensors":
            state = load_file(source)
        else:
            state = torch.load(source, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        otherwise = "--backbone-weights names another, or takes torchvision's as imagenet, with --backbone-source="
        raise TrainingError(f"backbone_weights: {source}: cannot be read (no such file; {otherwise})") from None
    except Exception as error:  # whatever unpickling a file of another kind ends in
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise TrainingError(f"backbone_weights: {source}: cannot be read ({reason})") from None
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise TrainingError(f"backbone_weights: {source}: holds no state dict, which is names with a tensor each")
    return state


def check_unseen(recipe: Recipe, checkpoint: nn.Module, field: str) -> None:
    """Raise TrainingError if the run is to hold out sequences that a checkpoint it builds on was trained on.

    `field` is the recipe's that names the checkpoint.
    """
    info = getattr(checkpoint, "info", None)
    if not recipe.hold_out or info is None or info.dataset != recipe.dataset:
        return
    left_out = info.training.get("hold_out", "")
    if info.training.get("hold_out_every", 1) not in (1, recipe.hold_out_every):
        left_out = ""  # it has seen frames that are to be held out now
    before = {name.strip() for name in left_out.split(",")}
    seen = [name.strip() for name in recipe.hold_out.split(",") if name.strip() not in before]
    if seen:
        raise TrainingError(
            f"{field}: {info.name} was trained on {', '.join(seen)}, which is to be held out; name a run that left it "
            f"out too, or none with --{field.replace('_', '-')}="
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
    """What the weights saw before the dataset, None for nothing.

    'ImageNet' (torchvision's), the recipe's word on a file ('ImageNet; Oxford VGG, CC BY') or else the file's name;
    or what `start_from` records.
    """
    if start_from is not None:
        info = getattr(start_from, "info", None)
        return info.training.get("pretraining") if info else None
    if recipe.backbone_weights == "imagenet":
        return "ImageNet"
    return recipe.backbone_source or Path(recipe.backbone_weights).name or None
