"""Which images a run trains on and which it is validated on; a fold of the training split where sequences are held out.

Held out whole, a video is new to the network. Of a held-out video's frames every fourth alone may be left out too: the
split by frame that many own data sets come with, and that flatters, as `python -m training.fold` shows.
"""

from pathlib import Path

import numpy as np

from evaluation.datasets import DatasetError, SegmentationDataset, open_dataset
from training import TrainingError
from training.recipe import Recipe
from zoo.text import counted


def open_splits(recipe: Recipe, data: str | Path) -> tuple[SegmentationDataset, SegmentationDataset | None]:
    """Training and validation images; held-out sequences of the training split are the validation where named."""
    whole = open_dataset(recipe.dataset, data, recipe.split)
    if recipe.hold_out:
        held_out = {sequence.strip() for sequence in recipe.hold_out.split(",")}
        others, theirs = whole.select(held_out, exclude=True), whole.select(held_out)
        return (others, theirs) if recipe.hold_out_every == 1 else split_by_frame(whole, theirs, recipe.hold_out_every)
    if not recipe.validate_every:
        return whole, None
    try:
        validation = open_dataset(recipe.validation_dataset or recipe.dataset, data, recipe.validation_split)
    except DatasetError as error:
        raise TrainingError(f"validation_split: {error}; or train without validation: --validate-every 0") from None
    shared = len(set(whole.image_paths) & set(validation.image_paths))
    if shared:
        raise TrainingError(
            f"validation_split: {shared} of its images are trained on too; make a folder for each split, --hold-out "
            "some sequences, or --validate-every 0"
        )
    return whole, validation


def split_by_frame(
    whole: SegmentationDataset, theirs: SegmentationDataset, every: int
) -> tuple[SegmentationDataset, SegmentationDataset]:
    """Hold out the first of every `every` frames of `theirs`, which is a part of `whole`, and train on the rest.

    As many images are trained on as if all of `theirs` were held out: frames of other sequences, evenly spaced in their
    order, make way. Raises TrainingError where there are not so many.
    """
    held_out = set(theirs.image_ids[::every])
    of_theirs = set(theirs.image_ids)
    near = [index for index, name in enumerate(whole.image_ids) if name in of_theirs - held_out]
    others = [index for index, name in enumerate(whole.image_ids) if name not in of_theirs]
    if len(near) >= len(others):
        raise TrainingError(
            f"hold_out_every: {counted(len(near), 'frame')} would replace as many of the {len(others)} of other "
            "sequences; hold out shorter sequences"
        )
    kept = np.linspace(0, len(others) - 1, len(others) - len(near)).round().astype(int)
    trained = sorted([*near, *(others[place] for place in kept)])
    return whole.subset(trained), theirs.subset(range(0, len(theirs), every))
