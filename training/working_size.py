"""The size at which a trained network is to see photos: that of the images that it was trained on."""

from statistics import median

from evaluation.datasets import SegmentationDataset
from training.mixture import Mixture
from training.recipe import Recipe
from zoo.checkpoints.record import MAXIMUM_WORKING_SIZE

IMAGES = 50  # whose sizes are looked at, evenly spread over the split


def working_size(dataset: SegmentationDataset | Mixture, recipe: Recipe) -> int:
    """Median long side of the training images in pixels, times the mean of the random rescale where crops are taken."""
    step = -(-len(dataset) // IMAGES)
    sides = [max(dataset.image(index).shape[:2]) for index in range(0, len(dataset), step)]
    rescale = (recipe.scale_low + recipe.scale_high) / 2 if recipe.crop else 1
    return min(MAXIMUM_WORKING_SIZE, max(1, round(median(sides) * rescale)))
