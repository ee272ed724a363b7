"""Result files: `NAME__DATASET__SPLIT.json` and, beside it under the same name, the per-image counts as `.npz`.

The JSON says what was measured, on what, how and by which command; every figure in it follows from the counts, and
`verify` recomputes them all. Both files are written to a temporary name first.
"""

import hashlib
import json
import os
import re
import zipfile
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from evaluation.boundary import BAND_WIDTHS
from evaluation.calibration import BINS
from evaluation.counts import Counts
from evaluation.figures import figures
from zoo.baselines import PREFIX, TORCHVISION

SCHEMA_VERSION = 1
TOLERANCE = 1e-6
MAXIMUM_JSON_BYTES = 4_000_000
MAXIMUM_COUNTS_BYTES = 1_000_000_000  # unpacked
NUMBER = (int, float)
OPTIONAL_TEXT = (str, type(None))
SCHEMA = {
    "schema_version": int,
    "checkpoint": dict,
    "checkpoint.name": str,
    "checkpoint.variant": str,
    "checkpoint.backbone": str,
    "checkpoint.loss": str,
    "checkpoint.source": str,
    "checkpoint.repository": OPTIONAL_TEXT,
    "checkpoint.revision": OPTIONAL_TEXT,
    "checkpoint.sha256": str,
    "checkpoint.file_bytes": int,
    "checkpoint.training": dict,
    "dataset": dict,
    "dataset.name": str,
    "dataset.split": str,
    "dataset.images": int,
    "dataset.image_list_sha256": str,
    "dataset.classes": list,
    "dataset.void": int,
    "protocol": dict,
    "protocol.precision": str,
    "protocol.bootstrap": dict,
    "protocol.bootstrap.resamples": int,
    "protocol.bootstrap.block_frames": int,
    "protocol.bootstrap.seed": int,
    "scores": dict,
    "boundary": dict,
    "intervals": dict,
    "sequences": dict,
    "calibration": dict,
    "confusion_matrix": list,
    "cost": dict,
    "cost.parameters": int,
    "cost.gmacs": NUMBER,
    "cost.timings": list,
    "counts": dict,
    "counts.file": str,
    "counts.sha256": str,
    "environment": dict,
    "environment.command": str,
    "environment.date": str,
    "environment.git_commit": OPTIONAL_TEXT,
    "environment.versions": dict,
}
TIMING = {"device": str, "kind": str, "precision": str, "milliseconds": NUMBER, "peak_memory_bytes": int}


class ResultError(ValueError):
    """A result that cannot be used; the message names the file or field and what to do."""


@dataclass(frozen=True)
class Result:
    """A result read back: the JSON document, the counts, and the names of images and sequences in their order.

    counts is None where only the document is known, as of a result that somebody else states.
    """

    document: dict
    counts: Counts | None
    image_ids: tuple[str, ...]
    sequences: tuple[str, ...]

    @property
    def name(self) -> str:
        """The checkpoint's name."""
        return self.document["checkpoint"]["name"]


def published_name(checkpoint: dict) -> str:
    """OWNER/NAME on the Hub or torchvision:NAME of a result's checkpoint, whose weights anybody can get.

    Raises ResultError saying what to do where it is neither, or not at a fixed revision.
    """
    if checkpoint["source"] == "torchvision":
        baseline = TORCHVISION.get(checkpoint["name"].removeprefix(PREFIX))
        if baseline is None or not checkpoint["sha256"].startswith(baseline.sha256_start):
            raise ResultError("checkpoint: torchvision publishes no such weights under this name")
        return checkpoint["name"]
    if checkpoint["source"] != "hub" or not re.fullmatch(r"[\w.-]+/[\w.-]+", checkpoint["repository"] or "", re.ASCII):
        raise ResultError(
            f"checkpoint.source is {checkpoint['source']!r}; publish the checkpoint with `python -m zoo push` and "
            "evaluate it by its Hub id, so that others can get the same weights"
        )
    if not re.fullmatch(r"[0-9a-f]{40}", checkpoint["revision"] or ""):
        raise ResultError("checkpoint.revision is not a commit; evaluate it again from the Hub")
    return checkpoint["repository"]


def result_name(checkpoint: str, dataset: str, split: str) -> str:
    """File name without ending; characters that file systems dislike become '-'."""
    return "__".join(re.sub(r"[^A-Za-z0-9.+_-]+", "-", part) for part in (checkpoint, dataset, split))


def image_list_sha256(image_ids: tuple[str, ...]) -> str:
    """SHA-256 of the image names, one a line."""
    return hashlib.sha256("".join(f"{name}\n" for name in image_ids).encode()).hexdigest()


def write_result(
    folder: str | Path, counts: Counts, image_ids: tuple[str, ...], sequences: tuple[str, ...], document: dict
) -> Path:
    """Add the figures to `document`, write both files into `folder` and return the path of the JSON.

    `document` holds checkpoint, dataset, protocol, cost and environment as in `SCHEMA`. An interruption leaves the
    earlier result, if there was one, and no file of the new one.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint, dataset = document["checkpoint"]["name"], document["dataset"]
    path = folder / f"{result_name(checkpoint, dataset['name'], dataset['split'])}.json"
    counts_path = path.with_suffix(".npz")
    temporary = [file.with_name(f".{file.name}.part") for file in (counts_path, path)]
    try:
        with open(temporary[0], "wb") as file:
            names = {"image_ids": np.array(image_ids, dtype=str), "sequences": np.array(sequences, dtype=str)}
            np.savez_compressed(file, **vars(counts), **names)
        digest = hashlib.sha256(temporary[0].read_bytes()).hexdigest()
        whole = {
            "schema_version": SCHEMA_VERSION,
            **document,
            **figures(counts, tuple(dataset["classes"]), sequences, **document["protocol"]["bootstrap"]),
            "counts": {"file": counts_path.name, "sha256": digest},
        }
        check_schema(whole)
        temporary[1].write_text(json.dumps(whole, indent=1, allow_nan=False) + "\n", encoding="utf-8")
        for source, target in zip(temporary, (counts_path, path), strict=True):
            os.replace(source, target)
    finally:
        for file in temporary:
            file.unlink(missing_ok=True)
    return path


def read_document(path: str | Path) -> dict:
    """The JSON of a result, checked against `SCHEMA`. Raises ResultError naming file and field."""
    path = Path(path)
    if not path.is_file():
        raise ResultError(f"{path}: no such file; `python -m evaluation` writes result files")
    if path.stat().st_size > MAXIMUM_JSON_BYTES:
        raise ResultError(f"{path}: larger than {MAXIMUM_JSON_BYTES} bytes, not a result")
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ResultError(f"{path}: not valid JSON ({error}); write it again with `python -m evaluation`") from None
    try:
        check_schema(document)
    except ResultError as error:
        raise ResultError(f"{path}: {error}") from None
    return document


def check_schema(document: object) -> None:
    """Raise ResultError naming the first field that is missing, of another type, or out of range."""
    if not isinstance(document, dict):
        raise ResultError("a result is a JSON object")
    for name, kind in SCHEMA.items():
        _check_field(document, name, kind)
    if document["schema_version"] != SCHEMA_VERSION:
        raise ResultError(f"schema_version is {document['schema_version']}, this program reads {SCHEMA_VERSION}")
    for name in ("checkpoint.sha256", "dataset.image_list_sha256", "counts.sha256"):
        if not re.fullmatch(r"[0-9a-f]{64}", _value(document, name)):
            raise ResultError(f"{name}: needs 64 hexadecimal digits")
    classes = document["dataset"]["classes"]
    if not classes or not all(isinstance(item, str) for item in classes) or len(set(classes)) != len(classes):
        raise ResultError("dataset.classes: needs a list of different names")
    limits = {"resamples": (100, 100_000), "block_frames": (1, 10_000), "seed": (0, 2**32)}
    for name, (low, high) in limits.items():
        if not low <= document["protocol"]["bootstrap"][name] <= high:
            raise ResultError(f"protocol.bootstrap.{name}: must lie in {low}..{high}")
    timings = document["cost"]["timings"]
    if not timings or not all(isinstance(timing, dict) for timing in timings):
        raise ResultError("cost.timings: needs at least one object")
    for timing in timings:
        for name, kind in TIMING.items():
            _check_field(timing, name, kind, prefix="cost.timings.")


def _value(document: dict, name: str):
    for part in name.split("."):
        document = document[part]
    return document


def _check_field(document: dict, name: str, kind, prefix: str = "") -> None:
    try:
        value = _value(document, name)
    except KeyError:
        raise ResultError(f"{prefix}{name}: missing; write the result again with `python -m evaluation`") from None
    if not isinstance(value, kind) or isinstance(value, bool):
        expected = " or ".join(item.__name__ for item in (kind if isinstance(kind, tuple) else (kind,)))
        raise ResultError(f"{prefix}{name}: needs {expected}, is {type(value).__name__}")


def read_result(path: str | Path, *, maximum_unpacked: int = MAXIMUM_COUNTS_BYTES) -> Result:
    """Document and counts. Raises ResultError when either is missing, broken, or they do not belong together.

    Counts that unpack to more than `maximum_unpacked` bytes are refused before they are read.
    """
    path = Path(path)
    document = read_document(path)
    counts_path = path.with_suffix(".npz")
    if document["counts"]["file"] != counts_path.name:
        raise ResultError(f"{path}: counts.file is {document['counts']['file']!r}, must be {counts_path.name!r}")
    if not counts_path.is_file():
        raise ResultError(f"{counts_path}: missing; the counts belong beside the JSON")
    if hashlib.sha256(counts_path.read_bytes()).hexdigest() != document["counts"]["sha256"]:
        raise ResultError(f"{counts_path}: its sha256 is not counts.sha256 of {path.name}; keep the two files together")
    arrays = _read_arrays(counts_path, maximum_unpacked)
    images, classes = document["dataset"]["images"], len(document["dataset"]["classes"])
    expected = {
        "matrices": (images, classes, classes),
        "boundary": (images, classes, 4),
        "bands": (images, len(BAND_WIDTHS), classes, classes),
        "calibration": (images, BINS, 3),
        "image_ids": (images,),
        "sequences": (images,),
    }
    for name, shape in expected.items():
        kind = "U" if name in ("image_ids", "sequences") else "i"
        if arrays[name].shape != shape or arrays[name].dtype.kind != kind:
            found = f"{arrays[name].shape} {arrays[name].dtype}"
            raise ResultError(f"{counts_path}: {name} is {found}, needs {shape} {'text' if kind == 'U' else 'int64'}")
        if kind == "i" and arrays[name].min(initial=0) < 0:
            raise ResultError(f"{counts_path}: {name} holds a negative count")
    counts = Counts(**{field.name: arrays[field.name] for field in fields(Counts)})
    return Result(document, counts, *(tuple(arrays[name].tolist()) for name in ("image_ids", "sequences")))


def _read_arrays(path: Path, maximum_unpacked: int) -> dict[str, np.ndarray]:
    names = [field.name for field in fields(Counts)] + ["image_ids", "sequences"]
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
        if unpacked > maximum_unpacked:
            raise ResultError(f"{path}: unpacks to {unpacked} bytes, more than {maximum_unpacked}")
        with np.load(path, allow_pickle=False) as archive:
            missing = [name for name in names if name not in archive]
            if missing:
                raise ResultError(f"{path}: holds no array {', '.join(missing)}")
            return {name: archive[name] for name in names}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        if isinstance(error, ResultError):
            raise
        raise ResultError(f"{path}: cannot be read ({error})") from None


def verify(path: str | Path) -> list[str]:
    """Recompute every figure of a result from its counts; returns what is wrong, one sentence each, [] if nothing."""
    try:
        result = read_result(path)
    except ResultError as error:
        return [str(error)]
    document, problems = result.document, []
    dataset, checkpoint = document["dataset"], document["checkpoint"]
    expected = result_name(checkpoint["name"], dataset["name"], dataset["split"])
    if Path(path).stem != expected:
        problems.append(f"{path}: must be named {expected}.json after its checkpoint, dataset and split")
    if image_list_sha256(result.image_ids) != dataset["image_list_sha256"]:
        problems.append(f"{path}: dataset.image_list_sha256 is not that of the image names in the counts")
    if len(set(result.image_ids)) != len(result.image_ids):
        problems.append(f"{path}: an image is counted twice")
    recomputed = figures(result.counts, tuple(dataset["classes"]), result.sequences, **_bootstrap_arguments(document))
    for name, value in recomputed.items():
        problems += [f"{path}: {line}" for line in differences(document[name], value, name)]
    return problems


def _bootstrap_arguments(document: dict) -> dict:
    bootstrap = document["protocol"]["bootstrap"]
    return {name: bootstrap[name] for name in ("resamples", "block_frames", "seed")}


def differences(stored: object, computed: object, name: str) -> list[str]:
    """Where two JSON values differ by more than TOLERANCE, as sentences that name the field."""
    if isinstance(computed, dict) and isinstance(stored, dict):
        wrong = [f"{name}.{key} does not belong here" for key in stored.keys() - computed.keys()]
        for key, value in computed.items():
            missing = [f"{name}.{key} is missing"]
            wrong += differences(stored[key], value, f"{name}.{key}") if key in stored else missing
        return wrong
    if isinstance(computed, list) and isinstance(stored, list) and len(stored) == len(computed):
        pairs = enumerate(zip(stored, computed, strict=True))
        return [line for index, (old, new) in pairs for line in differences(old, new, f"{name}[{index}]")]
    numbers = all(isinstance(value, NUMBER) and not isinstance(value, bool) for value in (stored, computed))
    if stored == computed or (numbers and abs(stored - computed) <= TOLERANCE):
        return []
    return [f"{name} is {stored!r}, recomputed from the counts it is {computed!r}"]
