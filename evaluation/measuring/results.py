"""Result files: `NAME__DATASET__SPLIT.json` and, beside it under the same name, the per-image counts as `.npz`.

What would take the name of other weights, or of other images, adds its hash to its own: `..__0a1b2c3d.json`.

The JSON says what was measured, on what, how and by which command; every figure in it follows from the counts, and
`verify` recomputes them all. Both files are replaced as one.
"""

import hashlib
import json
import re
import zipfile
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from evaluation.counting.boundary import BAND_WIDTHS
from evaluation.counting.calibration import BINS
from evaluation.counting.content import content_sha256, images_of
from evaluation.counting.counts import Counts
from evaluation.counting.figures import figures
from evaluation.measuring.agreement import PARTS, differences, wrong_parts
from evaluation.measuring.record import SCHEMA_VERSION, Header, ResultRecord, flaw_in_classes
from zoo.atomic import WriteError, settle, together, write_text
from zoo.checkpoints.folder import file_sha256
from zoo.hub.torchvision_weights import PREFIX, TORCHVISION
from zoo.records import RecordError, check

MAXIMUM_JSON_BYTES = 4_000_000
MAXIMUM_COUNTS_BYTES = 1_000_000_000  # unpacked
AGAIN = "write the result again with `python -m evaluation`"
TEXTS = ("image_ids", "sequences", "contents")  # arrays of the counts that hold no numbers


class ResultError(ValueError):
    """A result that cannot be used; the message names the file or field and what to do."""


@dataclass(frozen=True)
class Result:
    """A result read back: the JSON document, the counts, and the names of images and sequences in their order.

    contents: what each image and its mask hold (`content.image_digest`), empty in results from before that.
    counts is None where only the document is known, as of a result that somebody else states.
    """

    document: dict
    counts: Counts | None
    image_ids: tuple[str, ...]
    sequences: tuple[str, ...]
    contents: tuple[str, ...] = ()

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
    folder: str | Path,
    counts: Counts,
    image_ids: tuple[str, ...],
    sequences: tuple[str, ...],
    document: dict,
    contents: tuple[str, ...] = (),
) -> Path:
    """Add the figures to `document`, write both files into `folder` and return the path of the JSON.

    `document` holds checkpoint, dataset, protocol, cost and environment as in `record.Header`; `contents` are the
    digests of the images. Both files are replaced as one (`zoo.atomic.together`); the result of other weights or
    images is never replaced, and what was added to one of the same (`PARTS`) stays. Raises ResultError where the disk
    is full or may not be written.
    """
    dataset = document["dataset"]
    if contents:
        dataset = dataset | {"content_sha256": content_sha256(contents)}
    document = document | {"dataset": dataset}
    name = free_name(Path(folder), document)
    names = {"image_ids": np.array(image_ids, dtype=str), "sequences": np.array(sequences, dtype=str)}
    names |= {"contents": np.array(contents, dtype=str)} if contents else {}
    try:
        with together(folder, name) as staging:
            counts_path = staging / f"{name}.npz"
            np.savez_compressed(counts_path, **vars(counts), **names)
            whole = {
                "schema_version": SCHEMA_VERSION,
                **document,
                **figures(counts, tuple(dataset["classes"]), sequences, **document["protocol"]["bootstrap"]),
                **parts_of(Path(folder) / f"{name}.json"),
                "counts": {"file": counts_path.name, "sha256": file_sha256(counts_path)},
            }
            check_schema(whole)
            text = json.dumps(whole, indent=1, allow_nan=False) + "\n"
            (staging / f"{name}.json").write_text(text, encoding="utf-8")
    except WriteError as error:
        raise ResultError(f"the result was not written: {error}") from None
    return Path(folder) / f"{name}.json"


def parts_of(path: Path) -> dict:
    """What other measurements have added to a result; {} where there is none, or none that can be read."""
    try:
        document = read_document(path)
        added = {part: document[part] for part in PARTS if document.get(part)}
        return {part: found for part, found in added.items() if not wrong_parts({part: found})}
    except ResultError:
        return {}


def add_part(path: Path, part: str, found: dict) -> None:
    """Put what was found into a result as its `part`, one of PARTS; nothing else in it changes."""
    document = read_document(path)
    document[part] = found
    check_schema(document)
    write_text(path, json.dumps(document, indent=1, allow_nan=False) + "\n")


def result_names(document: dict) -> tuple[str, str, str]:
    """The names that a result may have, the plain one first: with its weights and its images for what shares it."""
    checkpoint, dataset = document["checkpoint"], document["dataset"]
    plain = result_name(checkpoint["name"], dataset["name"], dataset["split"])
    weights, images = checkpoint["sha256"][:8], (dataset.get("content_sha256") or dataset["image_list_sha256"])[:8]
    return plain, f"{plain}__{weights}", f"{plain}__{weights}-{images}"


def free_name(folder: Path, document: dict) -> str:
    """The first of a result's names that no other measurement has taken; the same one measured again is replaced."""
    for name in result_names(document):
        try:
            before = read_document(folder / f"{name}.json")
        except ResultError:
            if not (folder / f"{name}.json").is_file():
                return name
            continue
        if same_measurement(before, document):
            return name
    return name


def same_measurement(before: dict, now: dict) -> bool:
    """Whether two results are of the same weights on the same images, as far as the older one tells."""
    if before["checkpoint"]["sha256"] != now["checkpoint"]["sha256"]:
        return False
    if before["dataset"].get("content_sha256"):
        return images_of(before) == images_of(now)
    return before["dataset"]["image_list_sha256"] == now["dataset"]["image_list_sha256"]


def result_paths(folder: str | Path) -> list[Path]:
    """The result files of a folder by name, those that a killed process had begun to write included."""
    settle(folder)
    return sorted(path for path in Path(folder).glob("*.json") if not path.name.startswith("."))


def read_document(path: str | Path) -> dict:
    """The JSON of a result with a sound `record.Header`. Raises ResultError naming file and field."""
    path = Path(path)
    settle(path.parent)
    if not path.is_file():
        raise ResultError(f"{path}: no such file; `python -m evaluation` writes result files")
    if path.stat().st_size > MAXIMUM_JSON_BYTES:
        raise ResultError(f"{path}: larger than {MAXIMUM_JSON_BYTES} bytes, not a result")
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ResultError(f"{path}: not valid JSON ({error}); write it again with `python -m evaluation`") from None
    try:
        check_header(document)
    except ResultError as error:
        raise ResultError(f"{path}: {error}") from None
    return document


def check_header(document: object) -> None:
    """Raise ResultError naming the first field, figures aside, that is missing, of another type, or out of range."""
    _read(Header, document)


def check_schema(document: object) -> ResultRecord:
    """The record of a whole result; raises ResultError naming the first field that is missing or cannot be right."""
    record = _read(ResultRecord, document)
    if flaw := flaw_in_classes(record):
        raise ResultError(f"{flaw}; {AGAIN}")
    return record


def _read(kind: type[Header], document: object) -> Header:
    if not isinstance(document, dict):
        raise ResultError("a result is a JSON object")
    try:
        check(document, "")
        return kind.read(document)
    except RecordError as error:
        raise ResultError(f"{error}; {AGAIN}") from None


def read_result(path: str | Path, *, maximum_unpacked: int = MAXIMUM_COUNTS_BYTES, figures: bool = True) -> Result:
    """Document and counts. Raises ResultError when either is missing, broken, or they do not belong together.

    figures False leaves those of the document unread, for those who recompute them. Counts that unpack to more than
    `maximum_unpacked` bytes are refused before they are read.
    """
    path = Path(path)
    document = read_document(path)
    if figures:
        try:
            check_schema(document)
        except ResultError as error:
            raise ResultError(f"{path}: {error}") from None
    counts_path = path.with_suffix(".npz")
    if document["counts"]["file"] != counts_path.name:
        raise ResultError(f"{path}: counts.file is {document['counts']['file']!r}, must be {counts_path.name!r}")
    if not counts_path.is_file():
        raise ResultError(f"{counts_path}: missing; the counts belong beside the JSON")
    if file_sha256(counts_path) != document["counts"]["sha256"]:
        raise ResultError(f"{counts_path}: its sha256 is not counts.sha256 of {path.name}; keep the two files together")
    arrays = _read_arrays(counts_path, maximum_unpacked, hashed=bool(document["dataset"].get("content_sha256")))
    images, classes = document["dataset"]["images"], len(document["dataset"]["classes"])
    expected = {
        "matrices": (images, classes, classes),
        "boundary": (images, classes, 4),
        "bands": (images, len(BAND_WIDTHS), classes, classes),
        "calibration": (images, BINS, 3),
        "image_ids": (images,),
        "sequences": (images,),
    }
    expected |= {"contents": (images,)} if "contents" in arrays else {}
    for name, shape in expected.items():
        kind = "U" if name in TEXTS else "i"
        if arrays[name].shape != shape or arrays[name].dtype.kind != kind:
            found = f"{arrays[name].shape} {arrays[name].dtype}"
            raise ResultError(f"{counts_path}: {name} is {found}, needs {shape} {'text' if kind == 'U' else 'int64'}")
        if kind == "i" and arrays[name].min(initial=0) < 0:
            raise ResultError(f"{counts_path}: {name} holds a negative count")
    counts = Counts(**{field.name: arrays[field.name] for field in fields(Counts)})
    return Result(document, counts, *(tuple(arrays[name].tolist()) for name in TEXTS if name in arrays))


def _read_arrays(path: Path, maximum_unpacked: int, *, hashed: bool) -> dict[str, np.ndarray]:
    names = [field.name for field in fields(Counts)] + [name for name in TEXTS if hashed or name != "contents"]
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
        result = read_result(path, figures=False)
    except ResultError as error:
        return [str(error)]
    document, problems = result.document, []
    dataset = document["dataset"]
    expected = result_names(document)
    if Path(path).stem not in expected:
        problems.append(f"{path}: must be named {expected[0]}.json after its checkpoint, dataset and split")
    if result.contents and content_sha256(result.contents) != dataset["content_sha256"]:
        problems.append(f"{path}: dataset.content_sha256 is not that of the images in the counts")
    if image_list_sha256(result.image_ids) != dataset["image_list_sha256"]:
        problems.append(f"{path}: dataset.image_list_sha256 is not that of the image names in the counts")
    if len(set(result.image_ids)) != len(result.image_ids):
        problems.append(f"{path}: an image is counted twice")
    recomputed = figures(result.counts, tuple(dataset["classes"]), result.sequences, **_bootstrap_arguments(document))
    for name, value in recomputed.items():
        problems += [f"{path}: {line}" for line in differences(document[name], value, name)]
    return problems + [f"{path}: {line}" for line in wrong_parts(document)]


def _bootstrap_arguments(document: dict) -> dict:
    bootstrap = document["protocol"]["bootstrap"]
    return {name: bootstrap[name] for name in ("resamples", "block_frames", "seed")}
