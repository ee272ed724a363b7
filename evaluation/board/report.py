"""HTML report of one result: scores, plots, and the images that the model does best and worst, side by side.

The page is `report.html` beside this file. `python -m evaluation ... --report DIR` writes DIR/NAME__DATASET__SPLIT/.
"""

import re
from pathlib import Path

import jinja2
import numpy as np
from matplotlib.figure import Figure
from PIL import Image
from torch import nn

from evaluation.board.formats import percent
from evaluation.board.plots import corruption_figure
from evaluation.counting.boundary import BAND_WIDTHS, boundary_f_per_image
from evaluation.counting.confusion import class_iou, foreground, mean_of_defined, totals
from evaluation.datasets import SegmentationDataset
from evaluation.measuring.evaluate import at_size, batches, forward, inference, predict
from evaluation.measuring.results import Result, ResultError, read_result
from zoo.atomic import whole_folder
from zoo.labels import LabelSet
from zoo.text import counted

MARK = "Scores in per cent, with 95&nbsp;% intervals."  # what every report says
FILES = re.compile(r"index\.html|image_\d{5,}\.jpg|(?:confusion|reliability|boundary|classes|corruptions|shift)\.svg")
SHOWN = 4  # best and worst images, each
TITLES = {
    "miou": "Mean IoU",
    "pixel_accuracy": "Pixel accuracy",
    "mean_accuracy": "Mean accuracy",
    "frequency_weighted_iou": "Frequency-weighted IoU",
    "dice": "Dice",
}


def write_report(
    result_path: str | Path, model: nn.Module, dataset: SegmentationDataset, folder: str | Path, *, device: str = "cpu"
) -> Path:
    """Write the report of a result into a folder of its own under `folder`; returns the path of its index.html.

    `model` runs again on the images that are shown. An earlier report is replaced as one. Raises WriteError, and
    ResultError where the folder holds something else.
    """
    result = read_result(result_path)
    target = Path(folder) / Path(result_path).stem
    check_replaceable(target)
    with whole_folder(target) as staging:
        _write(staging, result, model, dataset, device)
    return target / "index.html"


def check_replaceable(target: Path) -> None:
    """Raise ResultError unless `target` is not there, is empty, or is an earlier report and nothing more."""
    if not target.exists():
        return
    others = [path.name for path in target.iterdir() if not FILES.fullmatch(path.name)] if target.is_dir() else []
    page = target / "index.html"
    if target.is_dir() and not any(target.iterdir()):
        return
    if others or not page.is_file() or MARK not in page.read_text(encoding="utf-8", errors="replace"):
        held = f"holds {min(others)}, which is of no report" if others else "is something other than a report"
        raise ResultError(f"{target}: {held} and would be lost; move it away or name another folder with --report")


def _write(target: Path, result: Result, model: nn.Module, dataset: SegmentationDataset, device: str) -> None:
    plots = [_save(figure, target / f"{name}.svg", caption) for name, caption, figure in _plots(result)]
    groups = _image_groups(result, model, dataset, target, device)
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    environment.filters["counted"] = counted
    template = environment.from_string(Path(__file__).with_name("report.html").read_text(encoding="utf-8"))
    document = result.document
    page = template.render(
        name=result.name,
        dataset=document["dataset"],
        scores=_score_rows(document),
        plots=plots,
        groups=groups,
        legend=[
            {"name": name, "colour": f"#{red:02x}{green:02x}{blue:02x}"}
            for name, (red, green, blue) in zip(dataset.labels.classes, dataset.labels.palette, strict=True)
        ],
        facts=_facts(document),
    )
    (target / "index.html").write_text(page, encoding="utf-8")


def _score_rows(document: dict) -> list[dict]:
    intervals = document["intervals"]
    rows = [(title, document["scores"][name], intervals[name]["shown"]) for name, title in TITLES.items()]
    rows.append(("Boundary F", document["boundary"]["boundary_f"], intervals["boundary_f"]["shown"]))
    rows.append(("Expected calibration error", document["calibration"]["expected_calibration_error"], None))
    matrix, classes = np.array(document["confusion_matrix"]), tuple(document["dataset"]["classes"])
    if found := foreground(matrix, classes):
        rows += [(f"{title} {found['class']}", found[title.lower()], None) for title in ("F1", "Precision", "Recall")]
    for name, value in document["scores"]["class_iou"].items():
        rows.append((f"IoU {name}", value, intervals["class_iou"][name]["shown"]))
    return [
        {
            "title": title,
            "value": percent(value),
            "interval": f"{percent(interval[0])} to {percent(interval[1])}" if interval else "",
        }
        for title, value, interval in rows
    ]


def _facts(document: dict) -> list[tuple[str, str]]:
    checkpoint, environment, cost = document["checkpoint"], document["environment"], document["cost"]
    timings = [
        f"{timing['milliseconds']:.1f} ms on {timing['device']} ({timing['precision']})" for timing in cost["timings"]
    ]
    return [
        ("Command", environment["command"]),
        ("Weights sha256", checkpoint["sha256"]),
        ("Parameters", f"{cost['parameters']:,}"),
        ("Multiply-accumulates", f"{cost['gmacs']:.2f} G at {cost['height']}x{cost['width']}"),
        ("One image", "; ".join(timings)),
        ("Size", document["protocol"]["size"]),
        ("Void", document["protocol"]["void"]),
        ("Code", environment["git_commit"] or "unknown"),
        ("Date", environment["date"]),
        ("Versions", ", ".join(f"{name} {version}" for name, version in environment["versions"].items())),
    ]


def _plots(result: Result):
    document = result.document
    yield "confusion", "Confusion matrix; each row adds up to 100 % of a target class.", _confusion_plot(document)
    yield "reliability", "Reliability: how often a prediction of some confidence is right.", _reliability_plot(document)
    yield "boundary", "Mean IoU of the pixels close to a label boundary.", _boundary_plot(document)
    yield "classes", "IoU per class with 95 % intervals.", _class_plot(document)
    if corruptions := document.get("corruptions"):
        images = f"{counted(corruptions['images'], 'image')} with each kind of corruption; level 0 is none."
        shift = {result.name: corruptions}
        yield "corruptions", f"Mean IoU of {images}", corruption_figure(shift)
        yield "shift", f"Calibration error of {images}", corruption_figure(shift, "expected_calibration_error")


def _save(figure: Figure, path: Path, caption: str) -> dict:
    figure.savefig(path, bbox_inches="tight", metadata={"Date": None})
    return {"file": path.name, "caption": caption}


def _axes(width: float = 5, height: float = 4):
    figure = Figure(figsize=(width, height))
    return figure, figure.subplots()


def _confusion_plot(document: dict) -> Figure:
    matrix, classes = np.array(document["confusion_matrix"], float), document["dataset"]["classes"]
    shares = 100 * matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    size = max(4, 0.45 * len(classes))
    figure, axes = _axes(size, size)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=100)
    axes.set_xticks(range(len(classes)), classes, rotation=90)
    axes.set_yticks(range(len(classes)), classes)
    axes.set(xlabel="prediction", ylabel="target")
    if len(classes) <= 25:
        for row, column in np.ndindex(shares.shape):
            colour = "white" if shares[row, column] > 50 else "black"
            axes.text(column, row, f"{shares[row, column]:.0f}", ha="center", va="center", color=colour, fontsize=7)
    return figure


def _reliability_plot(document: dict) -> Figure:
    bins = [entry for entry in document["calibration"]["bins"] if entry["pixels"]]
    figure, axes = _axes()
    axes.plot([0, 1], [0, 1], color="gray", linestyle="--", label="perfectly calibrated")
    confidence, accuracy = ([entry[name] for entry in bins] for name in ("confidence", "accuracy"))
    total = sum(entry["pixels"] for entry in bins) or 1
    axes.plot(confidence, accuracy, marker="o", label="model")
    middles = [(entry["low"] + entry["high"]) / 2 for entry in bins]
    widths = [entry["high"] - entry["low"] for entry in bins]
    axes.bar(middles, [entry["pixels"] / total for entry in bins], widths, alpha=0.25, label="share of pixels")
    axes.set(xlabel="confidence", ylabel="accuracy", xlim=(0, 1), ylim=(0, 1))
    axes.legend(loc="upper left")
    return figure


def _boundary_plot(document: dict) -> Figure:
    figure, axes = _axes()
    values = [document["boundary"]["trimap_miou"][str(width)] for width in BAND_WIDTHS]
    axes.plot(BAND_WIDTHS, [np.nan if value is None else 100 * value for value in values], marker="o", label="band")
    if document["scores"]["miou"] is not None:
        axes.axhline(100 * document["scores"]["miou"], color="gray", linestyle="--", label="whole image")
    axes.set_xscale("log", base=2)
    axes.set_xticks(BAND_WIDTHS, [str(width) for width in BAND_WIDTHS])
    axes.set(xlabel="distance to a label boundary, pixels", ylabel="mean IoU, %", ylim=(0, 100))
    axes.legend()
    return figure


def _class_plot(document: dict) -> Figure:
    values, intervals = document["scores"]["class_iou"], document["intervals"]["class_iou"]
    figure, axes = _axes(5, max(2, 0.35 * len(values)))
    for position, (name, value) in enumerate(values.items()):
        axes.barh(position, 100 * (value or 0), color="tab:blue", alpha=0.6)
        if intervals[name]["shown"]:
            axes.plot([100 * end for end in intervals[name]["shown"]], [position] * 2, color="black")
    axes.set_yticks(range(len(values)), list(values))
    axes.invert_yaxis()
    axes.set(xlabel="IoU, %", xlim=(0, 100))
    return figure


def _image_groups(result: Result, model: nn.Module, dataset: SegmentationDataset, target: Path, device: str):
    mious = mean_of_defined(class_iou(totals(result.counts.matrices)))
    boundary = boundary_f_per_image(result.counts.boundary)
    order = [int(index) for index in np.argsort(mious, kind="stable") if not np.isnan(mious[index])]
    chosen = {"Worst images": order[:SHOWN], "Best images": order[::-1][:SHOWN]}
    strips = {}
    indices = sorted({index for group in chosen.values() for index in group})
    with inference(model):
        for batch in batches(dataset, indices):
            (index,), (mask,) = batch.indices, batch.masks
            logits = forward(model, batch.images, device, result.document["protocol"]["precision"])[0]
            prediction, _ = predict(at_size(logits, mask.shape), dataset.image_ids[index])
            strips[index] = _save_strip(dataset, index, mask, prediction, target)
    return [
        {
            "title": title,
            "images": [
                {
                    "file": strips[index],
                    "name": dataset.image_ids[index],
                    "miou": percent(mious[index]),
                    "boundary_f": percent(boundary[index]),
                }
                for index in group
            ],
        }
        for title, group in chosen.items()
    ]


def _save_strip(dataset: SegmentationDataset, index: int, mask, prediction, target: Path) -> str:
    image = dataset.image(index)
    wrong = (image * 0.4).astype(np.uint8)
    wrong[prediction != mask] = (255, 40, 40)
    wrong[mask == dataset.labels.void] = 0
    parts = [image, overlay(image, mask, dataset.labels), overlay(image, prediction, dataset.labels), wrong]
    name = f"image_{index:05d}.jpg"
    Image.fromarray(np.concatenate(parts, axis=1)).save(target / name, quality=90)
    return name


def overlay(image: np.ndarray, mask: np.ndarray, labels: LabelSet, opacity: float = 0.6) -> np.ndarray:
    """Image (H, W, 3) uint8 with the classes of a mask (H, W) laid over it in their colours; void is black."""
    colours = np.zeros((256, 3))
    colours[: len(labels.palette)] = labels.palette
    blended = (1 - opacity) * image + opacity * colours[mask]
    blended[mask == labels.void] = 0
    return blended.round().astype(np.uint8)
