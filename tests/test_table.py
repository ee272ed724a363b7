"""The leaderboard table in a real browser, against a payload whose right order, ranks and sentences are known."""

import csv
import io
import json
import re
import socket
from xml.etree import ElementTree

import gradio
import pytest

from evaluation import table

CLASSES = ["sky", "pole", "bicyclist"]
WAIT = 60_000  # milliseconds; a training may share the machine
BEST, SECOND, THIRD, UNMEASURED = (
    "fcn8s-vgg16bn-w25-ce-camvid",
    "fcn16s-vgg16bn-w25-ce-camvid",
    "fcn32s-vgg16bn-w25-ce-camvid",
    "fcn8s-vgg16bn-w25-focal-camvid",
)
HOSTILE = '=<img src=x onerror="window.hacked=1">,"&_'


def row(name, variant, loss, **changes):
    """One leaderboard row with every field; a metric that is not given is null."""
    unmeasured = ("miou_interval", "pixel_accuracy", "mean_accuracy", "frequency_weighted_iou", "dice", "boundary_f")
    return {
        "name": name,
        "variant": variant,
        "loss": loss,
        "backbone": "vgg16bn-w25",
        "dataset": "camvid",
        "split": "val",
        "images": 101,
        "source": "bundled",
        "revision": None,
        "sha256": "ab" * 32,
        "rank": None,
        "miou": None,
        **dict.fromkeys(unmeasured),
        "boundary_f_interval": None,
        "trimap_miou": None,
        "class_iou": None,
        "sequences": {},
        "calibration": None,
        "parameters": 1_300_000,
        "gmacs": 5.125,
        "file_bytes": 2_600_000,
        "milliseconds": None,
        "device": "Some CPU",
        "threads": 2,
        "precision": "fp32",
        "peak_memory_bytes": None,
        "confusion_matrix": None,
        "classes": CLASSES,
        "command": f"python -m evaluation {name} --dataset camvid",
        "training": {"epochs": 400, "optimizer": {"name": "adamw"}},
        "recipe": "training/recipes/camvid.toml",
        "git_commit": "0123456789abcdef",
        "versions": {"torch": "2.11.0"},
        "date": "2026-11-23",
        "protocol": {"void": "dropped"},
    } | changes


def measured(name, variant, miou, interval, rank, milliseconds, pixel_accuracy):
    """A row with all figures, derived from few numbers."""
    return row(
        name,
        variant,
        "ce",
        miou=miou,
        miou_interval=interval,
        rank=rank,
        milliseconds=milliseconds,
        pixel_accuracy=pixel_accuracy,
        boundary_f=miou - 0.1,
        boundary_f_interval=[miou - 0.12, miou - 0.08],
        trimap_miou={"1": miou - 0.3, "2": miou - 0.25, "4": miou - 0.2, "8": miou - 0.15, "16": miou - 0.1},
        class_iou={"sky": 0.9, "pole": 2 * miou - 0.9, "bicyclist": None},
        sequences={"0016E5": {"images": 101, "miou": miou, "pixel_accuracy": pixel_accuracy}},
        calibration={
            "expected_calibration_error": 0.0312,
            "bins": [
                {"low": 0.0, "high": 0.5, "pixels": 0, "confidence": None, "accuracy": None},
                {"low": 0.5, "high": 1.0, "pixels": 900, "confidence": 0.8, "accuracy": 0.75},
            ],
        },
        confusion_matrix=[[75, 25, 0], [10, 90, 0], [0, 0, 0]],
    )


def few():
    """Three measured checkpoints and one without scores, on the same images; rank 1 is shared."""
    rows = [
        measured(THIRD, "fcn32s", 0.50, [0.47, 0.53], 3, 60.0, 0.88),
        row(UNMEASURED, "fcn8s", "focal", pixel_accuracy=0.89, source="hub", provenance="community", recomputed=False),
        measured(SECOND, "fcn16s", 0.58, [0.55, 0.605], 1, 90.0, 0.91),
        measured(BEST, "fcn8s", 0.60, [0.57, 0.63], 1, 80.0, 0.90),
    ]
    pairs = {
        f"{BEST}|{THIRD}": {"difference": 0.1, "interval": [0.081, 0.119]},
        f"{SECOND}|{BEST}@camvid/val": {"difference": -0.02, "interval": [-0.045, 0.005]},
    }
    return {"rows": rows, "pairs": pairs, "published": table.published()}


def mixed():
    """Two data sets, two splits, and a stranger's checkpoint whose every text tries to be markup."""
    stranger = row(
        HOSTILE,
        HOSTILE,
        HOSTILE,
        miou=0.3,
        miou_interval=[0.2, 0.4],
        rank=1,
        source=HOSTILE,
        backbone=HOSTILE,
        provenance=HOSTILE,
    )
    stranger |= {"dataset": "voc", "split": HOSTILE, "classes": [HOSTILE], "class_iou": {HOSTILE: 0.3}}
    stranger |= {"command": HOSTILE, "training": {HOSTILE: HOSTILE}, "device": HOSTILE, "milliseconds": 5.0}
    other = measured(BEST, "fcn8s", 0.40, [0.35, 0.45], 1, 80.0, 0.80) | {"split": "test", "images": 233}
    payload = few()
    return payload | {"rows": [stranger, *payload["rows"], other]}


def unlike():
    """Three losses of FCN-8s, of which one was trained for longer than the others."""
    rows = [measured(f"fcn8s-{loss}", "fcn8s", 0.6, [0.5, 0.7], 1, 80.0, 0.9) for loss in ("ce", "dice", "ce+dice")]
    for one, loss in zip(rows, ("ce", "dice", "ce+dice"), strict=True):
        one["loss"] = loss
    rows[2]["training"] = rows[2]["training"] | {"epochs": 401}
    return {"rows": rows, "pairs": {}, "published": []}


PAYLOADS = {
    "unlike": unlike,
    "few": few,
    "mixed": mixed,
    "one": lambda: {"rows": few()["rows"][3:]},
    "empty": lambda: {"rows": [], "pairs": {}, "published": []},
    "portuguese": lambda: few() | {"strings": table.strings("pt-BR"), "locale": "pt-BR"},
}


@pytest.fixture(scope="module")
def address():
    """A page that mounts the table as the app does: empty at first, filled by a load event."""

    def load(request: gradio.Request):
        return PAYLOADS[request.query_params["payload"]]()

    with gradio.Blocks(analytics_enabled=False) as blocks:
        board = gradio.HTML(**table.component_files(), apply_default_css=False)
        heard = gradio.Textbox(label="heard")
        board.compare(heard_checkpoints, None, heard)
        blocks.load(load, None, board)
    with socket.socket() as probe:  # Gradio's own search for a free port leaves sockets open
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = blocks.launch(prevent_thread_lock=True, quiet=True, ssr_mode=False, server_port=port)[1]
    yield url
    blocks.close()


def heard_checkpoints(event: gradio.EventData):
    return json.dumps(event.checkpoints)


@pytest.fixture(scope="module")
def context(browser):
    """One browser profile for the module: Gradio's scripts come from its cache after the first page."""
    context = browser.new_context(accept_downloads=True)
    yield context
    context.close()


@pytest.fixture
def visit(context, address):
    """A function that opens a payload's page; afterwards no page may have logged an error."""
    pages, errors = [], []

    def open_page(payload="few", query="", width=1280, height=900, dark=False):
        page = context.new_page()
        pages.append(page)
        page.set_viewport_size({"width": width, "height": height})
        page.set_default_timeout(WAIT)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.goto(f"{address}?payload={payload}&__theme={'dark' if dark else 'light'}{query}")
        page.locator(".board .ranking, .board .empty").first.wait_for()
        return page

    yield open_page
    for page in pages:
        page.close()
    assert errors == []


def names(page):
    """Names of the ranked rows from top to bottom."""
    return page.locator(".ranking .opener span:last-child").all_inner_texts()


def cells(page, column):
    """What a column shows, top to bottom; for intervals the figure only."""
    texts = page.locator(f".ranking tbody td[data-column='{column}']").all_inner_texts()
    return [text.split()[0] for text in texts]


def header(page, column):
    return page.locator(f".ranking th[data-column='{column}']")


def saved(page, control):
    """Text of the file that clicking `control` downloads."""
    with page.expect_download() as download:
        control.click()
    return download.value.path().read_bytes()


def export(page, kind):
    if page.locator(".export").get_attribute("open") is None:
        page.locator(".export > summary").click()
    return saved(page, page.locator(f"[data-export='{kind}']")).decode()


# --- what ships ---


def test_component_files_are_complete():
    files = table.component_files()
    assert set(files) == {"html_template", "css_template", "js_on_load"}
    # Gradio evaluates template and style as JavaScript template text and Handlebars.
    for name in ("html_template", "css_template"):
        assert not re.search(r"`|\$\{|\{\{|\\", files[name])


def test_languages_have_the_same_texts_and_places():
    english, portuguese = table.strings("en"), table.strings("pt-BR")
    assert list(english) == list(portuguese)
    for key, text in english.items():
        assert sorted(re.findall(r"\{\w+\}", text)) == sorted(re.findall(r"\{\w+\}", portuguese[key])), key


def test_every_text_is_used():
    scripts = table.component_files()["js_on_load"].split("\n", 2)[2]
    composed = (
        "variant_",
        "loss_",
        "dataset_",
        "source_",
        "provenance_",
        "facet_",
        "preset_",
        "column_",
        "hint_",
        "export_",
        "save_",
    )
    unused = [key for key in table.strings("en") if f'"{key}"' not in scripts and not key.startswith(composed)]
    assert unused == []


@pytest.mark.parametrize("read", [table.strings, table.how_we_measure])
def test_unknown_language_is_refused(read):
    with pytest.raises(ValueError, match=r"'xx'.*en, pt-BR"):
        read("xx")


@pytest.mark.parametrize("language", table.LANGUAGES)
def test_how_we_measure_names_the_rules(language):
    text = table.how_we_measure(language)
    for fact in ("TP / (TP + FP + FN)", "void", "0016E5", "Seq05VD", "101", "204", "367", "171", "233", "bootstrap"):
        assert fact in text


def test_published_figures_have_sources_and_known_values():
    figures = table.published()
    for figure in figures:
        assert figure["url"].startswith("https://") and figure["source"] and figure["split"]
        assert all(figure[name] is None or 0 < figure[name] < 1 for name in ("miou", "pixel_accuracy"))
    known = {(figure["name"], figure["source"][:12]): figure["miou"] for figure in figures}
    assert known["FCN8", "Jégou et al."] == 0.570
    assert known["FC-DenseNet103", "Jégou et al."] == 0.669
    assert known["FCN-8s", "Long et al.,"] in (0.627, 0.622)
    assert known["FCN-16s", "fcn.berkeley"] == 0.650


# --- order ---


def test_default_order_is_by_rank_then_miou_and_unranked_rows_come_last(visit):
    page = visit()
    assert names(page) == [BEST, SECOND, THIRD, UNMEASURED]
    assert cells(page, "rank") == ["1", "1", "3", "–"]
    last = page.locator(".ranking tbody tr").last
    assert "community, as stated, not recomputed" in last.inner_text()
    assert cells(page, "miou") == ["60.0", "58.0", "50.0", "–"]
    assert header(page, "rank").get_attribute("aria-sort") == "ascending"
    assert page.locator(".ranking th[aria-sort]").count() == 1


def test_click_sorts_best_first_then_turns_round_with_nulls_last(visit):
    page = visit("few", "&lb_cols=cost")
    sorter = header(page, "milliseconds").get_by_role("button")
    sorter.click()
    assert names(page) == [THIRD, BEST, SECOND, UNMEASURED]
    assert header(page, "milliseconds").get_attribute("aria-sort") == "ascending"
    sorter.click()
    assert names(page) == [SECOND, BEST, THIRD, UNMEASURED]
    assert header(page, "milliseconds").get_attribute("aria-sort") == "descending"


@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_keyboard_sorts_and_keeps_the_focus(visit, key):
    page = visit()
    header(page, "pixel_accuracy").get_by_role("button").focus()
    page.keyboard.press(key)
    assert names(page) == [SECOND, BEST, UNMEASURED, THIRD]
    assert header(page, "pixel_accuracy").get_attribute("aria-sort") == "descending"
    assert page.evaluate("document.activeElement.closest('th').dataset.column") == "pixel_accuracy"
    page.keyboard.press(key)
    assert names(page) == [THIRD, UNMEASURED, BEST, SECOND]


def test_rows_of_other_images_stand_in_their_own_group(visit):
    page = visit("mixed")
    groups = page.locator(".ranking tr.group").all_inner_texts()
    assert [text.split(" ·")[0] for text in groups] == ["CamVid test", "CamVid val", f"PASCAL VOC {HOSTILE}"]
    assert names(page) == [BEST, BEST, SECOND, THIRD, UNMEASURED, HOSTILE]
    assert cells(page, "rank") == ["1", "1", "1", "3", "–", "1"]


def test_best_of_a_column_is_bold_only_where_there_is_a_choice(visit):
    page = visit("mixed")
    bold = page.locator(".ranking td[data-column='miou'] strong").all_inner_texts()
    assert bold == ["60.0"]  # one row on CamVid test and one on VOC: nothing to be best of
    assert page.locator(".ranking td[data-column='pixel_accuracy'] strong").all_inner_texts() == ["91.0"]


# --- filters and the address ---


def test_search_takes_alternatives_and_words(visit):
    page = visit()
    page.get_by_role("searchbox").fill("fcn32s; focal 8s")
    assert names(page) == [THIRD, UNMEASURED]
    assert page.locator(".count").inner_text() == "2 of 4 checkpoints shown"
    page.get_by_role("searchbox").fill("nothing like this")
    assert page.locator(".empty").first.inner_text().startswith("No checkpoint fits")


def test_typing_keeps_the_focus_in_the_search(visit):
    page = visit()
    page.get_by_role("searchbox").press_sequentially("16s")
    assert page.get_by_role("searchbox").input_value() == "16s"
    assert names(page) == [SECOND]


def test_facets_combine_and_clear(visit):
    page = visit()
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


def test_focus_moves_on_when_its_control_disappears(visit):
    page = visit("few", "&lb_variant=fcn8s&lb_loss=focal")
    page.get_by_role("button", name="Remove filter Loss: focal").press("Enter")
    assert names(page) == [BEST, UNMEASURED]
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"


def test_address_restores_rows_columns_sort_and_selection(visit):
    page = visit("few", "&keep=me")
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


def test_address_that_names_nothing_known_shows_everything(visit):
    page = visit("few", "&lb_variant=gone&lb_sort=gone.desc&lb_cols=gone&lb_pick=gone&lb_open=gone&lb_sort=x")
    assert names(page) == [BEST, SECOND, THIRD, UNMEASURED]


def test_presets_show_their_columns(visit):
    page = visit()
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


def test_rank_is_told_in_words(visit):
    page = visit()
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


def select(page, *chosen):
    for name in chosen:
        page.get_by_role("checkbox", name=f"Select {name}").last.check()
    return page.locator(".pairs").inner_text()


def test_pair_with_a_clear_difference(visit):
    words = select(visit(), THIRD, BEST)
    assert f"{BEST} is 10.0 points of mIoU above {THIRD} (95 % interval of the difference 8.1 to 11.9" in words
    assert "leaves out zero" in words


def test_pair_stated_the_other_way_round_and_unclear(visit):
    words = select(visit(), BEST, SECOND)
    assert f"{BEST} is 2.0 points of mIoU above {SECOND} (95 % interval of the difference -0.5 to 4.5" in words
    assert "contains zero" in words


def test_pair_that_was_not_computed_or_has_other_images(visit):
    assert "No paired difference was computed" in select(visit(), SECOND, THIRD)
    assert "measured on different images" in select(visit("mixed"), BEST, HOSTILE)


def test_compare_event_carries_the_names(visit):
    page = visit()
    select(page, THIRD, BEST)
    page.get_by_role("button", name="Compare the selected on an image").click()
    page.wait_for_function("name => document.querySelector('textarea')?.value.includes(name)", arg=BEST)
    assert json.loads(page.get_by_label("heard").input_value()) == [THIRD, BEST]


# --- details and plots ---


def test_details_show_classes_matrix_calibration_and_command(visit):
    page = visit()
    page.get_by_role("button", name=BEST).click()
    detail = page.locator(".detail")
    assert detail.locator(".classes .figure").all_inner_texts() == ["90.0", "30.0", "–"]
    assert detail.locator(".command code").inner_text() == f"python -m evaluation {BEST} --dataset camvid"
    assert "Expected calibration error 3.1 %" in detail.locator(".reliability").inner_text()
    assert detail.locator(".reliability .column").count() == 1  # the empty bin has no bar
    assert detail.locator(".sequences td").all_inner_texts() == ["101", "60.0", "90.0"]
    assert "adamw" in detail.locator(".training").inner_text()
    assert page.get_by_role("button", name=BEST).first.get_attribute("aria-expanded") == "true"


def test_confusion_matrix_is_read_with_the_keyboard(visit):
    page = visit()
    page.get_by_role("button", name=BEST).click()
    grid = page.get_by_role("grid", name="Confusion matrix")
    grid.locator("td[tabindex='0']").focus()
    assert page.locator(".readout").inner_text() == "label sky, predicted sky: 75.0 % (75 pixels)"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    assert page.locator(".readout").inner_text() == "label pole, predicted pole: 90.0 % (90 pixels)"
    page.keyboard.press("ArrowDown")
    assert page.locator(".readout").inner_text() == "label bicyclist, predicted pole: no pixel carries this label"
    assert grid.locator("td[tabindex='0']").count() == 1


def test_pareto_front_leaves_out_the_slower_and_worse(visit):
    page = visit()
    front = page.locator("[data-plot='cost'] .front").get_attribute("d")
    assert front.count("L") == 1  # 32s and 8s; 16s is slower and worse than 8s
    assert page.locator("[data-plot='cost'] .mark title").count() == 3
    assert "1 left out" in page.locator("[data-plot='cost'] figcaption").inner_text()


def test_plots_draw_ladder_heat_map_and_losses(visit):
    page = visit()
    assert page.locator("[data-plot='ladder'] .line").count() == 2  # mIoU and boundary F
    assert page.locator("[data-plot='classes'] .heat").all_text_contents()[:2] == ["90.0", "30.0"]
    assert page.locator("[data-plot='losses'] .mark title").count() == 2  # sky and pole; bicyclist is null
    page.get_by_role("searchbox").fill("fcn8s")
    assert "at least two of the variants" in page.locator("[data-plot='ladder']").inner_text()


def test_losses_are_compared_where_they_were_trained_alike(visit):
    plot = visit("unlike").locator("[data-plot='losses']")
    titles = plot.locator(".mark title").all_text_contents()
    assert len(titles) == 4 and not [text for text in titles if "+" in text]  # two losses, two classes
    assert "trained alike" in plot.inner_text()


def test_plots_are_saved_as_svg_and_png(visit):
    page = visit("few", dark=True)
    figure = page.locator("[data-plot='cost']")
    drawing = saved(page, figure.get_by_role("button", name="as SVG"))
    root = ElementTree.fromstring(drawing)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert b"var(" not in drawing and b"color(" not in drawing  # readable by programs that know plain SVG only
    assert saved(page, figure.get_by_role("button", name="as PNG"))[:8] == b"\x89PNG\r\n\x1a\n"


# --- exports ---


def test_csv_holds_the_payload(visit):
    page = visit()
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


def test_json_is_the_payload_of_the_rows_shown(visit):
    page = visit()
    page.get_by_role("searchbox").fill("16s; 32s")
    rows = {entry["name"]: entry for entry in few()["rows"]}
    assert json.loads(export(page, "json")) == {"rows": [rows[SECOND], rows[THIRD]]}


def test_latex_and_bibtex_escape_what_strangers_wrote(visit):
    page = visit("mixed")
    latex = export(page, "latex").splitlines()
    assert latex[0].startswith("% ") and len(latex) == 7
    assert "60.0 {\\scriptsize [57.0, 63.0]}" in latex[2]
    assert '"\\&\\_' in latex[-1] and latex[-1].endswith("\\\\")
    bibtex = export(page, "bibtex")
    assert f"@misc{{{BEST}-val," in bibtex and "@inproceedings{long2015fully," in bibtex
    assert "brostow2009semantic" in bibtex and "everingham2010pascal" in bibtex and "cordts" not in bibtex
    assert bibtex.count("{") - bibtex.count("\\{") == bibtex.count("}") - bibtex.count("\\}")


def test_csv_of_hostile_names_is_no_formula(visit):
    lines = list(csv.DictReader(io.StringIO(export(visit("mixed"), "csv"))))
    assert lines[-1]["name"] == f"'{HOSTILE}"


# --- strangers, languages, little data ---


def test_hostile_texts_stay_text(visit):
    page = visit("mixed", "&lb_cols=classes")
    page.locator(".opener").last.click()
    select(page, HOSTILE)
    page.locator(".filters > summary").click()
    assert page.locator(".board img").count() == 0
    assert page.evaluate("window.hacked") is None
    assert HOSTILE in page.locator(".detail .command code").inner_text()
    assert page.locator(".published a[href^='http']").count() == len(table.published())


def test_portuguese_texts_and_numbers(visit):
    page = visit("portuguese")
    assert cells(page, "miou") == ["60,0", "58,0", "50,0", "–"]
    assert page.locator(".count").inner_text() == "4 de 4 checkpoints mostrados"
    for name in (BEST, THIRD):
        page.get_by_role("checkbox", name=f"Selecionar {name}").check()
    assert "10,0 pontos de mIoU acima" in page.locator(".pairs").inner_text()


def test_empty_and_single_payloads_explain_themselves(visit):
    assert "No results yet" in visit("empty").locator(".empty").inner_text()
    page = visit("one")
    assert names(page) == [BEST]
    assert page.locator(".ranking td strong").count() == 0
    page.get_by_role("button", name=BEST).click()
    assert "Rank 1 of 1" in page.locator(".standing").inner_text()


def test_published_figures_stand_apart(visit):
    page = visit()
    page.locator(".published > summary").click()
    published = page.locator(".literature tbody tr")
    assert published.count() == len(table.published())
    assert "FC-DenseNet103" not in page.locator(".ranking").inner_text()
    assert page.locator(".literature input, .literature button").count() == 0


# --- access and layout ---


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_serious(visit, dark):
    from axe_playwright_python.sync_playwright import Axe

    page = visit("mixed", dark=dark)
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
def test_phone_scrolls_the_table_and_not_the_page(visit, preset):
    page = visit("mixed", f"&lb_cols={preset}", width=390, height=844)
    page.get_by_role("button", name=SECOND).click()
    page.locator(".published > summary").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    region = page.get_by_role("region", name="Leaderboard table")
    assert region.evaluate("node => node.scrollWidth > node.clientWidth && node.tabIndex === 0")
    region.evaluate("node => node.scrollTo(300, 0)")
    left = region.bounding_box()["x"]
    assert page.locator(".ranking tbody th.name").first.bounding_box()["x"] == pytest.approx(left, abs=3)


def test_redraw_keeps_where_the_table_is_scrolled_to(visit):
    page = visit("few", "&lb_cols=cost", width=390, height=844)
    region = page.get_by_role("region", name="Leaderboard table")
    region.evaluate("node => node.scrollTo(250, 0)")
    header(page, "gmacs").get_by_role("button").click()
    assert header(page, "gmacs").get_attribute("aria-sort") == "ascending"
    assert region.evaluate("node => node.scrollLeft") > 150


def test_header_stays_when_the_table_scrolls(visit):
    page = visit("mixed", height=420)
    region = page.get_by_role("region", name="Leaderboard table")
    region.evaluate("node => node.scrollTo(0, node.scrollHeight)")
    assert header(page, "miou").bounding_box()["y"] == pytest.approx(region.bounding_box()["y"], abs=3)


def test_table_has_caption_and_scopes(visit):
    page = visit()
    assert page.locator(".ranking caption").count() == 1
    assert page.locator(".ranking thead th:not([scope='col'])").count() == 0
    assert page.locator(".ranking tbody th.name:not([scope='row'])").count() == 0
