"""The tab 'Learn': its figures are those of the networks, losses and measurements themselves."""

import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from page_server import GRADIO_WARNINGS, LADDER
from PIL import Image

from evaluation.board.rows import payload
from training.losses import build_loss
from zoo.images.examples import examples
from zoo.models.architecture import PAPER_OUTPUT_OFFSET, PAPER_SKIP_OFFSET
from zoo.models.score_maps import receptive_fields, summands
from zoo.page.components import FOLDER
from zoo.page.lesson import Lesson, most_frequent, whole_numbers
from zoo.page.lesson_results import rare_value, read_measured, split_value, vessels_value
from zoo.text import texts

pytestmark = GRADIO_WARNINGS
NODE = str(Path(sys.executable).with_name("node"))  # of tests/requirements.txt
SCRIPTS = FOLDER / "learn" / "script"


def run_node(code: str, given) -> dict | list:
    """What a JavaScript module prints as JSON; `given` is its global of that name."""
    code = f'import {{ readFileSync }} from "node:fs"; const given = JSON.parse(readFileSync(0));\n{code}'
    command = [NODE, "--input-type=module", "-e", code]
    done = subprocess.run(command, input=json.dumps(given), text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def request(language: str = "en"):
    return SimpleNamespace(headers={"accept-language": language}, query_params={})


@pytest.mark.parametrize("settings", [{}, {"phase": 3}, {"padding": "paper", "head_kernel": 7}])
def test_the_scripts_sum_at_a_pixel_is_the_networks_logit(make_model, settings):
    model = make_model("fcn8s", upsampling="paper", **settings)
    for module in model.upsample.values():  # as training leaves it: classes mix
        torch.nn.init.normal_(module.weight, std=0.05)
    pixels = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    with torch.inference_mode():
        logits = model(torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255)[0].numpy()
    found = summands(model, Image.fromarray(pixels), precision="fp32")
    rows, columns = found.carried[8].shape[1:]
    places = [(0, 0), (95, 63), (40, 17), (41, 17), (7, 60)]
    steps = run_node(
        f'import {{ readMaps, sumAt }} from "{SCRIPTS}/scores.js";'
        "const maps = readMaps(given);"
        "console.log(JSON.stringify(given.places.map(([x, y]) => sumAt(maps, given.grid, x, y))));",
        {
            "maps": {str(stride): whole_numbers(scores) for stride, scores in found.carried.items()},
            "scale": 1 / 256,
            "grid": {"rows": rows, "columns": columns, "stride": found.stride, "offset": found.offset},
            "places": places,
        },
    )
    for (x, y), (first, _, last) in zip(places, steps, strict=True):
        np.testing.assert_allclose(last["sum"], logits[:, y, x], atol=3 / 512 + 1e-4)
        assert first["own"] == first["sum"] and last["winner"] == int(np.argmax(last["sum"]))


@pytest.mark.parametrize("size", [1, 33, 100])
def test_the_ruler_has_the_sizes_and_crops_of_the_published_network(make_model, size):
    model = make_model("fcn8s", padding="paper", head_kernel=7)
    with torch.inference_mode():
        maps = dict(model.score_maps(torch.zeros(1, 3, size, size)))
    side = run_node(
        f'import {{ paperSide }} from "{SCRIPTS}/padding.js"; console.log(JSON.stringify(paperSide(given)));', size
    )
    assert side["scores"]["size"] == maps["score 32"].shape[-1]
    assert [side["fused"][name]["size"] for name in ("16", "8")] == [
        maps[f"fused {name}"].shape[-1] for name in (16, 8)
    ]
    assert {int(name): crop for name, crop in side["crops"].items()} == PAPER_SKIP_OFFSET
    assert {int(name): -output["begin"] for name, output in side["output"].items()} == PAPER_OUTPUT_OFFSET


@pytest.mark.parametrize("loss", ["ce", "wce", "focal", "dice"])
def test_the_scripts_gradients_are_those_of_the_training(loss):
    random = np.random.default_rng(1)
    rare = (random.random(40) < 0.1).astype(int)
    logits = torch.zeros(1, 2, 1, 40, dtype=torch.float64, requires_grad=True)
    with torch.no_grad():
        logits[0, 1, 0] = torch.from_numpy(random.normal(size=40))
    weights = torch.tensor([0.5 * 40 / (rare == side).sum() for side in (0, 1)])
    options = {"class_weights": weights} if loss == "wce" else {"gamma": 2.5} if loss == "focal" else {}
    value = build_loss(loss.removeprefix("w"), void=255, **options)(logits, torch.from_numpy(rare)[None, None])
    value.backward()
    call = {
        "ce": "crossEntropy(chance, rare)",
        "wce": "weightedCrossEntropy(chance, rare, balancedWeights(rare))",
        "focal": "focal(chance, rare, 2.5)",
        "dice": "dice(chance, rare)",
    }[loss]
    slopes = run_node(
        f'import * as all from "{SCRIPTS}/gradients.js"; const {{ chance, rare }} = given;'
        "const { crossEntropy, weightedCrossEntropy, balancedWeights, focal, dice } = all;"
        f"console.log(JSON.stringify({call}));",
        {"chance": logits.detach()[0, 1, 0].sigmoid().tolist(), "rare": rare.tolist()},
    )
    np.testing.assert_allclose(slopes, logits.grad[0, 1, 0].numpy(), rtol=1e-4, atol=1e-7)


def test_a_receptive_field_is_where_a_pixel_can_change_a_score(make_model):
    model = make_model("fcn8s")
    for layer in model.modules():
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.constant_(layer.weight, 1e-2)
    images = torch.rand(1, 3, 384, 384, requires_grad=True)
    for name, field in receptive_fields(model.config).items():
        scores = dict(model.score_maps(images))[f"score {name}"]
        middle = scores.shape[-1] // 2
        (slopes,) = torch.autograd.grad(scores[0, :, middle, middle].sum(), images)
        seen = slopes[0].abs().sum((0, 1)).nonzero().flatten()
        assert seen[-1] - seen[0] < field
        assert field == {"8": 44, "16": 100, "32": 276}[name]  # as published for VGG-16's pools, and fc6 of 3 x 3


def test_the_ceiling_of_a_grid_is_its_most_frequent_class():
    mask = np.array([[0, 0, 1, 255], [0, 1, 255, 255]], np.uint8)
    assert most_frequent(mask, 2, 2).tolist() == [[0, 0, 1, 1], [0, 0, 1, 1]]
    assert most_frequent(mask, 1, 2).tolist() == [[0, 0, 1, 0], [0, 1, 0, 0]]  # a cell of void alone says class 0


def test_the_measured_rows_are_the_boards():
    rows = payload()["rows"]
    found = rare_value(rows)
    own = {row["loss"]: row for row in rows if row["dataset"] == "cracks" and row["variant"] == "fcn8s"}
    assert {one["loss"] for one in found["rows"]} == set(own)
    for one in found["rows"]:
        assert one["iou"] == own[one["loss"]]["class_iou"]["crack"] and one["miou"] == own[one["loss"]]["miou"]
        assert one["interval"][0] <= one["iou"] <= one["interval"][1]
    assert rare_value([row for row in rows if row["dataset"] == "camvid"]) is None


def shares(counts) -> np.ndarray:
    """IoU (C,) over all images from true positives, labelled and predicted pixels (images, 3, C); NaN for none."""
    hits, labelled, predicted = np.sum(counts, axis=0)
    union = labelled + predicted - hits
    return np.where(union > 0, hits / np.maximum(union, 1), np.nan)


def test_the_two_splits_differ_in_whose_neighbours_were_trained_on_and_in_nothing_else():
    document = read_measured("split")
    by_video, by_frame = document["runs"]
    one, other = ({**run["recipe"], "hold_out_every": None} for run in (by_video, by_frame))
    assert one == other and len(by_video["trained_on"]) == len(by_frame["trained_on"])
    scored = set(document["dataset"]["scored"])
    assert not scored & {*by_video["trained_on"], *by_frame["trained_on"]}
    (video,) = document["dataset"]["sequences"]
    assert not [name for name in by_video["trained_on"] if name.startswith(video)]
    frames = sorted(scored | {name for name in by_frame["trained_on"] if name.startswith(video)})
    assert [name in scored for name in frames] == [index % 4 == 0 for index in range(len(frames))]
    for run in (by_video, by_frame):
        ious = np.array([shares(seed) for seed in run["counts"]])
        assert run["seeds"] == pytest.approx(np.nanmean(ious, axis=1).tolist()) and run["names"] and len(ious) > 1
        assert run["miou"] == pytest.approx(np.mean(run["seeds"]))
        assert run["interval"][0] < run["miou"] < run["interval"][1]
        found = [np.nan if iou is None else iou for iou in run["class_iou"].values()]
        np.testing.assert_allclose(found, ious.mean(axis=0))
    low, high = by_frame["difference_interval"]
    assert (
        by_frame["difference"] == pytest.approx(by_frame["miou"] - by_video["miou"])
        and low < by_frame["difference"] < high
    )
    value = split_value("pt-BR")
    assert len(value["frames"]) == len(frames) and sum(value["frames"]) == len(scored)
    assert (value["gap"], value["runs"]["frame"]["miou"]) == (by_frame["difference"], by_frame["miou"])
    road = next(entry for entry in value["classes"] if entry["title"] == texts("pt-BR", "classes")["road"])
    assert road["ious"] == [run["class_iou"]["road"] for run in (by_video, by_frame)]


def test_the_rows_on_vessels_are_five_losses_of_three_seeds_and_a_person():
    value, document = vessels_value(), read_measured("vessels")
    assert [(row["loss"], row["seeds"]) for row in value["rows"][:-1]] == [
        (loss, 3) for loss in ("ce", "wce", "focal", "dice", "ce+dice")
    ]
    assert value["rows"][-1] | {"loss": None, "title": None, "seeds": 1} == value["rows"][-1]
    shown = {row["loss"]: row["figures"] for row in value["rows"]}
    for row in document["rows"]:
        pixels = np.sum(row["counts"], axis=1)  # seeds, three counts, two classes
        hits, labelled, predicted = pixels[:, 0, 1], pixels[0, 1], pixels[:, 2, 1]
        expected = {"recall": hits / labelled[1]}
        expected["precision"] = np.where(predicted > 0, hits / np.maximum(predicted, 1), np.nan)
        expected["IoU"] = hits / (labelled[1] + predicted - hits)
        for name, values in expected.items():
            figure = shown[row["loss"]][name]
            found = [np.nan if figure[field] is None else figure[field] for field in ("value", "spread")]
            spread = values.std(ddof=1) if row["loss"] else np.nan
            np.testing.assert_allclose(found, [values.mean(), spread], err_msg=f"{row['loss']}: {name}")
    assert value["share"] == pytest.approx(labelled[1] / labelled.sum()) and value["images"] == 8
    assert {row["steps"] for row in document["rows"]} == {value["steps"], None}


def test_the_lesson_is_made_once_for_each_language_and_says_it(server):
    page, _ = server
    lesson, turns = Lesson(page), []
    page.segmenter.turn, turn = Counting(turns, page.segmenter.turn), page.segmenter.turn
    try:
        value = lesson.open(request())
        assert lesson.open(request()) is value and len(turns) == 1
    finally:
        page.segmenter.turn = turn
    assert value["strings"] == texts("en", "learn") and value["network"]["name"] == LADDER[2]
    assert lesson.open(request("pt-BR"))["strings"] == texts("pt-BR", "learn")
    work = page.prepare(str(examples()[0].photo), [LADDER[2]])
    result = page.segmenter.segment(page.infos[LADDER[2]], work.decoded.image)
    own = page.mask_scores(result.mask, result.info.labels, work.truth)
    assert value["network"]["mious"]["8"] == own["miou"] and list(value["network"]["maps"]) == ["32", "16", "8"]
    json.dumps(value)


class Counting:
    """A lock that notes each turn."""

    def __init__(self, turns: list, lock):
        self.turns, self.lock = turns, lock

    def __enter__(self):
        self.turns.append(1)
        return self.lock.__enter__()

    def __exit__(self, *error):
        return self.lock.__exit__(*error)


def test_without_an_fcn8s_the_lesson_has_no_network(server, monkeypatch):
    page, _ = server
    monkeypatch.setattr(Lesson, "network", lambda self: None)
    assert Lesson(page).open(request())["network"] is None


def test_the_first_page_holds_nothing_of_the_lesson(server):
    with urllib.request.urlopen(server[1]) as answer:
        first = answer.read().decode()
    assert texts()["tab_learn"] in first and "trigger(" in first
    own = (SCRIPTS / "scores.js").read_text(encoding="utf-8")
    assert "nearBorders" in own and "nearBorders" not in first
    assert texts(section="learn")["intro"] not in first and ".learn .part" not in first
