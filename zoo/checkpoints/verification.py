"""Is a checkpoint folder what it says it is? Reads everything, runs the model, compares the card with the results."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import torch
import yaml
from huggingface_hub import ModelCard, ModelCardData
from safetensors import SafetensorError
from safetensors.torch import load_file

from zoo.checkpoints.card import CARD_FILE, RESULTS_FOLDER, eval_results
from zoo.checkpoints.folder import GOLDEN_FILE, load_folder, read_info, safetensors_shapes
from zoo.checkpoints.information import INDEX_FILE, WEIGHTS_FILE, CheckpointError, CheckpointInfo
from zoo.checkpoints.shards import weights_paths
from zoo.models.protocol import Network
from zoo.text import counted

LOGITS_TOLERANCE = 1e-3  # of the largest logit; between processors and torch versions


def verify(folder: str | Path, results: Sequence[dict] = ()) -> tuple[list[str], list[str]]:
    """(what was checked, what is wrong), one sentence each; nothing wrong is an empty list.

    Checks configuration, weights (sha256, keys, shapes, finite), a forward pass on odd sizes, the logits stored with
    the checkpoint, and that card and `.eval_results` say what the result documents `results` say.
    """
    folder = Path(folder)
    try:
        model = load_folder(folder)
        info = read_info(folder)
    except (CheckpointError, OSError) as error:
        return [], [str(error)]
    weights = ", ".join(path.name for path in weights_paths(folder))
    done = [f"config.json is valid; {weights} has the sha256 {info.sha256[:12]}..., every key and shape"]
    wrong = _index(folder)
    wrong += [
        f"{weights}: {name} is not finite"
        for name, value in model.state_dict().items()
        if value.is_floating_point() and not value.isfinite().all()
    ]
    for check in (_forward, _golden):
        said, problems = check(model, folder)
        done += said
        wrong += problems
    said, problems = _card(info, folder, results)
    return done + said, wrong + problems


def _index(folder: Path) -> list[str]:
    """What is wrong with the index of sharded weights, which other programs go by."""
    paths = weights_paths(folder)
    if [path.name for path in paths] == [WEIGHTS_FILE]:
        return []
    stored = {key: path.name for path in paths for key in safetensors_shapes(path)}
    try:
        index = json.loads((folder / INDEX_FILE).read_text(encoding="utf-8"))["weight_map"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        return [f"{INDEX_FILE}: cannot be read ({error!r})"]
    return [] if index == stored else [f"{INDEX_FILE}: names other tensors or files than the shards hold"]


def _forward(model: Network, folder: Path) -> tuple[list[str], list[str]]:
    wrong = []
    for height, width in ((1, 1), (33, 47), (64, 96)):
        with torch.inference_mode():
            logits = model(torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0)))
        expected = (1, len(model.config.classes), height, width)
        if tuple(logits.shape) != expected or not logits.isfinite().all():
            wrong.append(f"an image of {width}x{height} gives logits of {tuple(logits.shape)} or not finite ones")
    return [] if wrong else ["images of 1x1, 47x33 and 96x64 give finite logits of their size"], wrong


def _golden(model: Network, folder: Path) -> tuple[list[str], list[str]]:
    path = folder / GOLDEN_FILE
    if not path.is_file():
        return [f"no {GOLDEN_FILE}, so no stored logits to compare with"], []
    try:
        stored = load_file(path)
        with torch.inference_mode():
            logits = model(stored["image"][None].float() / 255)[0]
        difference = (logits - stored["logits"]).abs().max().item()
        limit = LOGITS_TOLERANCE * max(1.0, stored["logits"].abs().max().item())
    except (SafetensorError, OSError, KeyError, RuntimeError) as error:
        return [], [f"{GOLDEN_FILE}: cannot be compared ({error})"]
    if not difference <= limit:
        return [], [f"logits differ from those in {GOLDEN_FILE} by {difference:.2g}, more than {limit:.2g}"]
    return [f"logits equal those in {GOLDEN_FILE} (largest difference {difference:.1g})"], []


def named_repository(file: Path) -> str | None:
    """The dataset repository that a file of `.eval_results` names first, None where it names none."""
    try:
        return yaml.safe_load(file.read_text(encoding="utf-8"))[0]["dataset"]["id"]
    except (yaml.YAMLError, ValueError, KeyError, IndexError, TypeError):
        return None


def _card(info: CheckpointInfo, folder: Path, results: Sequence[dict]) -> tuple[list[str], list[str]]:
    path = folder / CARD_FILE
    if not path.is_file():
        return [f"no {CARD_FILE}; write one with: python -m zoo card"], []
    wrong = []
    try:
        data = cast(ModelCardData, ModelCard(path.read_text(encoding="utf-8")).data)
        shown = {(entry.metric_type, entry.dataset_split): entry.metric_value for entry in data.eval_results or ()}
    except (ValueError, TypeError, KeyError, AttributeError, yaml.YAMLError) as error:
        return [], [f"{CARD_FILE}: front matter cannot be read ({error})"]
    for document in results:
        split, miou = document["dataset"]["split"], document["scores"]["miou"]
        if shown and shown.get(("mean_iou", split)) != round(miou, 4):
            wrong.append(f"{CARD_FILE}: mean IoU on {split} is {shown.get(('mean_iou', split))}, measured {miou:.4f}")
        if f"| Mean IoU | {100 * miou:.1f} %" not in path.read_text(encoding="utf-8"):
            wrong.append(f"{CARD_FILE}: its table does not have the mean IoU on {split}, measured {miou:.4f}")
    for file in sorted((folder / RESULTS_FOLDER).glob("*.yaml")):
        name = f"{RESULTS_FOLDER}/{file.name}"
        if eval_results(info, results, named_repository(file)).get(name) != file.read_text(encoding="utf-8"):
            wrong.append(f"{name}: is not what the results give; write it again with: python -m zoo card")
    agree = f"{CARD_FILE} and {RESULTS_FOLDER} agree with {counted(len(results), 'result')}"
    return [f"{CARD_FILE} has front matter" if not results else agree] if not wrong else [], wrong
