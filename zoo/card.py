"""The model card of a checkpoint: README.md with the Hub's front matter, and `.eval_results/DATASET.yaml`.

Everything in it comes from `config.json` and from result documents as `python -m evaluation` writes them; a card
without results says so. Results of other weights are refused by their sha256.
"""

import html
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

import yaml
from huggingface_hub import EvalResult, EvalResultEntry, ModelCardData, eval_result_entries_to_yaml

from zoo.checkpoint_info import CheckpointError, CheckpointInfo
from zoo.seeds import spread
from zoo.settings import TAG
from zoo.titles import variant_title

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


@dataclass(frozen=True)
class DatasetTerms:
    """What training on a dataset asks of the weights: the Hub's licence id, a sentence on it, the citation."""

    licence: str
    sentence: str
    citation: str
    limits: tuple[str, ...] = ()


TERMS = {
    "camvid": DatasetTerms(
        "cc-by-nc-4.0",
        "The weights were trained on CamVid and are under CC BY-NC 4.0: research, not commerce.",
        """@article{brostow2009semantic,
  title   = {Semantic object classes in video: A high-definition ground truth database},
  author  = {Brostow, Gabriel J. and Fauqueur, Julien and Cipolla, Roberto},
  journal = {Pattern Recognition Letters},
  volume  = {30}, number = {2}, pages = {88--97}, year = {2009}
}""",
        (
            "CamVid's val frames come from the video sequence 0016E5, which also gives 204 of the 367 train frames: "
            "figures on val are higher than on a street that the model has not seen.",
        ),
    ),
    "voc": DatasetTerms(
        "other",
        "PASCAL VOC's images come from Flickr and keep the licences of their authors; see the VOC web page.",
        """@article{everingham2010pascal,
  title   = {The Pascal Visual Object Classes (VOC) Challenge},
  author  = {Everingham, Mark and Van Gool, Luc and Williams, Christopher K. I. and Winn, John and Zisserman, Andrew},
  journal = {International Journal of Computer Vision},
  volume  = {88}, number = {2}, pages = {303--338}, year = {2010}
}""",
    ),
    "cityscapes": DatasetTerms(
        "other",
        "Cityscapes may be used for research and teaching, not commerce; see the licence on its web page.",
        """@inproceedings{cordts2016cityscapes,
  title     = {The Cityscapes Dataset for Semantic Urban Scene Understanding},
  author    = {Cordts, Marius and Omran, Mohamed and Ramos, Sebastian and Rehfeld, Timo and Enzweiler, Markus and
               Benenson, Rodrigo and Franke, Uwe and Roth, Stefan and Schiele, Bernt},
  booktitle = {CVPR}, year = {2016}
}""",
    ),
}
OTHER_TERMS = DatasetTerms("other", "The licence of the training data applies to the weights.", "")


def card(
    info: CheckpointInfo,
    results: list[dict] = (),
    *,
    repository: str | None = None,
    picture: str | None = None,
    seeds: list[dict] = (),
) -> str:
    """Markdown with front matter for the Hub. `results` are result documents of these weights.

    seeds: result documents of other checkpoints, of which those that differ by their seed alone give the spread.
    repository: OWNER/NAME that the five lines of code load; without it they load the checkpoint's name.
    Raises CheckpointError when a result is of other weights or lacks a field.
    """
    import jinja2

    terms = TERMS.get(info.dataset, OTHER_TERMS)
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    environment.filters |= {"text": _text, "plain": _plain}
    template = environment.from_string((Path(__file__).parent / TEMPLATE_FILE).read_text(encoding="utf-8"))
    text = template.render(
        front_matter=front_matter(info, results),
        info=info,
        variant_title=variant_title(info.variant),
        size=f"{info.file_bytes / 1e6:.1f} MB",
        source=repository or info.name,
        picture=picture,
        results=[_rows(info, document) | {"seeds": spread(document, seeds)} for document in results],
        training=list(_training_rows(info.training)),
        limits=terms.limits,
        licence=terms.sentence,
        citation=terms.citation,
    )
    return re.sub(r"\n{3,}", "\n\n", re.sub(r"\n(?=## )", "\n\n", text)).rstrip() + "\n"


def front_matter(info: CheckpointInfo, results: list[dict] = ()) -> str:
    """The YAML block between '---' lines that the Hub reads, with a model-index where there are results."""
    terms = TERMS.get(info.dataset, OTHER_TERMS)
    licence = {"license": terms.licence}
    if terms.licence == "other":
        licence |= {"license_name": f"{info.dataset}-terms"}
    data = ModelCardData(
        language=None,
        library_name=TAG,
        pipeline_tag="image-segmentation",
        tags=[TAG, "fcn", "semantic-segmentation", "pytorch", info.variant, info.backbone, info.loss],
        datasets=[info.dataset],
        metrics=list(HUB_METRICS.values()),
        model_name=info.name,
        eval_results=[entry for document in results for entry in _index(info, document)] or None,
        **licence,
    )
    return f"---\n{data.to_yaml()}\n---"


def eval_results(info: CheckpointInfo, results: list[dict]) -> dict[str, str]:
    """{'.eval_results/DATASET.yaml': text}: mean IoU in per cent per result, with the protocol in the notes."""
    files: dict[str, list[EvalResultEntry]] = {}
    for document in results:
        dataset = _value(info, document, "dataset.name")
        entry = EvalResultEntry(
            dataset_id=dataset,
            task_id=_value(info, document, "dataset.split"),
            value=round(100 * _value(info, document, "scores.miou"), 2),
            date=_value(info, document, "environment.date"),
            notes=f"{MIOU_NOTE}; {_protocol(document)} Weights sha256 {info.sha256}.",
        )
        files.setdefault(f"{RESULTS_FOLDER}/{_safe_name(dataset)}.yaml", []).append(entry)
    return {
        name: yaml.safe_dump(eval_result_entries_to_yaml(entries), sort_keys=False, allow_unicode=True, width=1000)
        for name, entries in files.items()
    }


def write_card(folder: str | Path, info: CheckpointInfo, results: list[dict] = (), **options) -> list[Path]:
    """Write README.md and `.eval_results/` into a checkpoint folder; returns the written paths.

    `options` are those of `card`.

    A picture named example.png in the folder is shown. Each file appears whole or not at all.
    """
    folder = Path(folder)
    picture = PICTURE_FILE if (folder / PICTURE_FILE).is_file() else None
    files = {CARD_FILE: card(info, results, picture=picture, **options)} | eval_results(info, results)
    written = []
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        temporary = path.with_name(f".{path.name}.part")
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
        written.append(path)
    return written


def draw_picture(folder: str | Path, model, photo: str | Path) -> Path:
    """Write example.png: the photo, at most 640 pixels wide, and beside it the mask that `model` gives for it."""
    from PIL import Image

    from zoo.segment import decode_image, segment

    image = decode_image(photo).image
    image.thumbnail((640, 640))
    mask = Image.fromarray(segment(model, image).mask)
    mask.putpalette([value for colour in model.info.labels.palette for value in colour])
    sheet = Image.new("RGB", (2 * image.width, image.height))
    sheet.paste(image, (0, 0))
    sheet.paste(mask.convert("RGB"), (image.width, 0))
    path = Path(folder) / PICTURE_FILE
    temporary = path.with_name(f".{path.name}.part")
    sheet.save(temporary, format="PNG", optimize=True)
    os.replace(temporary, path)
    return path


def find_results(folder: str | Path, info: CheckpointInfo | None = None) -> list[dict]:
    """The result documents in `folder` by file name: all, or those that were measured with the weights of `info`."""
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


def _value(info: CheckpointInfo, document: dict, name: str):
    sha256 = document.get("checkpoint", {}).get("sha256")
    if sha256 != info.sha256:
        raise CheckpointError(f"a result was measured with other weights (sha256 {str(sha256)[:12]}) than {info.name}")
    value = document
    for part in name.split("."):
        if not isinstance(value, dict) or part not in value:
            raise CheckpointError(f"a result of {info.name} has no field {name}; measure it again")
        value = value[part]
    return value


def _index(info: CheckpointInfo, document: dict) -> list[EvalResult]:
    split = _value(info, document, "dataset.split")
    return [
        EvalResult(
            task_type="image-segmentation",
            task_name="Semantic segmentation",
            dataset_type=_value(info, document, "dataset.name"),
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
            yield f"{prefix}{name}", ", ".join(map(str, value)) if len(value) <= 8 else f"{len(value)} values"
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
