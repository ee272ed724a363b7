"""Published FCN weights to checkpoint folders.

wkentaro's PyTorch port holds the authors' Caffe weights under the layer names of the published prototxts
(fcn32s, fcn16s, fcn8s and fcn8s-atonce `_from_caffe.pth`, PASCAL VOC). They expect BGR values from 0 to 255 less the
mean colour, padding 100 and fixed crop offsets, all of which the checkpoint's configuration says. Files are read with
`torch.load(weights_only=True)`, which runs no code.
"""

import pickle
from pathlib import Path

import torch
from torch import nn

from zoo.checkpoints.folder import file_sha256, save
from zoo.checkpoints.information import CheckpointError, CheckpointInfo, checkpoint_name
from zoo.labels import PASCAL_VOC, LabelSet
from zoo.models.fcn import FCN, FCNConfig, bilinear_kernel
from zoo.text import counted, word_for

SOURCES = ("wkentaro",)
# Mean colour of the ILSVRC 2012 training images, blue, green, red, 0..255 (voc_layers.py of the authors' code).
CAFFE_MEAN = (104.00698793, 116.66876762, 122.67891434)
# Where the paper's padding lets the pools sample: 99 pixels of shift modulo the coarsest stride.
PAPER_PHASE = 3
VOC_LONG_SIDE = 500  # of almost every image of PASCAL VOC; they were trained on at their own size
CONVOLUTIONS = tuple(
    f"conv{block}_{index}" for block, count in enumerate((2, 2, 3, 3, 3), 1) for index in range(1, count + 1)
)
SCORES = {"score_fr": "32", "score_pool4": "16", "score_pool3": "8"}
UPSCORES = {"fcn32s": ("upscore",), "fcn16s": ("upscore2", "upscore16")}
UPSCORES["fcn8s"] = ("upscore2", "upscore_pool4", "upscore8")
PARTS = {"fcn32s": ("score_fr",), "fcn16s": ("score_fr", "score_pool4"), "fcn8s": tuple(SCORES)}


def convert(
    file: str | Path,
    out: str | Path,
    *,
    source: str = "wkentaro",
    padding: str = "paper",
    labels: LabelSet = PASCAL_VOC,
    at_once: bool | None = None,
    half: bool = False,
) -> CheckpointInfo:
    """Write the checkpoint folder `out` from a published weights file; returns its CheckpointInfo.

    padding 'paper' gives the original network's logits: the same to 1e-5 in float64. In float32 either network is off
    that by rounding, so they differ by some 1e-6 of the largest logit, 1e-4 on logits around 50. 'same' drops the 100
    pixels and keeps the phase of the pools, 2.2 times cheaper on 480x360 and equal where no border is in sight.
    at_once: whether pool4 and pool3 are scaled as in fcn8s-atonce, which the weights do not tell; None goes by
    'atonce' in the file's name. half stores 16-bit numbers, which moves logits. Raises CheckpointError when the file
    is not what its source publishes.
    """
    if source not in SOURCES:
        raise CheckpointError(f"unknown source {source!r}; choose one of {', '.join(SOURCES)}")
    file = Path(file)
    state = read_state(file)
    at_once = "atonce" in file.name.lower().replace("-", "") if at_once is None else at_once
    try:
        config = config_for(state, labels, padding=padding, at_once=at_once)
        model = FCN(config)
        model.load_state_dict(renamed(state, model))
    except (RuntimeError, ValueError) as error:
        raise CheckpointError(f"{file}: {error}") from None
    training = {"converted_from": file.name, "converted_sha256": file_sha256(file), "source": source}
    name = checkpoint_name(config, "ce", labels.name)
    name = name.replace("fcn8s-", "fcn8s-atonce-", 1) if at_once else name
    dtype = torch.float16 if half else torch.float32
    more = {"dtype": dtype, "working_size": VOC_LONG_SIDE}
    return save(model.eval(), out, name=name, labels=labels, loss="ce", training=training, **more)


def read_state(file: str | Path) -> dict[str, torch.Tensor]:
    """The tensors of a `.pth` file by name; raises CheckpointError when it holds anything else."""
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise CheckpointError(f"{file}: no such file") from None
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, OSError) as error:
        reason = str(error).split("\n", 1)[0][:200]
        raise CheckpointError(f"{file}: not a file of tensors; files that hold code are refused ({reason})") from None
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise CheckpointError(f"{file}: needs a dictionary of tensors, as torch.save(model.state_dict()) writes it")
    return state


def config_for(state: dict[str, torch.Tensor], labels: LabelSet, *, padding: str, at_once: bool) -> FCNConfig:
    """The architecture that the tensors describe; raises CheckpointError naming the missing or unknown tensor."""
    variant = "fcn8s" if "score_pool3.weight" in state else "fcn16s" if "score_pool4.weight" in state else "fcn32s"
    layers = (*CONVOLUTIONS, "fc6", "fc7", *PARTS[variant])
    needed = {f"{layer}.{kind}" for layer in layers for kind in ("weight", "bias")}
    needed |= {f"{layer}.weight" for layer in UPSCORES[variant]}
    if wrong := sorted(needed - state.keys()):
        verb = word_for(len(wrong), "is", "are")
        raise CheckpointError(f"a {variant} needs the tensor {wrong[0]}, which is missing ({len(wrong)} {verb})")
    if wrong := sorted(state.keys() - needed):
        raise CheckpointError(
            f"a {variant} has no tensor {wrong[0]} ({len(wrong)} {word_for(len(wrong), 'is', 'are')} unknown)"
        )
    if at_once and variant != "fcn8s":
        raise CheckpointError(f"at_once goes with fcn8s, these are the weights of a {variant}")
    classes = len(state["score_fr.weight"])
    if classes != len(labels.classes):
        raise CheckpointError(
            f"the weights know {counted(classes, 'class', 'classes')}, {labels.title} has {len(labels.classes)}"
        )
    fixed = [is_bilinear(state[f"{layer}.weight"]) for layer in UPSCORES[variant]]
    return FCNConfig(
        variant=variant,
        backbone="vgg16",
        classes=labels.classes,
        width=len(state["conv1_1.weight"]) / 64,
        head_channels=len(state["fc6.weight"]),
        head_kernel=state["fc6.weight"].shape[-1],
        padding=padding,
        phase=PAPER_PHASE if padding == "same" else 0,
        upsampling="fixed" if all(fixed) else "paper" if fixed[-1] else "learned",
        pool_scaling=at_once,
        channel_order="bgr",
        mean=tuple(value / 255 for value in CAFFE_MEAN),
        std=(1 / 255,) * 3,
    )


def is_bilinear(weight: torch.Tensor) -> bool:
    """Whether a (C, C, 2s, 2s) transposed convolution interpolates each class bilinearly and mixes none."""
    classes, _, size, _ = weight.shape
    expected = torch.zeros_like(weight)
    expected[range(classes), range(classes)] = bilinear_kernel(size // 2).to(weight)
    return torch.allclose(weight, expected, atol=1e-6)


def renamed(state: dict[str, torch.Tensor], model: FCN) -> dict[str, torch.Tensor]:
    """The same tensors under the names of `model`'s state dict; fixed upsampling is left out, the model has it."""
    names = {layer: name for name, layer in model.named_modules() if isinstance(layer, nn.Conv2d)}
    encoder = [name for layer, name in names.items() if name.startswith("encoder.")]
    target = dict(zip(CONVOLUTIONS, encoder, strict=True)) | {"fc6": "head.fc6", "fc7": "head.fc7"}
    target |= {layer: f"score.{stride}" for layer, stride in SCORES.items()}
    upscores = UPSCORES[model.config.variant]
    target |= {layer: f"upsample.{stride}" for layer, stride in zip(upscores[:-1], ("32", "16"), strict=False)}
    target[upscores[-1]] = "upsample_output"
    wanted = model.state_dict().keys()
    found = {}
    for key, value in state.items():
        layer, kind = key.rsplit(".", 1)
        if (name := f"{target[layer]}.{kind}") in wanted:
            found[name] = value
    return found
