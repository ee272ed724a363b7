"""A result as a record of Every Eval Ever, the shared format of evaluation results, with its intervals.

Written for version 0.2.1 of `eval.schema.json` of github.com/evaleval/every_eval_ever. The schema's `details` hold only
texts; figures stand in `score_details`, their 95 % intervals in `uncertainty`.
"""

import re
from calendar import timegm
from datetime import date
from importlib.metadata import PackageNotFoundError, version

from evaluation.counting.bootstrap import LEVEL
from zoo.text import counted

SCHEMA_VERSION = "0.2.1"
LIBRARY = "fcn-side-by-side"
METRICS = {
    "miou": "Mean intersection over union of one confusion matrix; void dropped, absent classes left out",
    "pixel_accuracy": "Share of labelled pixels whose class is right",
    "mean_accuracy": "Mean over the classes of the share of their pixels that is right",
    "frequency_weighted_iou": "Mean intersection over union weighted by the classes' pixels",
    "dice": "Mean over the classes of 2 TP / (2 TP + FP + FN)",
}


def record(document: dict, *, organization: str, benchmark: str | None = None) -> dict:
    """The record of one result document.

    organization: who measured, as the record names it; benchmark: dataset repository OWNER/NAME on the Hub that holds
    the images, without which the source is named by its title alone. A figure that is undefined is left out.
    """
    checkpoint, environment, dataset = document["checkpoint"], document["environment"], document["dataset"]
    created = timestamp(environment["date"])
    return {
        "schema_version": SCHEMA_VERSION,
        "evaluation_id": f"{dataset['name']}_{dataset['split']}/{model_id(checkpoint)}/{created}",
        "evaluation_timestamp": environment["date"],
        "retrieved_timestamp": created,
        "source_metadata": {
            "source_name": LIBRARY,
            "source_type": "evaluation_run",
            "source_organization_name": organization,
            "evaluator_relationship": relationship(checkpoint, organization),
            "additional_details": {"counts_sha256": document["counts"]["sha256"]},
        },
        "eval_library": {
            "name": LIBRARY,
            "version": library_version(),
            "additional_details": texts({"git_commit": environment["git_commit"]} | environment["versions"]),
        },
        "model_info": model_info(checkpoint, document["cost"]),
        "evaluation_results": results(document, benchmark),
    }


def results(document: dict, benchmark: str | None) -> list[dict]:
    """The entries of the main figures, of boundary F, and of each class's IoU."""
    scores, intervals = document["scores"], document["intervals"]
    figures = [(name, text, scores[name], intervals[name]) for name, text in METRICS.items()]
    text = "Boundary F with a tolerance of 0.75 % of the diagonal, mean over images"
    figures.append(("boundary_f", text, document["boundary"]["boundary_f"], intervals["boundary_f"]))
    for name, value in scores["class_iou"].items():
        text = f"Intersection over union of the class {name}"
        figures.append((f"iou/{name}", text, value, intervals["class_iou"][name]))
    return [entry(document, benchmark, *figure) for figure in figures if figure[2] is not None]


def entry(document: dict, benchmark: str | None, name: str, text: str, value: float, interval: dict) -> dict:
    """One figure with its interval."""
    dataset, environment = document["dataset"], document["environment"]
    return {
        "evaluation_name": f"{dataset['name']}_{dataset['split']}/{name}",
        "source_data": source_data(dataset, benchmark),
        "evaluation_timestamp": environment["date"],
        "metric_config": {
            "evaluation_description": text,
            "lower_is_better": False,
            "score_type": "continuous",
            "min_score": 0.0,
            "max_score": 1.0,
        },
        "score_details": {"score": value, "details": texts(protocol(document))} | uncertainty(document, interval),
        "generation_config": {"generation_args": {"execution_command": environment["command"]}},
    }


def uncertainty(document: dict, interval: dict) -> dict:
    """What is shown as the 95 % interval, and how it came about; nothing where there is none."""
    if not interval["shown"]:
        return {}
    low, high = interval["shown"]
    bootstrap = document["protocol"]["bootstrap"]
    method = "percentile bootstrap over images"
    if "blocks" in interval:
        method += f" and over blocks of {counted(bootstrap['block_frames'], 'frame')}, the wider of the two"
    ends = {"lower": low, "upper": high, "confidence_level": LEVEL, "method": method}
    images = document["dataset"]["images"]
    numbers = {"num_samples": images, "num_bootstrap_samples": bootstrap["resamples"]}
    return {"uncertainty": {"confidence_interval": ends} | numbers}


def source_data(dataset: dict, benchmark: str | None) -> dict:
    """Where the images come from: the owner's dataset repository, or the title alone."""
    details = texts({"split": dataset["split"], "content_sha256": dataset.get("content_sha256")})
    named = {"dataset_name": dataset.get("title", dataset["name"]), "additional_details": details}
    if not benchmark:
        return named | {"source_type": "other"}
    hub = {"hf_repo": benchmark, "hf_split": dataset["split"], "samples_number": dataset["images"]}
    return named | {"source_type": "hf_dataset"} | hub


def model_info(checkpoint: dict, cost: dict) -> dict:
    """The model by its name on the Hub where it has one, and its weights by their sha256."""
    facts = {name: checkpoint[name] for name in ("variant", "backbone", "loss", "revision", "sha256")}
    found = {"name": checkpoint["name"], "id": model_id(checkpoint), "inference_platform": "local"}
    found["additional_details"] = texts(facts | {"parameters": cost["parameters"]})
    if checkpoint["repository"]:
        found["developer"] = checkpoint["repository"].split("/")[0]
    return found


def model_id(checkpoint: dict) -> str:
    """OWNER/NAME of a model on the Hub, or the checkpoint's own name."""
    return checkpoint["repository"] or re.sub(r"[^\w.+-]+", "-", checkpoint["name"])


def relationship(checkpoint: dict, organization: str) -> str:
    """Whether who measured is who trained, as far as the names tell: 'first_party', 'third_party' or 'other'."""
    if checkpoint["source"] == "torchvision":
        return "third_party"
    if checkpoint["repository"]:
        return "first_party" if checkpoint["repository"].split("/")[0] == organization else "third_party"
    return "first_party"


def protocol(document: dict) -> dict:
    """How the images went through the network."""
    return {name: document["protocol"].get(name) for name in ("size", "void", "test_time_augmentation", "precision")}


def texts(facts: dict) -> dict[str, str]:
    """Facts as the schema takes them, all of them texts; what is unknown is left out."""
    return {name: str(value) for name, value in facts.items() if value is not None}


def timestamp(day: str) -> str:
    """Seconds since 1970 of a date in UTC, as text."""
    return str(timegm(date.fromisoformat(day[:10]).timetuple()))


def library_version() -> str:
    """The installed version of this package, 'unknown' where it runs from a folder."""
    try:
        return version(LIBRARY)
    except PackageNotFoundError:
        return "unknown"
