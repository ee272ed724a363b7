"""The leaderboard table in a real browser: order, filters, the address, what its words say."""

import json

import pytest
from table_page import BEST, CLASSES, HOSTILE, SECOND, THIRD, UNMEASURED, cells, header, names, select

from evaluation.board.rows import published

# --- what ships ---


def test_published_figures_have_sources_and_known_values():
    figures = published()
    for figure in figures:
        assert figure["url"].startswith("https://") and figure["source"] and figure["split"]
        assert all(figure[name] is None or 0 < figure[name] < 1 for name in ("miou", "pixel_accuracy"))
    known = {(figure["name"], figure["source"][:12]): figure["miou"] for figure in figures}
    assert known["FCN8", "Jégou et al."] == 0.570
    assert known["FC-DenseNet103", "Jégou et al."] == 0.669
    assert known["FCN-8s", "Long et al.,"] in (0.627, 0.622)
    assert known["FCN-16s", "fcn.berkeley"] == 0.650


# --- order ---


def test_default_order_is_by_rank_then_miou_and_unranked_rows_come_last(visit_table):
    page = visit_table()
    assert names(page) == [BEST, SECOND, THIRD, UNMEASURED]
    assert cells(page, "rank") == ["1", "1", "3", "–"]
    last = page.locator(".ranking tbody tr").last
    assert "community, as stated, not recomputed" in last.inner_text()
    assert cells(page, "miou") == ["60.0", "58.0", "50.0", "–"]
    assert header(page, "rank").get_attribute("aria-sort") == "ascending"
    assert page.locator(".ranking th[aria-sort]").count() == 1


def test_click_sorts_best_first_then_turns_round_with_nulls_last(visit_table):
    page = visit_table("few", "&lb_cols=cost")
    sorter = header(page, "milliseconds").get_by_role("button")
    sorter.click()
    assert names(page) == [THIRD, BEST, SECOND, UNMEASURED]
    assert header(page, "milliseconds").get_attribute("aria-sort") == "ascending"
    sorter.click()
    assert names(page) == [SECOND, BEST, THIRD, UNMEASURED]
    assert header(page, "milliseconds").get_attribute("aria-sort") == "descending"


@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_keyboard_sorts_and_keeps_the_focus(visit_table, key):
    page = visit_table()
    header(page, "pixel_accuracy").get_by_role("button").focus()
    page.keyboard.press(key)
    assert names(page) == [SECOND, BEST, UNMEASURED, THIRD]
    assert header(page, "pixel_accuracy").get_attribute("aria-sort") == "descending"
    assert page.evaluate("document.activeElement.closest('th').dataset.column") == "pixel_accuracy"
    page.keyboard.press(key)
    assert names(page) == [THIRD, UNMEASURED, BEST, SECOND]


def test_sets_of_images_never_share_a_view(visit_table):
    page = visit_table("mixed")
    choice = page.locator("[data-slot='images'] label")
    assert choice.all_inner_texts() == ["CamVid test 1", "CamVid val 4", f"PASCAL VOC {HOSTILE} 1"]
    assert names(page) == [BEST, SECOND, THIRD, UNMEASURED]  # the set with the most rows
    assert page.locator("h3.images").inner_text() == "CamVid val · 101 images"
    assert page.locator(".ranking caption").inner_text().startswith("CamVid val · 101 images. ")
    assert all("CamVid val" in title for title in page.locator(".plot h4").all_inner_texts())
    assert "CamVid val · 101 images" in page.locator("[data-plot='cost'] .source").first.text_content()
    choice.first.click()
    assert names(page) == [BEST] and cells(page, "rank") == ["1"] and "lb_images=camvid%2Ftest" in page.url
    assert page.locator("h3.images").inner_text() == "CamVid test · 233 images"
    page.go_back()
    assert names(visit_table("mixed", "&lb_dataset=voc")) == [HOSTILE]  # a link from before, which filtered
    assert names(visit_table("mixed", f"&lb_open={BEST}%40camvid%2Ftest")) == [BEST]


def test_the_table_says_what_flatters_what_seeds_do_and_what_differs(visit_table):
    page = visit_table("caveats")
    said = page.locator(".caveats li").all_inner_texts()
    assert said[0].startswith(
        "All 101 images of CamVid val come from the video 0016E5, which also gives 204 of the 367"
    )
    assert "3 seeds of ce give mIoU 60.0 – 62.0 and pole 10.0 – 45.0" in said[1]
    assert "135 to 355 epochs in total; ImageNet in 1 of 3" in said[2]
    turns = "dice leads focal on mIoU (63.7 against 63.0) and trails it on the worst 5 % of the images"
    assert f"{turns} (51.7 against 52.9)" in said[3]
    assert cells(page, "epochs") == ["135", "135", "355"] and cells(page, "worst_miou") == ["51.7", "52.9", "50.0"]
    assert page.locator("td[data-column='elsewhere']").last.inner_text() == "ImageNet"
    assert page.locator("td[data-column='epochs']").last.get_attribute("title") == "135 + 220"
    page.get_by_role("radio", name="Per class").check()
    pole = page.locator("td[data-column='class_pole']").last
    assert pole.inner_text().split("\n") == ["10.0", "3 seeds: 10.0 – 45.0"]
    assert page.locator("td[data-column='class_pole'] strong").count() == 0  # a seed of ce gives 45, above the 40
    words = select(page, "dice", "ce")
    assert "ce 355" in words and "Seeds measured: dice 1, ce 3." in words
    heat = page.locator("[data-plot='classes']")
    assert "10–45" in heat.locator(".heat").all_text_contents()
    assert "over 3 seeds of FCN-8s cross-entropy" in heat.locator("svg").get_attribute("aria-label")


def test_losses_are_drawn_with_every_seed(visit_table):
    page = visit_table("seeds")
    plot = page.locator("[data-plot='losses']")
    dots = plot.locator(".mark title").all_text_contents()
    assert len([dot for dot in dots if dot.startswith("ce") and "pole" in dot]) == 3
    label = plot.locator("svg").get_attribute("aria-label")
    assert "The seed alone moves pole 10.0 – 45.0 (cross-entropy)" in label
    assert "cross-entropy (3 seeds)" in plot.inner_text() and "Dice (1 seed)" in plot.inner_text()
    assert page.locator("[data-plot='cost'] circle.seed").count() == 3


def test_best_of_a_column_is_bold_only_where_there_is_a_choice(visit_table):
    page = visit_table("mixed")
    assert page.locator(".ranking td[data-column='miou'] strong").all_inner_texts() == ["60.0"]
    assert page.locator(".ranking td[data-column='pixel_accuracy'] strong").all_inner_texts() == ["91.0"]
    page.locator("[data-slot='images'] label").first.click()
    assert page.locator(".ranking td strong").count() == 0  # one row on CamVid test: nothing to be best of


# --- filters and the address ---


def test_search_takes_alternatives_and_words(visit_table):
    page = visit_table()
    page.get_by_role("searchbox").fill("fcn32s; focal 8s")
    assert names(page) == [THIRD, UNMEASURED]
    assert page.locator(".count").inner_text() == "2 of 4 checkpoints shown"
    page.get_by_role("searchbox").fill("nothing like this")
    assert page.locator(".empty").first.inner_text().startswith("No checkpoint fits")


def test_typing_keeps_the_focus_in_the_search(visit_table):
    page = visit_table()
    page.get_by_role("searchbox").press_sequentially("16s")
    assert page.get_by_role("searchbox").input_value() == "16s"
    assert names(page) == [SECOND]


def test_facets_combine_and_clear(visit_table):
    page = visit_table()
    page.locator(".filters > summary").click()
    page.get_by_role("checkbox", name="FCN-8s").check()
    assert names(page) == [BEST, UNMEASURED]
    page.locator(".filters").get_by_role("checkbox", name="focal").check()
    assert names(page) == [UNMEASURED]
    assert page.locator(".filters > summary").inner_text().startswith("Filters (2 on)")
    page.get_by_role("button", name="Remove filter Loss: focal").click()
    assert names(page) == [BEST, UNMEASURED]
    page.get_by_role("button", name="Clear all").click()
    assert len(names(page)) == 4


def test_focus_moves_on_when_its_control_disappears(visit_table):
    page = visit_table("few", "&lb_variant=fcn8s&lb_loss=focal")
    page.get_by_role("button", name="Remove filter Loss: focal").press("Enter")
    assert names(page) == [BEST, UNMEASURED]
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"


def test_address_restores_rows_columns_sort_and_selection(visit_table):
    page = visit_table("few", "&keep=me")
    page.get_by_role("searchbox").fill("ce")
    page.get_by_role("radio", name="Boundaries").check()
    header(page, "boundary_f").get_by_role("button").click()
    header(page, "boundary_f").get_by_role("button").click()
    page.get_by_role("checkbox", name=f"Select {THIRD}").check()
    page.get_by_role("button", name=SECOND).click()
    assert names(page) == [THIRD, SECOND, BEST]
    assert "keep=me" in page.url and "payload=few" in page.url
    page.reload()
    page.locator(".ranking").wait_for()
    assert names(page) == [THIRD, SECOND, BEST]
    assert page.get_by_role("searchbox").input_value() == "ce"
    assert page.get_by_role("radio", name="Boundaries").is_checked()
    assert header(page, "boundary_f").get_attribute("aria-sort") == "ascending"
    assert page.get_by_role("checkbox", name=f"Select {THIRD}").is_checked()
    assert page.locator(".detail h3").inner_text() == SECOND


def test_address_that_names_nothing_known_shows_everything(visit_table):
    page = visit_table("few", "&lb_variant=gone&lb_sort=gone.desc&lb_cols=gone&lb_pick=gone&lb_open=gone&lb_sort=x")
    assert names(page) == [BEST, SECOND, THIRD, UNMEASURED]


def test_presets_show_their_columns(visit_table):
    page = visit_table()
    shown = {}
    for preset in ("Accuracy", "Boundaries", "Per class", "Cost", "Reproduce"):
        page.get_by_role("radio", name=preset, exact=True).check()
        shown[preset] = [
            head.get_attribute("data-column") for head in page.locator(".ranking thead th[data-column]").all()
        ][2:]
    assert "dice" in shown["Accuracy"] and "calibration" in shown["Accuracy"]
    assert shown["Boundaries"] == ["miou", "boundary_f", *(f"trimap_{width}" for width in (1, 2, 4, 8, 16))]
    assert shown["Per class"] == ["miou", *(f"class_{name}" for name in CLASSES)]
    assert {"parameters", "gmacs", "file_bytes", "milliseconds", "device"} <= set(shown["Cost"])
    assert {"revision", "sha256", "git_commit", "recipe", "date"} <= set(shown["Reproduce"])


# --- words ---


def test_rank_is_told_in_words(visit_table):
    page = visit_table()
    page.get_by_role("button", name=THIRD).click()
    assert (
        "Rank 3 of 3 on CamVid val. The intervals of 2 checkpoints lie wholly above."
        in page.locator(".standing").inner_text()
    )
    page.get_by_role("button", name=SECOND).click()
    assert (
        "Rank 1 of 3 on CamVid val. No other checkpoint's interval lies wholly above."
        in page.locator(".standing").first.inner_text()
    )


def test_pair_with_a_clear_difference(visit_table):
    words = select(visit_table(), THIRD, BEST)
    assert f"{BEST} is 10.0 points of mIoU above {THIRD} (95 % interval of the difference 8.1 to 11.9" in words
    assert "leaves out zero" in words


def test_pair_stated_the_other_way_round_and_unclear(visit_table):
    words = select(visit_table(), BEST, SECOND)
    assert f"{BEST} is 2.0 points of mIoU above {SECOND} (95 % interval of the difference -0.5 to 4.5" in words
    assert "contains zero" in words


def test_pair_that_was_not_computed_or_has_other_images(visit_table):
    assert "No paired difference was computed" in select(visit_table(), SECOND, THIRD)
    page = visit_table("mixed")
    select(page, BEST)
    page.locator("[data-slot='images'] label").last.click()
    assert "measured on different images" in select(page, HOSTILE)


def test_compare_event_carries_the_names(visit_table):
    page = visit_table()
    select(page, THIRD, BEST)
    page.get_by_role("button", name="Compare the selected on an image").click()
    page.wait_for_function("name => document.querySelector('textarea')?.value.includes(name)", arg=BEST)
    assert json.loads(page.get_by_label("heard").input_value()) == [THIRD, BEST]
