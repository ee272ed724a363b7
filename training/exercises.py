"""Checks of the notebook's exercises: a forward pass that a student has mended, held against the network's own.

A small FCN-8s with random scores and images of several sizes stand for all networks and images; what is wrong is said
in a sentence that leads on and does not give the answer away.
"""

from collections.abc import Callable

import torch

from zoo.config import FCNConfig
from zoo.models.fcn import FCN

SIZES = ((64, 96), (75, 53), (33, 130))  # of the images; the first alone is a multiple of 32
TOLERANCE = 1e-3

Forward = Callable[[FCN, torch.Tensor], torch.Tensor]


def features(model: FCN, images: torch.Tensor, *, fill: bool = True) -> dict[int, torch.Tensor]:
    """{8, 16, 32: (N, channels, H', W') features of pool3, pool4 and pool5} of images (N, 3, H, W) in [0, 1].

    With `fill` the normalised images are filled up with zeros to multiples of 32 first, as `zoo.FCN` does.
    """
    normalised = (images - model.mean) / model.std
    if fill:
        normalised = torch.nn.functional.pad(normalised, model.margins(*images.shape[-2:]))
    return model.encoder(normalised)


def small_network(seed: int = 0) -> FCN:
    """An FCN-8s of a sixteenth of the width and five classes, in eval mode, whose scores are random."""
    classes = ("sky", "grass", "road", "car", "pole")
    tiny = {"backbone": "vgg16_bn", "width": 0.0625, "head_channels": 16, "head_kernel": 3}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = FCN(FCNConfig(variant="fcn8s", classes=classes, **tiny))
        for layer in model.score.values():
            torch.nn.init.normal_(layer.weight, std=0.1)
    return model.eval()


@torch.inference_mode()
def check(forward: Forward) -> list[str]:
    """What is wrong with `forward(model, images) -> logits`, one sentence for each kind; empty where nothing is."""
    model = small_network()
    found: dict[str, None] = {}
    for size in SIZES:
        images = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(1))
        if problem := _problem(forward, model, images):
            found[problem] = None
    return list(found) or _deaf_to(forward, model)


def _problem(forward: Forward, model: FCN, images: torch.Tensor) -> str | None:
    height, width = images.shape[-2:]
    expected = model(images)
    try:
        logits = forward(model, images)
    except Exception as error:  # a student's code may raise anything
        return f"An image of {height} x {width} raises {type(error).__name__}: {error}"
    if not isinstance(logits, torch.Tensor) or logits.shape != expected.shape:
        shape = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
        return f"An image of {height} x {width} gives {shape}; logits {tuple(expected.shape)} are wanted."
    if torch.allclose(logits, expected, atol=TOLERANCE):
        return None
    if logits.min() >= 0 > expected.min():
        return "No logit is below 0: what comes after the scores that cuts them off?"
    if silent := _deaf_to(forward, model):
        return silent[0]
    if height % 32 or width % 32:
        return "An image whose sides are no multiples of 32 gives other logits: on which grids do the sums stand?"
    return "The logits are others than the network's: does every layer see what it was trained on, at the same place?"


def _deaf_to(forward: Forward, model: FCN) -> list[str]:
    """Skips to which the forward pass does not listen."""
    images = torch.rand(1, 3, *SIZES[0], generator=torch.Generator().manual_seed(2))
    before, found = forward(model, images), []
    for layer, stride in (("pool3", "8"), ("pool4", "16")):
        changed = small_network()
        score = changed.score.get_submodule(stride)
        assert isinstance(score, torch.nn.Conv2d)
        score.weight.mul_(2)
        if torch.equal(forward(changed, images), before):
            found.append(f"The logits stay the same when the scores of {layer} change: who adds them?")
    return found
