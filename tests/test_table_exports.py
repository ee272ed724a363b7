"""Exports of the leaderboard table, texts of strangers, other languages, little data, access and layout."""

import csv
import io
import json

import pytest
from table_page import BEST, HOSTILE, SECOND, THIRD, cells, export, few, header, names, select

from evaluation.board import formats
from evaluation.board.rows import published

# --- exports ---


def test_csv_has_the_columns_and_values_of_the_command_line(visit_table):
    page = visit_table()
    shown, printed = (
        list(csv.DictReader(io.StringIO(text))) for text in (export(page, "csv"), formats.comma_separated(few()))
    )
    assert list(shown[0]) == list(printed[0])
    by_name = {line["name"]: line for line in printed}
    assert [line["name"] for line in shown] == names(page) and len(shown) == len(by_name)
    for line in shown:
        for field, value in line.items():
            other = by_name[line["name"]][field]
            assert value == other or float(value) == float(other), field


def test_csv_holds_the_payload(visit_table):
    page = visit_table()
    lines = list(csv.DictReader(io.StringIO(export(page, "csv"))))
    assert [line["name"] for line in lines] == names(page)
    rows = {entry["name"]: entry for entry in few()["rows"]}
    for line in lines:
        source = rows[line["name"]]
        for field in ("miou", "pixel_accuracy", "parameters", "gmacs", "milliseconds", "rank"):
            assert line[field] == ("" if source[field] is None else line[field])
            assert source[field] is None or float(line[field]) == source[field]
        assert [line["miou_low"], line["miou_high"]] == [str(end) for end in source["miou_interval"] or ("", "")]
        assert line["iou_pole"] == ("" if source["class_iou"] is None else repr(source["class_iou"]["pole"]))
        assert line["sha256"] == source["sha256"] and line["command"] == source["command"]


def test_json_is_the_payload_of_the_rows_shown(visit_table):
    page = visit_table()
    page.get_by_role("searchbox").fill("16s; 32s")
    rows = {entry["name"]: entry for entry in few()["rows"]}
    images = {"dataset": "camvid", "split": "val"}
    assert json.loads(export(page, "json")) == {"images": images, "rows": [rows[SECOND], rows[THIRD]]}


def test_latex_and_bibtex_say_of_which_images_they_are(visit_table):
    page = visit_table("caveats")
    latex = export(page, "latex").splitlines()
    assert latex[0].startswith("% CamVid val · 101 images. All 101 images") and latex[1].startswith("% Rank")
    assert len(latex) == 5 and "63.7 {\\scriptsize [50.0, 70.0]}" in latex[2]
    bibtex = export(page, "bibtex")
    assert "@misc{dice-val," in bibtex and "CamVid val" in bibtex
    assert "brostow2009semantic" in bibtex and "@article{shelhamer2017fully," in bibtex


def test_exports_escape_what_strangers_wrote(visit_table):
    page = visit_table("mixed", "&lb_dataset=voc")
    latex = export(page, "latex").splitlines()
    assert len(latex) == 3 and '"\\&\\_' in latex[-1] and latex[-1].endswith("\\\\")
    bibtex = export(page, "bibtex")
    assert "everingham2010pascal" in bibtex and "brostow" not in bibtex
    assert bibtex.count("{") - bibtex.count("\\{") == bibtex.count("}") - bibtex.count("\\}")
    (line,) = csv.DictReader(io.StringIO(export(page, "csv")))
    assert line["name"] == f"'{HOSTILE}"
    page.locator(".export > summary").click()
    page.locator(".export > summary").click()
    with page.expect_download() as download:
        page.locator("[data-export='csv']").click()
    assert download.value.suggested_filename.startswith("leaderboard-voc-")


# --- strangers, languages, little data ---


def test_hostile_texts_stay_text(visit_table):
    page = visit_table("mixed", "&lb_cols=classes&lb_dataset=voc")
    page.locator(".opener").last.click()
    select(page, HOSTILE)
    page.locator(".filters > summary").click()
    assert page.locator(".board img").count() == 0
    assert page.evaluate("window.hacked") is None
    assert HOSTILE in page.locator(".detail .command code").inner_text()
    assert page.locator(".published a[href^='http']").count() == len(published())


def test_portuguese_texts_and_numbers(visit_table):
    page = visit_table("portuguese")
    assert cells(page, "miou") == ["60,0", "58,0", "50,0", "–"]
    assert page.locator(".count").inner_text() == "4 de 4 checkpoints mostrados"
    for name in (BEST, THIRD):
        page.get_by_role("checkbox", name=f"Selecionar {name}").check()
    assert "10,0 pontos de mIoU acima" in page.locator(".pairs").inner_text()


def test_empty_and_single_payloads_explain_themselves(visit_table):
    assert "No results yet" in visit_table("empty").locator(".empty").inner_text()
    page = visit_table("one")
    assert names(page) == [BEST]
    assert page.locator(".ranking td strong").count() == 0
    page.get_by_role("button", name=BEST).click()
    assert "Rank 1 of 1" in page.locator(".standing").inner_text()


def test_published_figures_stand_apart(visit_table):
    page = visit_table()
    page.locator(".published > summary").click()
    shown = page.locator(".literature tbody tr")
    assert shown.count() == len(published())
    assert "FC-DenseNet103" not in page.locator(".ranking").inner_text()
    assert page.locator(".literature input, .literature button").count() == 0


# --- access and layout ---


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_serious(visit_table, dark):
    from axe_playwright_python.sync_playwright import Axe

    page = visit_table("mixed", dark=dark)
    page.get_by_role("button", name=SECOND).click()
    select(page, THIRD, SECOND)
    for summary in (".filters", ".export", ".published"):
        page.locator(f"{summary} > summary").click()
    found = Axe().run(page, context=".board").response["violations"]
    serious = [
        (issue["id"], [node["html"][:200] for node in issue["nodes"]][:3])
        for issue in found
        if issue["impact"] in ("serious", "critical")
    ]
    assert serious == []


@pytest.mark.parametrize("preset", ["accuracy", "classes", "reproduce"])
def test_phone_scrolls_the_table_and_not_the_page(visit_table, preset):
    page = visit_table("mixed", f"&lb_cols={preset}", width=390, height=844)
    page.get_by_role("button", name=SECOND).click()
    page.locator(".published > summary").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    region = page.get_by_role("region", name="Leaderboard table")
    assert region.evaluate("node => node.scrollWidth > node.clientWidth && node.tabIndex === 0")
    region.evaluate("node => node.scrollTo(300, 0)")
    left = region.bounding_box()["x"]
    assert page.locator(".ranking tbody th.name").first.bounding_box()["x"] == pytest.approx(left, abs=3)


def test_redraw_keeps_where_the_table_is_scrolled_to(visit_table):
    page = visit_table("few", "&lb_cols=cost", width=390, height=844)
    region = page.get_by_role("region", name="Leaderboard table")
    region.evaluate("node => node.scrollTo(250, 0)")
    header(page, "gmacs").get_by_role("button").click()
    assert header(page, "gmacs").get_attribute("aria-sort") == "ascending"
    assert region.evaluate("node => node.scrollLeft") > 150


def test_header_stays_when_the_table_scrolls(visit_table):
    page = visit_table("mixed", height=420)
    region = page.get_by_role("region", name="Leaderboard table")
    region.evaluate("node => node.scrollTo(0, node.scrollHeight)")
    assert header(page, "miou").bounding_box()["y"] == pytest.approx(region.bounding_box()["y"], abs=3)


def test_table_has_caption_and_scopes(visit_table):
    page = visit_table()
    assert page.locator(".ranking caption").count() == 1
    assert page.locator(".ranking thead th:not([scope='col'])").count() == 0
    assert page.locator(".ranking tbody th.name:not([scope='row'])").count() == 0
