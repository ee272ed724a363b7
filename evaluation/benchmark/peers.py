"""The network alone against peers and against the machine: the published FCN, torchvision's FCN, the matrix rate.

The published network is restated with its padding of 100 in plain float32 (wkentaro/pytorch-fcn, models/fcn8s.py);
torchvision's is called as its documentation does. Weights are random: time does not depend on them.
"""

import torch
from torchvision.models.segmentation import fcn_resnet50

from evaluation.benchmark.measure import Row, Settings
from evaluation.measuring.cost import multiply_accumulates
from zoo.labels import PASCAL_VOC
from zoo.models.fcn import FCN, FCNConfig
from zoo.models.preparation import choose_precision, engine_of
from zoo.models.timing import in_turns

HEIGHT, WIDTH = 360, 480
MATRIX = 4096


def peers(settings: Settings) -> list[Row]:
    """Full-size FCN-8s VGG-16 against the published float32 network and torchvision's fcn_resnet50."""
    height, width = (32, 48) if settings.quick else (HEIGHT, WIDTH)
    size = {"width": 0.0625, "head_channels": 16} if settings.quick else {}
    pixels = torch.randint(256, (height, width, 3), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    images = pixels.permute(2, 0, 1)[None].contiguous() / 255
    classes = PASCAL_VOC.classes
    engine = engine_of(FCN(FCNConfig(classes=classes, **size)))
    published = FCN(FCNConfig(classes=classes, padding="paper", **size)).eval()
    resnet = fcn_resnet50(weights=None, weights_backbone=None, num_classes=len(classes)).eval()
    with torch.inference_mode():
        seconds = in_turns(
            {
                "ours": lambda: engine.score_maps(pixels.numpy()),
                "published": lambda: published(images),
                "resnet": lambda: resnet(images)["out"],
            },
            settings.rounds,
        )
    return [
        Row(f"FCN-8s VGG-16, ours, {engine.precision}", 1000 * seconds["ours"], "ms"),
        Row("FCN-8s VGG-16 as published, pad 100, fp32", 1000 * seconds["published"], "ms"),
        Row("torchvision fcn_resnet50, fp32", 1000 * seconds["resnet"], "ms"),
        Row("ours / as published", seconds["ours"] / seconds["published"], goal="<= 0.22"),
        Row("ours / torchvision fcn_resnet50", seconds["ours"] / seconds["resnet"], goal="<= 0.45"),
    ]


def matrix_rate(settings: Settings) -> list[Row]:
    """The checkpoint's multiply-accumulates per second as a share of a matrix product's at the same precision."""
    precision = choose_precision("auto")
    engine, side = engine_of(settings.model), 64 if settings.quick else MATRIX
    left, right = torch.randn(2, side, side, generator=torch.Generator().manual_seed(0)).to(
        torch.bfloat16 if precision == "bf16" else torch.float32
    )
    pixels = torch.randint(256, (HEIGHT, WIDTH, 3), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    work = multiply_accumulates(settings.model, pixels.permute(2, 0, 1)[None])
    with torch.inference_mode():
        seconds = in_turns(
            {"matrix": lambda: left @ right, "engine": lambda: engine.score_maps(pixels.numpy())}, settings.rounds
        )
    matrix, ours = side**3 / seconds["matrix"], work / seconds["engine"]
    return [
        Row(f"matrix product {side}^3, {precision}", 2e-9 * matrix, "GFLOPS"),
        Row(f"{settings.checkpoint}, pixels to score maps", 1000 * seconds["engine"], "ms"),
        Row("multiply-accumulates per second / those of the matrix product", ours / matrix, goal=">= 0.80"),
    ]
