"""`python -m training.criteria --recipe FILE --data DIR --hold-out SEQUENCE`: what is left of a VGG-16 that is pruned.

Prunes the recipe's encoder by each criterion on the photos that it trains on, and prints the share of the variance of
the full network's features, stage by stage, that a linear map of the narrow network's explains on photos held out.
"""

import argparse
import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import pandas as pd
import torch

from evaluation.datasets import open_dataset
from training import TrainingError
from training.mixture import Mixture, open_extra
from training.pruning import (
    CRITERIA,
    Convolution,
    calibration_photos,
    full_convolutions,
    interpolation,
    pooled,
    positions,
    prune_layers,
)
from training.recipe import Recipe, add_flags, resolve
from training.splits import open_splits
from training.weights import read_backbone_weights
from zoo.config import FCNConfig
from zoo.models.architecture import VGG16_CHANNELS


def stages(convolutions: Sequence[Convolution], photos: torch.Tensor) -> list[torch.Tensor]:
    """The features after each of the five pools, (N, C, H, W) float32."""
    found, remaining = [], iter(convolutions)
    with torch.inference_mode():
        for plan in VGG16_CHANNELS:
            for convolution in islice(remaining, len(plan)):
                photos = convolution(photos).relu_()
            photos = pooled(photos, True)
            found.append(photos)
    return found


def explained(full: torch.Tensor, narrow: torch.Tensor, unseen: tuple[torch.Tensor, torch.Tensor]) -> float:
    """Share of the variance of full features that a linear map of narrow ones explains, at most 1.

    The map is fitted on `full` and `narrow` (N, C, H, W); the share is that on the `unseen` pair of such features.
    """
    sample = positions(full, torch.Generator().manual_seed(0))
    mixing = interpolation(sample(narrow), sample(full))
    sample = positions(unseen[0], torch.Generator().manual_seed(0))
    truth, given = sample(unseen[0]), sample(unseen[1])
    return 1 - ((truth - given @ mixing).square().sum() / (truth - truth.mean(0)).square().sum()).item()


def table(recipe: Recipe, data: Path, extra_data: Path | None) -> pd.DataFrame:
    """One row a criterion; TrainingError for a recipe that prunes nothing or holds nothing out."""
    if not recipe.prune or not recipe.hold_out:
        raise TrainingError("prune, hold_out: give a recipe that prunes and sequences to hold out")
    own, held_out = open_splits(recipe, data)
    extra = open_extra(recipe, extra_data)
    assert held_out is not None
    if extra is not None and extra_data is not None:
        own, held_out = Mixture(own, extra), Mixture(held_out, open_dataset(extra.name, extra_data, "val"))
    config = FCNConfig(classes=own.labels.classes)
    seen, unseen = calibration_photos(own, config), calibration_photos(held_out, config)
    convolutions = full_convolutions(read_backbone_weights(recipe.backbone_weights, recipe.backbone))
    full, full_unseen = stages(convolutions, seen), stages(convolutions, unseen)
    rows = []
    for criterion in CRITERIA:
        layers = [pruned.convolution for pruned in prune_layers(convolutions, recipe.width, criterion, seen)]
        pairs = zip(full, stages(layers, seen), zip(full_unseen, stages(layers, unseen), strict=True), strict=True)
        shares = {f"pool{number}": f"{explained(*pair):.2f}" for number, pair in enumerate(pairs, start=1)}
        rows.append({"criterion": criterion} | shares)
    return pd.DataFrame(rows, dtype=str)


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns 0, or 1 with what is wrong on standard error."""
    parser = argparse.ArgumentParser(
        prog="python -m training.criteria", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recipe", type=Path, nargs=1, required=True, help="TOML file of a recipe that prunes")
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the dataset")
    parser.add_argument("--extra-data", type=Path, help="folder that holds the recipe's extra_dataset")
    add_flags(parser)
    options = parser.parse_args(arguments)
    try:
        (recipe,) = resolve(options.recipe, vars(options))
        shown = table(recipe, options.data, options.extra_data)
    except (TrainingError, ValueError) as error:  # data, recipes and weights raise subclasses of ValueError
        print(f"training.criteria: {error}", file=sys.stderr)
        return 1
    print(shown.to_markdown(index=False, disable_numparse=True))
    return 0


if __name__ == "__main__":
    sys.exit(main())
