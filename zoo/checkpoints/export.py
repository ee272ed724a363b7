"""A checkpoint as one ONNX file that other engines, phones and browsers run: `python -m zoo export`.

The file holds the portable graph of `zoo.models.graph` and says in its metadata what it is: classes, palette, working
size, licence of the data, sha256 of the weights. It is compared with the checkpoint before it gets its name.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from zoo.atomic import replacing
from zoo.checkpoints.information import CheckpointError, CheckpointInfo
from zoo.checkpoints.terms import terms_of
from zoo.config import FCNConfig
from zoo.images.photo import ImageError, decode_image

if TYPE_CHECKING:
    from onnx import ModelProto
    from onnxruntime import InferenceSession

    from zoo.models.fcn import FCN

REQUIREMENTS = "zoo/export-requirements.txt"
SNIPPETS = Path(__file__).parent / "export_snippets"  # programs that use an exported file
WEIGHTS = ("fp32", "fp16", "int8")
CHECKED_SIZES = ((1, 1), (31, 33), (97, 64), (100, 131))
# How far the logit of the class that wins in the file may lie below the checkpoint's best, of the largest logit.
TOLERANCE = {"fp32": 1e-4, "fp16": 2e-2}
LEAST_AGREEMENT = 0.9  # of the pixels of the calibration photos, for 8-bit files
CALIBRATION_PHOTOS = 100


@dataclass(frozen=True)
class Export:
    """What `export` wrote: the file, its bytes, and the share of pixels on which its masks are the checkpoint's.

    pixels: how many were compared.
    """

    path: Path
    file_bytes: int
    agreement: float
    pixels: int


def export(
    model: FCN,
    out: str | Path,
    *,
    weights: str = "fp32",
    logits: bool = False,
    score_maps: bool = False,
    photos: str | Path | None = None,
) -> Export:
    """Write the network that `zoo.load` gave as the ONNX file `out`, after comparing it with the network.

    The file's input 'photo' is (height, width, 3) uint8 RGB of any size, its outputs are 'mask' (height, width) uint8
    and 'confidence' (height, width) float32, or with `logits` the (classes, height, width) float32 of that name,
    followed with `score_maps` by those inside the network, as `zoo.models.graph.score_map_outputs` names them.
    weights: 'fp32'; 'fp16', stored in 16 bits and computed in 32; or 'int8', convolutions in 8 bits with ranges from
    the images in the folder `photos`. Raises CheckpointError where the libraries are missing, the network is not an
    FCN, or the file does not say what the checkpoint says; then `out` is as it was before.
    """
    out, info = Path(out), model.info
    if weights not in WEIGHTS:
        raise CheckpointError(f"weights is {weights!r}; choose one of {', '.join(WEIGHTS)}")
    if out.suffix != ".onnx":
        raise CheckpointError(f"{out}: name a file that ends in .onnx")
    if not isinstance(info.config, FCNConfig):
        raise CheckpointError(f"{info.name}: only FCNs can be exported, this is a {info.variant}")
    if (weights == "int8") != (photos is not None):
        raise CheckpointError("int8 needs a folder of photos like those that it will see, and nothing else does")
    with _libraries():
        from zoo.models.graph import build_graph, score_map_outputs

        images = read_photos(photos, info) if photos is not None else checked_images()
        outputs = ("logits",) if logits else ("mask", "confidence")
        outputs += score_map_outputs(info.config) if score_maps else ()
        facts = metadata(info, weights) | ({"calibration_photos": str(len(images))} if weights == "int8" else {})
        arrays = {name: value.detach().cpu().numpy() for name, value in model.state_dict().items()}
        try:
            graph = build_graph(model.config, arrays, outputs=outputs, half=weights == "fp16", metadata=facts)
        except ValueError as error:
            raise CheckpointError(f"{info.name}: {error}") from None
        with replacing(out) as temporary:
            content = quantized(graph, images) if weights == "int8" else graph.SerializeToString(deterministic=True)
            temporary.write_bytes(content)
            agreement = compare(temporary, model, images, weights)
        return Export(out, out.stat().st_size, agreement, sum(image.shape[0] * image.shape[1] for image in images))


def snippet(name: str) -> str:
    """The program 'onnxruntime', 'openvino' or 'browser' that uses an exported file, «FILE», at long side «SIDE»."""
    return (SNIPPETS / f"{name}.txt").read_text(encoding="utf-8")


@contextlib.contextmanager
def _libraries() -> Iterator[None]:
    """Say how to get the libraries that an export needs, where one is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise CheckpointError(f"{error.name} is not installed; run: pip install -r {REQUIREMENTS}") from None


def metadata(info: CheckpointInfo, weights: str) -> dict[str, str]:
    """What a file says of itself, text by name; lists are JSON."""
    terms, labels = terms_of(info), info.labels
    facts = {
        "name": info.name,
        "sha256": info.sha256,
        "variant": info.variant,
        "backbone": info.backbone_label,
        "weights": weights,
        "dataset": labels.name,
        "classes": json.dumps(labels.classes),
        "palette": json.dumps(labels.palette),
        "void": str(labels.void),
        "licence": terms.licence,
        "licence_text": terms.sentence,
        "citation": terms.citation,
    }
    return facts | ({"working_size": str(info.working_size)} if info.working_size else {})


def checked_images() -> list[np.ndarray]:
    """Images (H, W, 3) uint8 of odd sizes, patches of colour with noise: what float exports are compared on."""
    random, images = np.random.default_rng(0), []
    for height, width in CHECKED_SIZES:
        patches = random.integers(0, 256, (-(-height // 16), -(-width // 16), 3))
        image = patches.repeat(16, 0).repeat(16, 1)[:height, :width] + random.integers(-20, 21, (height, width, 3))
        images.append(image.clip(0, 255).astype(np.uint8))
    return images


def read_photos(folder: str | Path, info: CheckpointInfo) -> list[np.ndarray]:
    """At most `CALIBRATION_PHOTOS` images of a folder, evenly spread over it, as the checkpoint is shown them."""
    paths = sorted(path for path in Path(folder).glob("*") if path.is_file()) if Path(folder).is_dir() else []
    if not paths:
        raise CheckpointError(f"{folder}: a folder of photos is needed, and this holds none")
    step, images = max(1, len(paths) / CALIBRATION_PHOTOS), []
    for index in range(min(len(paths), CALIBRATION_PHOTOS)):
        path = paths[int(index * step)]
        try:
            images.append(np.array(decode_image(path, info.working_size).image))
        except ImageError as error:
            raise CheckpointError(f"{path}: {error}") from None
    return images


def quantized(graph: ModelProto, images: list[np.ndarray]) -> bytes:
    """The graph with its convolutions in 8 bits, weights by channel, ranges of the features from `images`.

    The first convolution and the scores stay in float: few multiplications, and the mask hangs on them.
    """
    import tempfile

    from onnxruntime.quantization import (
        CalibrationDataReader,
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    class Photos(CalibrationDataReader):
        rest = iter(images)

        def get_next(self) -> dict | None:
            image = next(self.rest, None)
            return None if image is None else {"photo": image}

    convolutions = [node.name for node in graph.graph.node if node.op_type == "Conv"]
    kept = [convolutions[0], *(name for name in convolutions if name.startswith("score."))]
    with _quiet(), tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "int8.onnx"
        quantize_static(
            graph,
            path,
            Photos(),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv", "MaxPool"],
            nodes_to_exclude=kept,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )
        return path.read_bytes()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the advice that ONNX Runtime logs about graphs of exporters."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def onnx_runtime() -> ModuleType:
    """The library onnxruntime with its telemetry off: its releases send events to their maker unless told otherwise.

    Its own `disable_telemetry_events` comes too late for the first ones and for the identifier it stores.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read when the library is imported
    import onnxruntime

    return onnxruntime


def open_session(path: str | Path, *, threads: int = 0) -> InferenceSession:
    """An exported file in ONNX Runtime, on the CPU; 0 threads leave the number to it."""
    onnxruntime = onnx_runtime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3  # errors
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def compare(path: Path, model: FCN, images: list[np.ndarray], weights: str) -> float:
    """Share of the pixels on which the file's mask is the checkpoint's, in float32.

    Raises CheckpointError where a float file lets a class win that lies further than `TOLERANCE` below the best, or
    an 8-bit one agrees on less than `LEAST_AGREEMENT`.
    """
    session, same, count = open_session(path), 0, 0
    for image in images:
        expected, first = logits_of(model, image), np.asarray(session.run(None, {"photo": image})[0])
        mask = first if first.ndim == 2 else first.argmax(0)
        if mask.shape != image.shape[:2]:
            raise CheckpointError(f"an image of {image.shape[:2]} gives a mask of {mask.shape}; nothing is written")
        below = (expected.max(0) - np.take_along_axis(expected, mask[None].astype(np.int64), 0)[0]).max()
        limit = TOLERANCE.get(weights, np.inf) * max(1.0, np.abs(expected).max())
        if not below <= limit:
            raise CheckpointError(
                f"the file's masks are not the checkpoint's: a class won that lies {below:.2g} below the best, more "
                f"than {limit:.2g}, on an image of {image.shape[:2]}; nothing is written"
            )
        same, count = same + int((mask == expected.argmax(0)).sum()), count + mask.size
    if same < LEAST_AGREEMENT * count:
        raise CheckpointError(
            f"the file's masks are the checkpoint's on {same / count:.1%} of the pixels only, fewer than "
            f"{LEAST_AGREEMENT:.0%}; nothing is written, try --weights fp16"
        )
    return same / count


def logits_of(model: FCN, image: np.ndarray) -> np.ndarray:
    """The network's own logits (classes, H, W) float32 of an image (H, W, 3) uint8."""
    import torch

    device = next(model.parameters()).device
    with torch.inference_mode():
        images = torch.from_numpy(image).to(device).permute(2, 0, 1)[None].float() / 255
        return model(images)[0].cpu().numpy()
