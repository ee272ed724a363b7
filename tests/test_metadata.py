"""What a push sends for the Hub itself to read, held against the rules that the Hub publishes."""

import datetime
import re
from dataclasses import replace

import pytest
import yaml
from hub_client import save_checkpoint
from huggingface_hub import ModelCard, parse_eval_result_entries

from zoo.checkpoints.card import write_card
from zoo.hub.publish import push
from zoo.hub.settings import HubSettings

pytestmark = [
    pytest.mark.usefixtures("hub_environment"),
    pytest.mark.filterwarnings(r"ignore:Use 'content=<\.\.\.>' to upload:DeprecationWarning"),
]
BENCHMARK = "ana/streets"
# huggingface.co/docs/hub/eval-results, "Adding Evaluation Results", and hub-docs, eval_results.yaml: field -> required
ENTRY = {"dataset": True, "value": True, "verifyToken": False, "date": False, "source": False, "notes": False}
ENTRY |= {"evaluation_framework": False}
DATASET = {"id": True, "task_id": True, "revision": False}
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)


def problems_of(published: dict[str, bytes]) -> list[str]:
    """What the Hub's published rules say against the files of a model repository."""
    wrong = []
    for name, content in published.items():
        if name.startswith(".eval_results/"):
            entries = yaml.safe_load(content)
            if not (isinstance(entries, list) and entries):
                wrong.append(f"{name}: needs a list of results")
                continue
            for entry in entries:
                wrong += fields(name, entry, ENTRY) + fields(name, entry.get("dataset", {}), DATASET)
                if not HUB_ID.fullmatch(str(entry["dataset"].get("id"))):
                    wrong.append(f"{name}: dataset.id is no dataset of the Hub")
                if isinstance(entry.get("date"), str):
                    datetime.date.fromisoformat(entry["date"])
                if not isinstance(entry.get("value"), int | float):
                    wrong.append(f"{name}: value is no number")
    data = ModelCard(published["README.md"].decode()).data
    named = [f"datasets: {name}" for name in data.datasets or () if not HUB_ID.fullmatch(name)]
    # hub-docs, modelcard.md: dataset.type is a 'dataset id from https://hf.co/datasets'.
    types = {entry.dataset_type for entry in data.eval_results or ()}
    named += [f"model-index: {name}" for name in types if not HUB_ID.fullmatch(name)]
    return wrong + [f"{name} is no dataset of the Hub" for name in named]


def fields(name: str, found: dict, rules: dict[str, bool]) -> list[str]:
    unknown = [f"{name}: {field} is unknown" for field in found.keys() - rules.keys()]
    return unknown + [f"{name}: {field} is missing" for field, needed in rules.items() if needed and field not in found]


def result_of(info) -> dict:
    intervals = {"miou": {"shown": [0.5, 0.55]}, "class_iou": {}}
    scores = dict.fromkeys(("pixel_accuracy", "mean_accuracy", "frequency_weighted_iou", "dice"), 0.8)
    return {
        "checkpoint": {"name": info.name, "sha256": info.sha256},
        "dataset": {"name": "camvid", "title": "CamVid", "split": "val", "images": 101},
        "protocol": {"size": "native", "void": "dropped", "test_time_augmentation": "none"},
        "scores": scores | {"miou": 0.52341, "class_iou": {}},
        "boundary": {"boundary_f": 0.412},
        "intervals": intervals,
        "sequences": {},
        "environment": {"command": "python -m evaluation x", "date": "2026-01-31"},
    }


@pytest.fixture
def folder(tmp_path):
    """A checkpoint whose card an earlier version wrote: scores that name 'camvid', which is nobody's."""
    folder = tmp_path / "fcn8s"
    info = save_checkpoint(folder)
    write_card(folder, info, [result_of(info)], benchmark="camvid")
    return folder, info, result_of(info)


def test_without_a_benchmark_nothing_points_nowhere(hub, settings, folder):
    path, _, result = folder
    earlier = {name: (path / name).read_bytes() for name in ("README.md", ".eval_results/camvid.yaml")}
    assert len(problems_of(earlier)) == 3
    before = (path / "README.md").read_bytes()
    push(path, "ana/net", settings=settings, results=[result])
    published = hub.repositories["ana/net"].branches["main"]
    assert problems_of(published) == [] and not any(name.startswith(".eval_results/") for name in published)
    data = ModelCard(published["README.md"].decode()).data
    assert data.datasets is None and data.eval_results is None and data.license == "cc-by-nc-4.0"
    body = before.decode().split("---\n", 2)[2].strip()
    assert published["README.md"].decode().split("---\n", 2)[2].strip() == body
    assert (path / "README.md").read_bytes() == before  # what is sent is another copy
    assert not push(path, "ana/net", settings=settings, results=[result]).sent


def test_with_a_benchmark_scores_name_it(hub, settings, folder):
    path, info, result = folder
    named = replace(settings, benchmark=BENCHMARK)
    push(path, "ana/net", settings=named, results=[result])
    published = hub.repositories["ana/net"].branches["main"]
    assert problems_of(published) == []
    (entry,) = parse_eval_result_entries(yaml.safe_load(published[".eval_results/camvid.yaml"]))
    assert (entry.dataset_id, entry.task_id, entry.value) == (BENCHMARK, "camvid_val", 52.34)
    data = ModelCard(published["README.md"].decode()).data
    assert data.datasets == [BENCHMARK] and info.sha256 in entry.notes
    assert {(one.dataset_type, one.dataset_config, one.dataset_split) for one in data.eval_results} == {
        (BENCHMARK, "camvid", "val")
    }
    assert not push(path, "ana/net", settings=named, results=[result]).sent


def test_what_names_other_repositories_stays(hub, settings, folder):
    path, info, _ = folder
    write_card(path, info, [result_of(info)], benchmark="bo/benchmark")
    push(path, "ana/net", settings=settings)
    published = hub.repositories["ana/net"].branches["main"]
    assert published["README.md"] == (path / "README.md").read_bytes() and ".eval_results/camvid.yaml" in published


def test_the_setting_is_read_and_checked():
    assert HubSettings.from_environment({"FCN_ZOO_BENCHMARK": BENCHMARK}).benchmark == BENCHMARK
    with pytest.raises(ValueError, match="FCN_ZOO_BENCHMARK: 'streets' does not name a repository"):
        HubSettings.from_environment({"FCN_ZOO_BENCHMARK": "streets"})
