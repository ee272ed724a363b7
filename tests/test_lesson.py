"""The tab 'Learn': figures of the networks themselves, and what a visitor moves and reads in a real browser."""

import json
import re
import subprocess
import sys
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from page_reading import PHONE, assert_no_overflow, serious_findings, wait_for_masks
from page_server import GRADIO_WARNINGS, LADDER
from PIL import Image
from playwright.sync_api import expect

from evaluation.board.rows import payload
from training.losses import build_loss
from zoo.images.examples import examples
from zoo.models.architecture import PAPER_OUTPUT_OFFSET, PAPER_SKIP_OFFSET
from zoo.models.score_maps import receptive_fields, summands
from zoo.page.components import FOLDER
from zoo.page.lesson import Lesson, most_frequent, whole_numbers
from zoo.page.lesson_results import rare_value, read_measured, split_value, vessels_value
from zoo.places import REPOSITORY
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


def answered(tab, name: str, choice: int | None = None):
    """A part of the lesson, once its question has been answered, or skipped."""
    part = tab.locator(f"#learn-{name}")
    expect(part.locator(".play")).to_be_hidden()
    part.locator(f"[data-choice='{choice}']" if choice else "button.skip").click()
    expect(part.locator(".told")).to_be_visible()
    return part


def test_the_lesson_asks_first_and_shows_what_is_moved(visit, server):
    tab = visit()
    expect(tab.locator(".learn")).to_have_count(0)
    tab.get_by_role("tab", name="Learn").click()
    expect(tab.locator(".learn[data-ready]")).to_be_visible()
    tab.wait_for_url("**tab=learn**")
    check_first(tab)
    check_field(tab)
    check_sum(tab, server[0])
    check_upsampling(tab)
    check_losses(tab)
    check_split(tab)
    check_padding(tab)
    check_quiz(tab)
    tab.emulate_media(reduced_motion="reduce")
    for width in (390, 2560):
        tab.set_viewport_size({"width": width, "height": 844})
        assert_no_overflow(tab)
    assert serious_findings(tab) == []


def slide(part, name: str, value: int | float):
    """Move a slider of a part with the keys, as a person without a mouse does."""
    field = part.locator(f"input[name={name}]")
    field.focus()
    step = float(field.get_attribute("step"))
    distance = round((value - float(field.input_value())) / step)
    for _ in range(abs(distance)):
        field.press("ArrowRight" if distance > 0 else "ArrowLeft")


def check_first(tab):
    """The window moves by one cell, and another class gives another map."""
    part = answered(tab, "first", 1)
    canvas = part.locator("canvas")
    before = part.locator(".finding").inner_text()
    canvas.focus()
    canvas.press("ArrowRight")
    after = part.locator(".finding").inner_text()
    columns = [int(text.removeprefix("Column ").split(",")[0]) for text in (before, after)]
    assert columns[1] == columns[0] + 1
    part.get_by_label("Map of the class").select_option(label="sky")
    expect(part.locator(".finding")).to_contain_text("Strongest for sky")
    expect(part.locator(".chances li")).to_have_count(4)


def check_field(tab):
    """A finer grid leaves more room to thin things, on the photo and in the table."""
    part = answered(tab, "field", 2)
    expect(part.locator(".finding")).to_contain_text("32 × 32 pixels; the bright window around it, 276 × 276")
    part.get_by_role("button", name="Stride 8").click()
    expect(part.locator(".finding")).to_contain_text("8 × 8 pixels; the bright window around it, 44 × 44")
    row = part.locator("tr").filter(has=tab.get_by_role("rowheader", name="pole"))
    figures = [int(text.rstrip("%")) for text in row.locator("td span").all_inner_texts()]
    assert figures == sorted(figures) and figures[0] < figures[2]


def check_upsampling(tab):
    """Formula, counts and the square follow the sliders; a learned kernel brings its own size."""
    part = answered(tab, "up", 2)
    expect(part.locator(".verdict")).to_have_text("Right.")
    slide(part, "kernel", 4)
    expect(part.locator(".formula")).to_contain_text("(5 − 1) · 2 + 4 − 2 · 0 = 12")
    part.get_by_role("button", name="Bilinear").click()
    expect(part.locator(".finding")).to_contain_text("it is 1.00 everywhere")
    slide(part, "kernel", 3)
    slide(part, "active", 3)
    expect(part.locator(".finding")).to_contain_text("Input 4 paints outputs 7 to 9. ")
    assert part.locator(".fan .count").all_text_contents() == list("11212121211")
    slide(part, "padding", 1)
    expect(part.locator(".formula")).to_contain_text("= 9")
    part.get_by_role("button", name="Learned").click()
    expect(part.locator(".formula")).to_contain_text("(5 − 1) · 2 + 4 − 2 · 1 = 10")
    part.get_by_label("Class of the learned kernel").select_option(index=3)
    box = part.locator(".fan").bounding_box()
    tab.mouse.click(box["x"] + box["width"] / 2, box["y"] + 10)
    expect(part.locator(".finding")).to_contain_text("Input 3 ")


def check_losses(tab):
    """Who wins follows the loss and the number of rare pixels."""
    part = answered(tab, "loss", 1)
    expect(part.locator(".finding")).to_have_text("Cross-entropy: the pavement wins, its push is 3.4 times the pull.")
    part.get_by_role("button", name="Weighted").click()
    expect(part.locator(".finding")).to_have_text("Weighted: the crack wins, its pull is 14.0 times the push.")
    part.get_by_role("button", name="Cross-entropy").click()
    slide(part, "count", 20)
    expect(part.locator(".finding")).to_contain_text("Cross-entropy: the crack wins")
    *losses, person = part.locator(".real").last.locator("tbody tr").all()
    rows = vessels_value()["rows"]
    for line, row in zip([*losses, person], rows, strict=True):
        cells = line.locator("td span").all_inner_texts()
        figures = [figure["value"] for name, figure in row["figures"].items() if name != "mIoU"]
        expected = ["–" if value is None else f"{100 * value:.1f}" for value in figures]
        assert [cell.split("%")[0].split(" ")[0] for cell in cells] == expected
    assert person.locator("th").inner_text() == "A second person" and person.locator("td").last.inner_text() == "–"
    assert len(losses) == 5 and ", s " in losses[0].locator("td").first.inner_text()


def check_split(tab):
    """The same frames score higher where their neighbours were trained on, and the page says by how much."""
    value = split_value("en")
    part = answered(tab, "split", 2)
    expect(part.locator(".verdict")).to_have_text("Right.")
    expect(part.locator(".told")).to_contain_text(f"{100 * value['gap']:.1f} points")
    shown = [f"{100 * value['runs'][way]['miou']:.1f}%" for way in ("video", "frame")]
    expect(part.locator(".finding")).to_contain_text(f"none of this video's {len(value['frames'])} frames")
    expect(part.locator(".finding")).to_contain_text(f"frames: {shown[0]}")
    expect(part.locator("svg .near")).to_have_count(0)
    button = part.get_by_role("button", name="By frame")
    button.focus()
    button.press("Enter")
    near = len(value["frames"]) - sum(value["frames"])
    expect(part.locator("svg .near")).to_have_count(near)
    expect(part.locator("svg .scored")).to_have_count(sum(value["frames"]))
    expect(part.locator(".finding")).to_contain_text(f"{near} of this video's")
    expect(part.locator(".finding")).to_contain_text(f"frames: {shown[1]}")
    assert part.locator("svg").get_attribute("aria-label") == part.locator(".finding").inner_text()
    row = part.locator("tr").filter(has=tab.get_by_role("rowheader", name="mIoU", exact=True))
    assert row.locator("td").all_inner_texts() == [*shown, f"{100 * value['gap']:+.1f}"]
    expect(part.locator("td.chosen")).to_have_text(
        [shown[1], *(f"{100 * one['ious'][1]:.1f}%" for one in value["classes"])]
    )


def check_padding(tab):
    """The ruler's sizes follow the slider, and its crops the network and the padding."""
    part = answered(tab, "pad", 3)
    expect(part.locator(".verdict")).to_contain_text("Not quite.")
    expect(part.locator(".derivation")).to_contain_text("27 + 4 = 31")
    slide(part, "size", 358)
    expect(part.locator(".lane-row p").first).to_have_text("Image: 358 pixels")
    part.get_by_role("button", name="FCN-32s").click()
    expect(part.locator(".derivation")).to_contain_text("3 + 16 = 19")
    part.get_by_role("button", name="Same").click()
    expect(part.locator(".derivation")).to_contain_text("up at its end to 384")


def check_quiz(tab):
    """Right answers count, and the score is forgotten on request."""
    part = tab.locator("#learn-quiz")
    for number, choice in enumerate((1, 2, 2, 2, 1, 2, 2, 1, 1, 3, 2, 2), 1):  # the last one is wrong
        part.locator(f"input[name=quiz-{number}][value='{choice}']").check()
    part.get_by_role("button", name="Check my answers").click()
    expect(part.locator(".verdict").last).to_have_text("11 of 12 right.")
    expect(part.locator("fieldset[data-verdict=wrong]")).to_have_count(1)
    part.get_by_role("button", name="Start again").click()
    expect(part.locator("input:checked")).to_have_count(0)


def test_each_step_of_the_path_opens_the_page_in_its_state(visit):
    tab = visit("tab=learn")
    steps = tab.locator(".learn .path a")
    expect(steps).to_have_count(6)
    for index, name in enumerate(("first", "field", "field", "sum", "sum")):
        steps.nth(index).click()
        part = tab.locator(f"#learn-{name}")
        if part.locator("button.skip").is_visible():
            part.locator("button.skip").click()
        expect(part).to_be_in_viewport()
        assert f"learn={name}" in tab.url
    expect(part.locator(".marks")).to_be_visible()
    expect(tab.locator("#learn-field .choice [aria-pressed=true]")).to_have_text("Stride 32")  # a state of its own step
    place = tab.url.split("learn_pixel=")[1].split("&")[0].replace("%2C", ",").split(",")
    expect(part.locator(".finding")).to_contain_text(f"Pixel {place[0]}, {place[1]}.")
    last = steps.nth(5).get_attribute("href")
    tab.goto(tab.url.split("?")[0] + last)
    wait_for_masks(tab)
    expect(tab.locator("#viewer [data-mode=difference]")).to_have_attribute("aria-pressed", "true")


def pixel_of(part) -> tuple[int, int]:
    """The pixel that a part's finding tells of."""
    told = part.locator(".finding").inner_text()
    x, y = told.removeprefix("Pixel ").split(".")[0].split(", ")
    return int(x), int(y)


def check_sum(tab, page):
    """The numbers under the cross are the network's, by pointer and by keys; the answer is remembered."""
    part = answered(tab, "sum", 1)
    expect(part.locator(".verdict")).not_to_be_empty()
    canvas = part.locator("canvas").first
    canvas.focus()
    x, y = pixel_of(part)
    canvas.press("ArrowRight")
    canvas.press("Shift+ArrowDown")
    assert pixel_of(part) == (x + 8, y + 1)
    assert canvas.get_attribute("aria-label").endswith(part.locator(".finding").inner_text())
    canvas.click(position={"x": 3, "y": 3})
    with Image.open(examples()[0].photo) as photo:
        found = summands(page.segmenter.model(page.infos[LADDER[2]]), photo.convert("RGB"))
    x, y = pixel_of(part)
    assert (x, y) < (30, 30)
    titles = part.locator("table.sum tr.result td.top").all_inner_texts()
    classes = page.infos[LADDER[2]].labels.classes
    assert titles == [classes[mask[y, x]] for mask in found.masks.values()]
    part.get_by_role("button", name="What each skip changed").click()
    expect(part.locator(".marks")).to_be_visible()
    part.get_by_role("button", name="Ask me again").click()
    expect(part.locator(".play")).to_be_hidden()
    answered(tab, "sum", 2)


def test_the_lesson_in_portuguese_on_a_phone_in_the_dark(visit):
    tab = visit("tab=learn&learn=sum&learn_pixel=100,120", PHONE, "pt-BR", "dark")
    part = answered(tab, "sum")
    expect(part.locator(".finding")).to_contain_text("Pixel 100, 120.")
    expect(part.locator("h2")).to_have_text(texts("pt-BR", "learn")["ask_sum_title"])
    expect(part).to_be_in_viewport()
    assert_no_overflow(tab)
    assert serious_findings(tab) == []


def test_the_strip_of_score_maps_is_there_from_the_first_visit_and_leads_to_the_lesson(visit):
    tab = visit(viewport=PHONE)
    strip = tab.locator(".rungs")
    expect(strip.locator("img")).to_have_count(6)
    assert_no_overflow(tab)
    assert strip.locator(".sign").all_inner_texts()[1].startswith("+")
    strip.get_by_role("button").click()
    expect(tab.locator(".learn[data-ready]")).to_be_visible()


# For each question of the quiz: the part that answers it, and the words there that do.
ANSWERED_BY = {
    1: ("first", "the very same weights slide over an image of any size"),
    2: ("first", "each of which sees a window of 276 × 276 pixels"),
    3: (
        "field",
        "one class for its whole cell. A pole is a few pixels wide: in most cells it is the minority",
    ),
    4: ("sum", "Two skips add the scores of pool4 (stride 16) and pool3 (stride 8)"),
    5: ("sum", "pool4 (stride 16) and pool3 (stride 8): enlarge ×2, add, enlarge ×2, add, enlarge ×8"),
    6: ("up", "(5 − 1) · 2 + 4 − 2 · 1 = 10"),
    7: ("up", "Where the kernel is a multiple of the stride, every output is painted equally often"),
    8: ("up", "The square is the output of an input of ones: away from the edges it is 1.00 everywhere"),
    9: ("sum", "pixels of a border of the ground truth, where only"),
    10: ("sum", "the class with the largest sum wins"),
    11: ("loss", "Down: the pavement pushes"),
    12: ("pad", "3 + 16 = 19 pixels are cropped"),
}


def test_the_twelve_questions_can_be_answered_from_the_page_alone(visit):
    tab = visit("tab=learn")
    for name in ("first", "field", "sum", "up", "loss", "split", "pad"):
        answered(tab, name)
    up = tab.locator("#learn-up")
    for name, value in (("inputs", 5), ("stride", 2), ("kernel", 4), ("padding", 1)):
        slide(up, name, value)
    up.get_by_role("button", name="Bilinear").click()
    pad = tab.locator("#learn-pad")
    pad.get_by_role("button", name="FCN-32s").click()
    for number, (part, words) in ANSWERED_BY.items():
        expect(tab.locator(f"#learn-{part}"), f"question {number}").to_contain_text(words)
    expect(pad).to_contain_text("−99 + 96 = −3")
    assert len(ANSWERED_BY) == tab.locator("#learn-quiz fieldset").count() == 12


@pytest.mark.parametrize(("language", "name"), [("en", "lesson-skips.md"), ("pt-BR", "aula-saltos.md")])
def test_the_teachers_sheet_has_the_pages_questions_and_their_answers_apart(language, name):
    sheet = (REPOSITORY / "docs" / name).read_text(encoding="utf-8")
    strings = texts(language, "learn")
    questions, answers = sheet.split("\n## ")[1:]
    for number in range(1, 13):
        lines = [f"{number}. {strings[f'quiz_{number}_question']}", ""]
        lines += [
            f"   - {letter}) {strings[f'quiz_{number}_choice_{choice}']}" for choice, letter in enumerate("ABC", 1)
        ]
        assert "\n".join(lines) in questions
    right = json.loads(re.search(r"const RIGHT = (\[.*?\]);", (SCRIPTS / "quiz.js").read_text(encoding="utf-8"))[1])
    assert " · ".join(f"{number} {'ABC'[choice - 1]}" for number, choice in enumerate(right, 1)) in answers
    assert "break-before: page" in questions
