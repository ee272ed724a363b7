"""How fast a recipe's loop trains on a device, in images a second, and what share of the device's matrix rate that is.

Beside it, in the same run, a loop as torchvision's reference scripts write it: the same network, loss, crops and
precision, each image read from its file and transformed by a DataLoader's processes.
"""

import os
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch.utils.data import DataLoader, Dataset
from torch.utils.flop_counter import FlopCounterMode
from torchvision import tv_tensors
from torchvision.transforms import v2

from evaluation.datasets import SegmentationDataset
from training.augmentation import MEAN_COLOUR
from training.loop import Run, batch_loss, build_run, device_batches, recipe_loss, take_step
from training.mixture import Mixture
from training.processes import start_accelerator
from training.recipe import Recipe
from zoo.checkpoints.folder import build

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}


class ReferenceCrops(Dataset):
    """Image and mask of an index, read and transformed anew: torchvision's reference presets for segmentation.

    Image (3, crop, crop) float32 in [0, 1], which the network normalises itself; mask (crop, crop) int64.
    """

    def __init__(self, dataset: SegmentationDataset | Mixture, recipe: Recipe):
        self.dataset = dataset
        side, jitter = recipe.crop, recipe.jitter
        fill = {tv_tensors.Image: MEAN_COLOUR, tv_tensors.Mask: dataset.labels.void}
        low, high = (round(side * scale) for scale in (recipe.scale_low, recipe.scale_high))
        self.transform = v2.Compose(
            [
                v2.RandomResize(max(1, low), max(2, high, low + 1), antialias=True),
                v2.RandomHorizontalFlip(0.5),
                v2.ColorJitter(jitter, jitter, jitter, min(jitter / 5, 0.5)),
                v2.RandomCrop(side, pad_if_needed=True, fill=fill),
                v2.ToDtype({tv_tensors.Image: torch.float32, tv_tensors.Mask: torch.int64}, scale=True),
                v2.ToPureTensor(),
            ]
        )

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        image = tv_tensors.Image(torch.from_numpy(self.dataset.image(index)).permute(2, 0, 1))
        return self.transform(image, tv_tensors.Mask(torch.from_numpy(self.dataset.mask(index))))


def measure(recipe: Recipe, dataset: SegmentationDataset | Mixture, device: str, *, steps: int, turns: int) -> dict:
    """Images a second of both loops, medians over `turns` turns of `steps` steps taken side by side, and the share.

    Returns {"recipe_images_per_second", "reference_images_per_second", "ratio", "flops_per_image",
    "matrix_flops_per_second", "share", "precision", "device", "turns"}; operations count multiplications and additions.
    """
    accelerator = start_accelerator(recipe, device=device, expected=1)
    total = steps * (turns + 1)
    main = dataset.main if isinstance(dataset, Mixture) else dataset
    operations = flops_per_image(build_run(replace(recipe, compile=False), main, None, accelerator, total), dataset)
    run = build_run(recipe, main, None, accelerator, total)
    batches = device_batches(run, dataset, 0, total, 0)
    reference = reference_steps(recipe, dataset, accelerator.device)
    counts = iter(range(total))
    loops: dict[str, Callable[[], object]] = {
        "recipe": lambda: take_step(run, batches, next(counts)),
        "reference": lambda: next(reference),
    }
    speeds = {name: [] for name in loops}
    for turn in range(turns + 1):
        for name, take in loops.items():
            seconds = timed(lambda take=take: [take() for _ in range(steps)], accelerator.device)
            if turn:  # the first one compiles and starts processes
                speeds[name].append(steps * recipe.batch_size / seconds)
    ours, theirs = (statistics.median(speeds[name]) for name in loops)
    rate = matrix_rate(accelerator.device, DTYPES[recipe.precision])
    return {
        "recipe_images_per_second": ours,
        "reference_images_per_second": theirs,
        "ratio": ours / theirs,
        "flops_per_image": operations,
        "matrix_flops_per_second": rate,
        "share": ours * operations / rate,
        "precision": recipe.precision,
        "device": torch.cuda.get_device_name(accelerator.device) if accelerator.device.type == "cuda" else "cpu",
        "turns": speeds,
    }


def flops_per_image(run: Run, dataset: SegmentationDataset | Mixture) -> float:
    """Operations of one image's share of a training step, forward and backward, as torch counts them."""
    images, targets, labelled = next(device_batches(run, dataset, 0, 1, 0))
    with FlopCounterMode(display=False) as counter, run.accelerator.autocast():
        batch_loss(run, images, targets, labelled).backward()
    run.model.zero_grad()
    return counter.get_total_flops() / len(images)


def matrix_rate(device: torch.device, dtype: torch.dtype) -> float:
    """Operations a second of a product of two large square matrices: the best of five, as the device's own limit."""
    side, repeats = (8192, 8) if device.type == "cuda" else (1024, 2)
    left, right = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    seconds = [timed(lambda: [left @ right for _ in range(repeats)], device) for _ in range(6)]
    return 2 * side**3 * repeats / min(seconds[1:])


def reference_steps(recipe: Recipe, dataset: SegmentationDataset | Mixture, device: torch.device) -> Iterator[None]:
    """Steps of the reference loop, without end: SGD, autocast at the recipe's precision, a DataLoader's processes."""
    torch.manual_seed(recipe.seed)
    main = dataset.main if isinstance(dataset, Mixture) else dataset
    model = build(recipe.model_config(main.labels)).to(device).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=recipe.learning_rate, momentum=0.9, weight_decay=1e-4)
    loss_function = recipe_loss(recipe, main, device)
    workers = 0 if device.type == "cpu" else len(os.sched_getaffinity(0))
    options = {"num_workers": workers, "pin_memory": device.type == "cuda", "persistent_workers": workers > 0}
    loader = DataLoader(ReferenceCrops(dataset, recipe), recipe.batch_size, shuffle=True, drop_last=True, **options)
    mixed = {"dtype": DTYPES[recipe.precision], "enabled": recipe.precision != "fp32"}
    while True:
        for images, targets in loader:
            images, targets = (tensor.to(device, non_blocking=True) for tensor in (images, targets))
            with torch.autocast(device.type, **mixed):
                loss = loss_function(model(images), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            yield


def timed(work: Callable[[], object], device: torch.device) -> float:
    """Seconds that `work` takes, with what it left running on a GPU."""
    started = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started
