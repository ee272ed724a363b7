"""The model card of a checkpoint: README.md with the Hub's front matter, and `.eval_results/DATASET.yaml`.

Everything in it comes from `config.json` and from result documents as `python -m evaluation` writes them; a card
without results says so. Results of other weights are refused by their sha256. What the Hub reads (front matter,
`.eval_results`) names data sets by their repositories there, so scores stand in it where a `benchmark` repository is
named, and the tables of the card have them in any case.
"""

import html
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import EvalResult, EvalResultEntry, ModelCardData, eval_result_entries_to_yaml

from zoo.atomic import replacing, write_text
from zoo.checkpoints.export import snippet
from zoo.checkpoints.information import TAG, CheckpointError, CheckpointInfo
from zoo.checkpoints.seeds import spread
from zoo.checkpoints.terms import METHOD_CITATION, terms_of
from zoo.checkpoints.titles import variant_title
from zoo.config import FCNConfig
from zoo.images.photo import LONG_SIDE
from zoo.text import counted

CARD_FILE = "README.md"
TEMPLATE_FILE = "card_template.md"
PICTURE_FILE = "example.png"
RESULTS_FOLDER = ".eval_results"
MIOU_NOTE = "mean IoU in per cent"  # how the notes of an entry in RESULTS_FOLDER begin
METRICS = {
    "miou": "Mean IoU",
    "pixel_accuracy": "Pixel accuracy",
    "mean_accuracy": "Mean class accuracy",
    "frequency_weighted_iou": "Frequency-weighted IoU",
    "dice": "Mean Dice",
}
HUB_METRICS = {"miou": "mean_iou", "pixel_accuracy": "accuracy"}


def card(
    info: CheckpointInfo,
    results: Sequence[dict] = (),
    *,
    repository: str | None = None,
    picture: str | None = None,
    seeds: Sequence[dict] = (),
    benchmark: str | None = None,
) -> str:
    """Markdown with front matter for the Hub. `results` are result documents of these weights.

    seeds: result documents of other checkpoints, of which those that differ by their seed alone give the spread.
    repository: OWNER/NAME that the five lines of code load; without it they load the checkpoint's name.
    benchmark: see `front_matter`.
    Raises CheckpointError when a result is of other weights or lacks a field.
    """
    import jinja2

    terms = terms_of(info)
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    environment.filters |= {"text": _text, "plain": _plain, "counted": counted}
    template = environment.from_string((Path(__file__).parent / TEMPLATE_FILE).read_text(encoding="utf-8"))
    text = template.render(
        front_matter=front_matter(info, results, benchmark),
        info=info,
        variant_title=variant_title(info.variant),
        size=f"{info.file_bytes / 1e6:.1f} MB",
        source=repository or info.name,
        picture=picture,
        exportable=isinstance(info.config, FCNConfig),
        onnx_file=f"{info.name}.onnx",
        snippets={name: _filled(snippet(name), info) for name in ("onnxruntime", "openvino", "browser")},
        results=[_rows(info, document) | {"seeds": spread(document, list(seeds))} for document in results],
        training=list(_training_rows(info.training)),
        limits=terms.limits,
        licence=terms.sentence,
        method_citation=METHOD_CITATION,
        citation=terms.citation,
    )
    return re.sub(r"\n{3,}", "\n\n", re.sub(r"\n(?=## )", "\n\n", text)).rstrip() + "\n"


def _filled(pattern: str, info: CheckpointInfo) -> str:
    """A program that uses an exported file, with this checkpoint's file and working size."""
    return pattern.replace("«FILE»", f"{info.name}.onnx").replace("«SIDE»", str(info.working_size or LONG_SIDE))


def front_matter(info: CheckpointInfo, results: Sequence[dict] = (), benchmark: str | None = None) -> str:
    """The YAML block between '---' lines that the Hub reads.

    benchmark: dataset repository OWNER/NAME on the Hub. With it the card names it, and a model-index holds the results;
    without it neither is written, since the Hub knows data sets by their repositories only.
    """
    licence = terms_of(info).licence
    data = ModelCardData(
        language=None,
        library_name=TAG,
        pipeline_tag="image-segmentation",
        tags=[TAG, "fcn", "semantic-segmentation", "pytorch", info.variant, info.backbone, info.loss],
        datasets=[benchmark] if benchmark else None,
        metrics=list(HUB_METRICS.values()),
        model_name=info.name,
        eval_results=index_entries(info, results, benchmark) or None,
        license=licence,
        license_name=f"{info.trained_on}-terms" if licence == "other" else None,
    )
    return f"---\n{data.to_yaml()}\n---"


def task_name(dataset: str, split: str) -> str:
    """The id of a task in the `eval.yaml` of a benchmark repository that holds several data sets."""
    return f"{dataset}_{split}"


def task_place(repository: str, task: str) -> tuple[str, str]:
    """Data set and split of an entry in `.eval_results`, which older cards gave by their names alone."""
    dataset, _, split = task.rpartition("_")
    return (dataset, split) if "/" in repository and dataset else (repository, task)


def eval_results(info: CheckpointInfo, results: Sequence[dict], benchmark: str | None) -> dict[str, str]:
    """{'.eval_results/DATASET.yaml': text}: mean IoU in per cent per result, with the protocol in the notes.

    Entries name the task `task_name` of the dataset repository `benchmark`; there is none without one.
    """
    files: dict[str, list[EvalResultEntry]] = {}
    for document in results if benchmark else ():
        dataset = _value(info, document, "dataset.name")
        entry = EvalResultEntry(
            dataset_id=benchmark or "",
            task_id=task_name(dataset, _value(info, document, "dataset.split")),
            value=round(100 * _value(info, document, "scores.miou"), 2),
            date=_value(info, document, "environment.date"),
            notes=f"{MIOU_NOTE}; {_protocol(document)} Weights sha256 {info.sha256}.",
        )
        files.setdefault(f"{RESULTS_FOLDER}/{_safe_name(dataset)}.yaml", []).append(entry)
    return {
        name: yaml.safe_dump(eval_result_entries_to_yaml(entries), sort_keys=False, allow_unicode=True, width=1000)
        for name, entries in files.items()
    }


def write_card(folder: str | Path, info: CheckpointInfo, results: Sequence[dict] = (), **options) -> list[Path]:
    """Write README.md and `.eval_results/` into a checkpoint folder; returns the written paths.

    `options` are those of `card`.

    A picture named example.png in the folder is shown. Each file appears whole or not at all.
    """
    folder = Path(folder)
    picture = PICTURE_FILE if (folder / PICTURE_FILE).is_file() else None
    files = {CARD_FILE: card(info, results, picture=picture, **options)}
    files |= eval_results(info, results, options.get("benchmark"))
    for path in folder.glob(f"{RESULTS_FOLDER}/*.yaml"):
        if f"{RESULTS_FOLDER}/{path.name}" not in files and MIOU_NOTE in path.read_text(encoding="utf-8"):
            path.unlink()  # an earlier card's, which would go on claiming what this one does not
    written = []
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        write_text(path, text)
        written.append(path)
    return written


def draw_picture(folder: str | Path, model, photo: str | Path) -> Path:
    """Write example.png: the photo, at most 640 pixels wide, and beside it the mask that `model` gives for it."""
    from PIL import Image

    from zoo.images.photo import decode_image
    from zoo.models.segmentation import segment

    image = decode_image(photo).image
    image.thumbnail((640, 640))
    mask = Image.fromarray(segment(model, image).mask)
    mask.putpalette([value for colour in model.info.labels.palette for value in colour])
    sheet = Image.new("RGB", (2 * image.width, image.height))
    sheet.paste(image, (0, 0))
    sheet.paste(mask.convert("RGB"), (image.width, 0))
    path = Path(folder) / PICTURE_FILE
    with replacing(path) as temporary:
        sheet.save(temporary, format="PNG", optimize=True)
    return path


def find_results(folder: str | Path, info: CheckpointInfo | None = None) -> list[dict]:
    """The result documents in `folder` by file name: all, or those that were measured with the weights of `info`.

    Raises CheckpointError where there is no such folder, or a file in it is no result.
    """
    if not Path(folder).is_dir():
        raise CheckpointError(f"{folder}: no such folder of results")
    documents = []
    for path in sorted(Path(folder).glob("*.json")):
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            if document["checkpoint"]["sha256"] and (info is None or document["checkpoint"]["sha256"] == info.sha256):
                documents.append(document)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CheckpointError(f"{path}: not a result of python -m evaluation ({error!r})") from None
    return documents


def find_seeds(folder: str | Path) -> list[dict]:
    """The result documents in the folders of `folder`, each of which holds one seed's."""
    return [document for seed in sorted(Path(folder).glob("*/")) for document in find_results(seed)]


def _value(info: CheckpointInfo, document: dict, name: str) -> Any:
    sha256 = document.get("checkpoint", {}).get("sha256")
    if sha256 != info.sha256:
        raise CheckpointError(f"a result was measured with other weights (sha256 {str(sha256)[:12]}) than {info.name}")
    value = document
    for part in name.split("."):
        if not isinstance(value, dict) or part not in value:
            raise CheckpointError(f"a result of {info.name} has no field {name}; measure it again")
        value = value[part]
    return value


def index_entries(info: CheckpointInfo, results: Sequence[dict], benchmark: str | None) -> list[EvalResult]:
    """What a card's model-index says of the results; nothing without a benchmark repository to name."""
    return [entry for document in results if benchmark for entry in _index(info, document, benchmark)]


def _index(info: CheckpointInfo, document: dict, benchmark: str) -> list[EvalResult]:
    split = _value(info, document, "dataset.split")
    return [
        EvalResult(
            task_type="image-segmentation",
            task_name="Semantic segmentation",
            dataset_type=benchmark,
            dataset_config=_value(info, document, "dataset.name"),
            dataset_name=f"{document['dataset'].get('title', document['dataset']['name'])} {split}",
            dataset_split=split,
            metric_type=metric,
            metric_name=METRICS[name],
            metric_value=round(value, 4),
        )
        for name, metric in HUB_METRICS.items()
        if (value := _value(info, document, f"scores.{name}")) is not None
    ]


def _rows(info: CheckpointInfo, document: dict) -> dict:
    """What the template shows of one result."""
    scores, intervals = _value(info, document, "scores"), _value(info, document, "intervals")
    _value(info, document, "scores.miou")
    metrics = [(title, _with_interval(scores.get(name), intervals.get(name))) for name, title in METRICS.items()]
    boundary = _value(info, document, "boundary").get("boundary_f")
    metrics.append(("Boundary F", _with_interval(boundary, intervals.get("boundary_f"))))
    classes = intervals.get("class_iou", {})
    sequences = _value(info, document, "sequences")
    return {
        "dataset": document["dataset"].get("title", document["dataset"]["name"]),
        "split": _value(info, document, "dataset.split"),
        "images": _value(info, document, "dataset.images"),
        "date": _value(info, document, "environment.date"),
        "command": _value(info, document, "environment.command"),
        "protocol": _protocol(document),
        "video": "blocks" in intervals.get("miou", {}),
        "metrics": metrics,
        "classes": [(name, _with_interval(value, classes.get(name))) for name, value in scores["class_iou"].items()],
        "sequences": [(name, part["images"], _percent(part["miou"])) for name, part in sequences.items()],
    }


def _protocol(document: dict) -> str:
    protocol = document.get("protocol", {})
    parts = [f"{name}: {protocol[name]}" for name in ("size", "void") if isinstance(protocol.get(name), str)]
    augmentation = protocol.get("test_time_augmentation")
    parts += [f"test-time augmentation: {augmentation}"] if augmentation else []
    return f"{'; '.join(parts).capitalize()}." if parts else ""


def _with_interval(value: float | None, interval: dict | list | None) -> str:
    pair = interval.get("shown") if isinstance(interval, dict) else interval
    return _percent(value) + (f" [{100 * pair[0]:.1f}, {100 * pair[1]:.1f}]" if value is not None and pair else "")


def _percent(value: float | None) -> str:
    return "not in the data" if value is None else f"{100 * value:.1f} %"


def _training_rows(training: dict, prefix: str = ""):
    """(setting, value) of scalar facts; nested objects become 'outer.inner', long lists only their length."""
    for name, value in training.items():
        if isinstance(value, dict):
            yield from _training_rows(value, f"{prefix}{name}.")
        elif isinstance(value, list):
            yield f"{prefix}{name}", ", ".join(map(str, value)) if len(value) <= 8 else counted(len(value), "value")
        elif value not in (None, ""):
            yield f"{prefix}{name}", str(value)


def _text(value: object) -> str:
    """Text that neither HTML nor Markdown tables read as markup."""
    return html.escape(str(value), quote=False).replace("|", "\\|").replace("`", "'").replace("\n", " ")


def _plain(value: object) -> str:
    """One line inside a code block."""
    return str(value).replace("`", "'").replace("\n", " ")


def _safe_name(text: str) -> str:
    return re.sub(r"[^\w.-]+", "-", text, flags=re.ASCII).strip(".") or "dataset"
