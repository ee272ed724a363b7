"""What people do with panels: pin, move, remove, blink, other colours, errors against the ground truth."""

import numpy as np
import pytest
from viewer_page import COLOURS, MARK, MASKS, NAMES, expected_colours, labels, ladder, mask_url, panel, photo, value

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
FALSE_POSITIVE, FALSE_NEGATIVE = (255, 150, 0), (0, 190, 255)
PALETTE = [*COLOURS, *["#000000"] * 252]
TRUTH = {"mask": mask_url(MASKS["c"], PALETTE), "labels": labels()}
DISTINCT = ("#006666", "#ccff66", "#ffccff", "#996633")


def titles(viewer) -> list[str]:
    return viewer.page.locator(".card .title").all_inner_texts()


def choose(viewer, index: int, name: str):
    """Opens the menu of a panel and presses one of its buttons."""
    viewer.card(index).locator(".menu summary").click()
    viewer.card(index).locator(f".menu [data-panel={name}]").click()
    viewer.settle()


def where(viewer, index: int, colour) -> np.ndarray:
    return (viewer.centres(index)[..., :3] == colour).all(axis=-1)


def test_a_panel_is_moved_removed_and_brought_back(viewer):
    viewer.send(ladder())
    choose(viewer, 2, "earlier")
    assert titles(viewer) == ["FCN-32s", "FCN-8s", "FCN-16s"]
    assert viewer.card(0).locator("[data-panel=earlier]").is_disabled()
    choose(viewer, 0, "remove")
    assert titles(viewer) == ["FCN-8s", "FCN-16s"]
    viewer.mode("mask")
    assert (viewer.centres(0)[..., :3] == expected_colours(MASKS["c"])).all()
    restore = viewer.page.get_by_role("button", name="Show removed panels (1)")
    restore.click()
    assert sorted(titles(viewer)) == ["FCN-16s", "FCN-32s", "FCN-8s"] and restore.is_hidden()
    assert (viewer.centres(titles(viewer).index("FCN-32s"))[..., :3] == expected_colours(MASKS["a"])).all()


@pytest.mark.parametrize("shade", [0, 60], ids=["its mask came later", "another photo"])
def test_a_panel_that_is_brought_back_shows_what_came_meanwhile(viewer, shade):
    running = {"status": "running", "mask": None, "confidence": None, "shares": None}
    viewer.send(value(panel("a", "FCN-32s"), panel("b", "FCN-16s", **running)), finished=1)
    choose(viewer, 1, "remove")
    viewer.send(value(panel("a", "FCN-32s"), panel("b", "FCN-16s"), photo=photo(shade)), finished=1)
    viewer.page.get_by_role("button", name="Show removed panels (1)").click()
    viewer.page.locator(".card[data-status=done]").nth(1).wait_for()
    viewer.mode("mask")
    assert (viewer.centres(1)[..., :3] == expected_colours(MASKS["b"])).all()


def test_another_set_of_panels_starts_in_the_pages_order(viewer):
    viewer.send(ladder())
    choose(viewer, 0, "remove")
    viewer.send(value(panel("a", "FCN-32s"), panel("b", "FCN-16s")))
    assert titles(viewer) == ["FCN-32s", "FCN-16s"]


def test_a_pinned_panel_comes_first_and_is_the_reference(viewer):
    viewer.send(ladder())
    choose(viewer, 1, "pin")
    assert titles(viewer) == ["FCN-16s", "FCN-32s", "FCN-8s"]
    assert viewer.status() == "FCN-16s is now the reference"
    viewer.mode("difference")
    assert (where(viewer, 1, MARK) == (MASKS["a"] != MASKS["b"])).all()
    assert not where(viewer, 0, MARK).any()
    choose(viewer, 0, "pin")
    assert titles(viewer) == ["FCN-32s", "FCN-16s", "FCN-8s"]


def test_the_menu_works_by_key_and_closes(viewer):
    viewer.send(ladder())
    opener = viewer.card(2).locator(".menu summary")
    opener.focus()
    viewer.page.keyboard.press("Enter")
    viewer.page.keyboard.press("Escape")
    assert viewer.card(2).locator(".menu").get_attribute("open") is None
    assert opener.evaluate("node => node === document.activeElement")
    assert opener.get_attribute("aria-label") == "Options of FCN-8s"


def test_blinking_shows_the_reference_in_place_of_each_panel(open_page):
    viewer = open_page(reduced_motion="reduce")  # each press turns the pictures over once
    viewer.send(ladder(truth=TRUTH))
    viewer.mode("mask")
    own = [viewer.centres(index) for index in range(3)]
    viewer.page.click("[data-action=blink]")
    viewer.settle()
    for index in range(3):
        assert (viewer.centres(index)[..., :3] == expected_colours(MASKS["c"])).all()
    assert titles(viewer) == ["Ground truth"] * 4
    viewer.page.keyboard.press("Escape")
    viewer.settle()
    assert all((viewer.centres(index) == own[index]).all() for index in range(3))
    assert titles(viewer)[0] == "FCN-32s"


def test_difference_starts_with_the_ground_truth_and_stays_as_chosen(viewer):
    viewer.send(ladder(truth=TRUTH))
    viewer.mode("difference")
    select = viewer.page.locator(".reference select")
    assert select.input_value() == "truth"
    assert (where(viewer, 0, MARK) == (MASKS["a"] != MASKS["c"])).all()
    select.select_option("panels")
    viewer.send(ladder(truth=TRUTH, notes=["again"]))
    assert select.input_value() == "panels"


def test_one_class_alone_tells_false_positives_from_false_negatives(viewer):
    truth = np.roll(MASKS["a"], -6, axis=0)
    truth[-6:] = 0
    viewer.send(ladder(truth=TRUTH | {"mask": mask_url(truth, PALETTE)}))
    viewer.mode("difference")
    viewer.page.locator(".chip[data-name=road]").dblclick()
    viewer.settle()
    road = NAMES.index("road")
    found, labelled = MASKS["c"] == road, truth == road
    assert (found & ~labelled).any() and (labelled & ~found).any()
    assert (where(viewer, 2, FALSE_POSITIVE) == (found & ~labelled)).all()
    assert (where(viewer, 2, FALSE_NEGATIVE) == (labelled & ~found)).all()
    assert viewer.page.get_by_text("false negative of a class shown").is_visible()


def test_the_table_counts_errors_of_each_class(viewer):
    viewer.send(ladder(truth=TRUTH))
    viewer.mode("difference")
    road = NAMES.index("road")
    found, labelled = MASKS["a"] == road, MASKS["c"] == road
    positives, negatives = 100 * (found & ~labelled).mean(), 100 * (labelled & ~found).mean()
    cell = viewer.page.locator(".shares tbody tr", has_text="road").locator("td").first
    assert cell.locator("small").inner_text() == f"+{positives:.1f} −{negatives:.1f}"
    assert viewer.page.locator(".differing").first.inner_text().endswith("wrong")
    viewer.mode("mask")
    assert viewer.page.locator(".shares small").count() == 0
    assert not any(viewer.page.locator(".differing").all_inner_texts())


def test_colours_for_colour_blindness_replace_the_datasets(viewer):
    classes = [one | {"distinct": colour} for one, colour in zip(labels()["classes"], DISTINCT, strict=True)]
    viewer.send(value(panel("a", "FCN-32s", labels=labels() | {"classes": classes})))
    viewer.mode("mask")
    viewer.page.get_by_role("button", name="Colours for colour blindness").click()
    viewer.settle()
    assert (viewer.centres(0)[..., :3] == expected_colours(MASKS["a"], DISTINCT)).all()
    viewer.page.get_by_role("button", name="Colours for colour blindness").click()
    viewer.settle()
    assert (viewer.centres(0)[..., :3] == expected_colours(MASKS["a"])).all()


def test_how_classes_look_is_kept_for_the_next_visit(viewer, open_page):
    classes = [one | {"distinct": colour} for one, colour in zip(labels()["classes"], DISTINCT, strict=True)]
    given = value(panel("a", "FCN-32s", labels=labels() | {"classes": classes}))
    viewer.send(given)
    names = ("Patterns", "Colours for colour blindness")
    for name in names:
        viewer.page.get_by_role("button", name=name).click()
    chosen = viewer.pixels(0)
    later = open_page()
    later.send(given)
    assert later.pixels(0) == chosen
    for name in names:
        assert later.page.get_by_role("button", name=name).get_attribute("aria-pressed") == "true"
    later.page.evaluate("localStorage.setItem('fcn-looks', '[{')")
    broken = open_page()
    broken.send(given)
    broken.mode("mask")
    assert (broken.centres(0)[..., :3] == expected_colours(MASKS["a"])).all()


def test_the_score_is_named_as_it_looks(viewer):
    viewer.send(value(panel("a", "FCN-32s"), leaderboard_links=True))
    score = viewer.card(0).locator("button.miou")
    assert score.get_attribute("aria-label").startswith(score.inner_text())
