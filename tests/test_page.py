"""The page in a real Chromium: images in, masks read back pixel for pixel, languages, links, phone and dark mode.

FCN_SCREENSHOTS=FOLDER writes pictures of the main states.
"""

import io
import os
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hub_client import save_checkpoint
from hub_server import HubServer
from page_reading import PATIENCE, PHONE, assert_no_overflow, read_mask, serious_findings, upload, wait_for_masks
from page_server import FOCAL, GRADIO_WARNINGS, LADDER, make_page, serve, write_checkpoints
from PIL import Image
from playwright.sync_api import expect
from test_hub_results import result_files

from zoo.hub.settings import HubSettings
from zoo.images.examples import examples
from zoo.images.photo import UPLOAD_MEGABYTES, decode_image

pytestmark = GRADIO_WARNINGS
expect.set_options(timeout=PATIENCE)


def picture(tab, name):
    """Write a screenshot of what a visitor sees first if FCN_SCREENSHOTS asks for it."""
    if folder := os.environ.get("FCN_SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        tab.screenshot(path=Path(folder) / f"{name}.png")


def test_own_photo_three_checkpoints_exact_masks_and_zip(visit, server, tmp_path):
    page, _ = server
    path = tmp_path / "my street.png"
    with Image.open(examples()[3].photo) as photo:
        photo.crop((100, 60, 420, 300)).save(path)
    tab = visit()
    picture(tab, "compare")
    for name in LADDER:
        tab.locator(f"#picker input[value='{name}']").uncheck()
    upload(tab, path)
    expect(tab.locator(".toast-wrap").get_by_text("No checkpoint is ticked", exact=False)).to_be_visible()
    for name in (LADDER[0], LADDER[1], FOCAL):
        tab.locator(f"#picker input[value='{name}']").check()
    tab.locator("#go").click()
    tab.wait_for_function("!document.querySelector('#viewer').textContent.includes('Ground truth')")
    wait_for_masks(tab)
    tab.locator("#viewer [data-mode=mask]").click()
    image = decode_image(path).image
    for name, title in ((LADDER[0], "FCN-32s"), (LADDER[1], "FCN-16s"), (FOCAL, "FCN-8s")):
        result = page.segmenter.segment(page.infos[name], image)
        assert np.array_equal(read_mask(tab, title, result.info.labels, image.size), result.mask)
    with tab.expect_download() as download:
        tab.locator("#download").click()
    assert download.value.suggested_filename == "fcn-my street.zip"
    with zipfile.ZipFile(io.BytesIO(Path(download.value.path()).read_bytes())) as archive:
        stored = np.array(Image.open(archive.open(f"masks/{FOCAL}.png")))
    assert np.array_equal(stored, page.segmenter.segment(page.infos[FOCAL], image).mask)


def test_every_example_has_a_name_masks_and_ground_truth(visit):
    tab = visit()
    buttons = tab.locator("#examples button")
    assert len({buttons.nth(index).get_attribute("aria-label") for index in range(8)}) == 8
    for index, example in enumerate(examples()):
        buttons.nth(index).click()
        tab.wait_for_url(f"**example={example.name}**")
        wait_for_masks(tab)
        expect(tab.locator("#viewer .card")).to_have_count(4 if example.truth else 3)
        if example.truth:
            expect(tab.locator("#iou tbody tr").last).to_contain_text("mIoU")
    expect(tab.locator("#iou .iou")).to_be_hidden()  # of the last one, which is no street
    assert buttons.nth(7).get_attribute("aria-pressed") == "true"


def test_bad_files_get_an_answer_and_break_nothing(visit, tmp_path):
    tab = visit()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "whole.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:6000])
    (tmp_path / "text.png").write_text("this is no image")
    for name, words in (("cut.png", "damaged or incomplete"), ("text.png", "not an image that can be read")):
        upload(tab, tmp_path / name)
        expect(tab.get_by_text(words, exact=False).first).to_be_visible()
    picture(tab, "bad-file")
    upload(tab, tmp_path / "whole.png")
    tab.wait_for_function("!document.querySelector('#viewer').textContent.includes('Ground truth')")
    wait_for_masks(tab)


def test_presets_and_address(visit):
    tab = visit()
    picker = tab.locator("#picker")
    picker.get_by_role("button", name="Losses").click()
    tab.wait_for_url(f"**checkpoints={LADDER[2]},{FOCAL}")
    wait_for_masks(tab, 2)
    expect(picker.get_by_role("button", name="Losses")).to_have_attribute("aria-pressed", "true")
    expect(tab.locator(".pending")).to_have_count(0)
    visit.reload(tab)
    wait_for_masks(tab, 2)
    assert picker.locator("input:checked").evaluate_all("boxes => boxes.map(box => box.value)") == [LADDER[2], FOCAL]


def test_leaderboard_sorts_by_keyboard_and_links_both_ways(visit):
    tab = visit()
    tab.get_by_role("tab", name="Leaderboard").click()
    rows = tab.locator("#leaderboard tbody tr:has(td)")
    expect(tab.locator("#leaderboard")).to_contain_text(LADDER[2])
    picture(tab, "leaderboard")
    header = tab.locator("#leaderboard th:has(button)", has_text="Pixel accuracy").first
    header.locator("button").first.focus()
    tab.keyboard.press("Enter")
    assert header.get_attribute("aria-sort") == "descending"
    expect(rows.first).to_contain_text(LADDER[0])  # made up to run against mIoU
    assert_no_overflow(tab)
    tab.get_by_role("tab", name="Compare").click()
    tab.get_by_role("button", name=f"Open the leaderboard: {LADDER[1]}").click()
    opener = tab.locator(f"#leaderboard tr[data-key='{LADDER[1]}@camvid/val'] button.opener")
    expect(opener).to_have_attribute("aria-expanded", "true")
    expect(opener).to_be_in_viewport()
    picture(tab, "leaderboard-row")
    tab.goto(tab.url)  # as someone does who was sent the link
    expect(opener).to_have_attribute("aria-expanded", "true")
    expect(tab.locator("#leaderboard button.opener[aria-expanded=true]")).to_have_count(1)
    tab.get_by_role("tab", name="Compare").click()
    tab.get_by_role("button", name="Losses").click()
    tab.wait_for_url("**checkpoints=**")
    visit.reload(tab)
    wait_for_masks(tab, 2)


def test_a_figure_is_held_against_the_definitions_of_miou(visit, tmp_path):
    generator = np.random.default_rng(0)
    for name in ("predictions", "truth"):
        with zipfile.ZipFile(tmp_path / f"{name}.zip", "w") as archive:
            for number in range(2):
                mask = generator.integers(0, 11, (24, 32)).astype(np.uint8)
                with io.BytesIO() as buffer:
                    Image.fromarray(mask).save(buffer, "PNG")
                    archive.writestr(f"frame_{number}.png", buffer.getvalue())
    tab = visit(language="pt-BR")
    tab.get_by_role("tab", name="Ranking").click()
    tab.get_by_role("button", name="Confira o meu número").click()
    tab.locator("#definitions-go").click()
    expect(tab.locator(".toast-wrap")).to_contain_text("São necessários dois zips")
    for name in ("predictions", "truth"):
        tab.locator(f"#definitions-{name} input[type=file]").set_input_files(tmp_path / f"{name}.zip")
        expect(tab.locator(f"#definitions-{name}")).to_contain_text(f"{name}")
    tab.get_by_label("Número a procurar").fill("99,9")
    tab.locator("#definitions-go").click()
    answer = tab.locator("#definitions-answer")
    expect(answer).to_contain_text("99,9 não é nenhuma destas definições")
    # No class is absent but void: one row for each of 3 poolings with void dropped and as an error, 3 each where it is
    # a class, and 3 readings that libraries have alone.
    expect(answer.locator("tbody tr")).to_have_count(2 * 3 + 3 * 3 + 3)
    first = answer.locator("tbody tr").first
    expect(first).to_contain_text("cityscapesScripts")
    tab.get_by_label("Número a procurar").fill(first.locator("td").first.inner_text())
    tab.locator("#definitions-go").click()  # from the counts that are kept: the zips are gone
    expect(answer).to_contain_text("é: um IoU por classe sobre toda a divisão")
    expect(tab.locator(".toast-body")).to_have_count(0, timeout=15_000)  # Gradio's own, a button in a button
    assert serious_findings(tab) == []


def test_inside_the_network(visit, server):
    page, _ = server
    tab = visit(viewport={"width": 1920, "height": 1080})  # every photo pixel covers one of the screen's at least
    tab.get_by_role("button", name="Inside the network").click()
    expect(tab.locator("#inside-viewer .card")).to_have_count(7)  # six rungs and the ground truth
    expect(tab.locator("#inside-viewer .card").nth(5)).to_have_attribute("data-status", "done")
    tab.locator("#inside").evaluate("fold => fold.scrollIntoView()")
    picture(tab, "inside")
    tab.locator("#inside-viewer [data-mode=mask]").click()
    with Image.open(examples()[0].photo) as photo:
        rung = page.segmenter.rungs(page.infos[LADDER[2]], photo.convert("RGB"))[2]
    shown = read_mask(tab, "Fused 16", page.infos[LADDER[2]].labels, (480, 360), "#inside-viewer")
    assert np.array_equal(shown, rung.mask)
    tab.locator("#inside-whose input").click()
    tab.get_by_role("option", name="FCN-32s").click()
    expect(tab.locator("#inside-viewer .card")).to_have_count(3)
    # Gradio fades a component while its event is under way, and faded text has no contrast to speak of.
    expect(tab.locator(".pending")).to_have_count(0)
    tab.wait_for_timeout(500)
    assert serious_findings(tab) == []


def test_checkpoints_of_the_hub_come_later_and_added_ones_are_the_visitors_own(visit, tmp_path):
    write_checkpoints(tmp_path / "bundled")
    for seed, name in ((7, "ana/net"), (8, "bo/net")):
        save_checkpoint(tmp_path / name, seed=seed)
    with HubServer() as hub:
        hub.add("ana/net", tmp_path / "ana/net")
        hub.add("bo/net", tmp_path / "bo/net")
        hub.add(
            "datasets/bo/results", result_files(tmp_path / "results", repository="ana/net", checkpoint__loss="<i>ce")
        )
        named = {"authors": ("ana",), "results": ("bo/results",)}
        settings = HubSettings(endpoint=hub.endpoint, cache=tmp_path / "cache", **named)
        with serve(make_page(tmp_path / "bundled", settings)) as address:
            tab = visit(address=address, query=f"checkpoints={LADDER[0]}", count=1)
            hub.fault("ana/net.*model.safetensors", "slow", times=1)
            tab.locator("#picker input[value='ana/net']").check()
            tab.locator("#go").click()
            expect(tab.locator("#viewer")).to_contain_text(re.compile(r"Running: \d+ of \d+ kB"))
            wait_for_masks(tab, 2)
            tab.get_by_role("button", name="Checkpoints on the Hugging Face Hub").click()
            expect(tab.locator("#hub-note")).to_contain_text("Checkpoints on the Hub: listed")
            tab.locator("#hub-name input, #hub-name textarea").fill("bo/gone")
            tab.locator("#hub-add").click()
            expect(tab.get_by_text("bo/gone: not found", exact=False)).to_be_visible()
            tab.locator("#hub-name input, #hub-name textarea").fill("bo/net")
            tab.locator("#hub-add").click()
            expect(tab.locator("#picker input[value='bo/net']")).to_be_checked()
            picture(tab, "hub")
            tab.locator("#go").click()
            wait_for_masks(tab, 3)
            expect(tab.locator("#viewer")).to_contain_text("bo/net@")
            other = visit(address=address, query=f"checkpoints={LADDER[0]},bo/net", count=1)
            expect(other.locator("#picker input[value='ana/net']")).to_be_visible()
            expect(other.locator("#picker input[value='bo/net']")).to_have_count(0)
            other.get_by_role("tab", name="Leaderboard").click()
            expect(other.locator("#results-note")).to_contain_text("Results on the Hub: read")
            row = other.locator("#leaderboard tbody th[scope=row]", has_text="ana/net")
            expect(row).to_contain_text("<i>ce")
            expect(row).to_contain_text("community")


def test_portuguese_dark_page(visit):
    tab = visit(language="pt-BR", theme="dark")
    expect(tab.get_by_role("heading", level=1)).to_have_text("FCN lado a lado")
    expect(tab.locator("#go")).to_have_text("Comparar")
    expect(tab.locator("#picker")).to_contain_text("52,0±2,0")
    expect(tab.locator("#viewer")).to_contain_text("Sobreposição")
    expect(tab.locator("#status")).to_contain_text("3 máscaras em")
    picture(tab, "compare-dark-portuguese")
    assert serious_findings(tab) == []


@pytest.mark.parametrize(("language", "theme"), [("pt-BR", "light"), ("en-US", "dark")])
def test_every_theme_and_language_is_accessible(visit, language, theme):
    assert serious_findings(visit(language=language, theme=theme)) == []


def test_what_gradio_says_and_what_stands_around_is_in_the_language_too(visit, tmp_path):
    tab = visit(language="pt-BR")
    expect(tab).to_have_title("FCN lado a lado: máscaras e ranking")
    assert tab.locator("html").get_attribute("lang") == "pt-BR"
    expect(tab.get_by_role("button", name="Remover imagem")).to_be_visible()
    expect(tab.get_by_role("button", name="Enviar arquivo")).to_be_visible()
    with open(tmp_path / "large.png", "wb") as large:
        large.truncate((UPLOAD_MEGABYTES + 1) * 1024 * 1024)
    tab.get_by_role("button", name="Remover imagem").click()
    tab.set_input_files("#photo input[type=file]", tmp_path / "large.png")
    expect(tab.locator(".toast-wrap")).to_contain_text(f"Arquivo maior que o limite de {UPLOAD_MEGABYTES},0 Mb")
    expect(tab.locator(".toast-wrap")).to_contain_text("Erro")
    (tmp_path / "small.png").write_bytes(examples()[0].photo.read_bytes()[:6250])
    tab.get_by_role("tab", name="Lote").click()
    tab.set_input_files("#batch-files input[type=file]", tmp_path / "small.png")
    expect(tab.locator("#batch-files")).to_contain_text(re.compile(r"6,1\s*KB"))


def test_the_first_stop_of_the_keyboard_leads_to_the_masks(visit):
    tab = visit()
    tab.keyboard.press("Tab")
    link = tab.get_by_role("link", name="Skip to the masks")
    expect(link).to_be_focused()
    tab.keyboard.press("Enter")
    expect(tab.locator("#viewer canvas.picture").first).to_be_focused()
    assert "#" not in tab.url


def test_focus_stays_clear_of_the_bar_at_the_lower_edge(visit):
    tab = visit()
    hidden = """() => { const bar = document.querySelector("#actions").getBoundingClientRect();
        const box = document.activeElement.getBoundingClientRect();
        return !document.activeElement.closest("#actions") && box.bottom > bar.top + 1 && box.top < bar.bottom; }"""
    for box in tab.locator("#picker input").all():
        box.focus()
        assert not tab.evaluate(hidden), box.get_attribute("value")


def test_language_is_switched_and_the_rest_of_the_address_kept(visit):
    tab = visit("checkpoints=" + LADDER[0], count=1)
    visit.leave(lambda: tab.locator("#language").get_by_text("Português").click())
    wait_for_masks(tab, 1)
    expect(tab.get_by_role("heading", level=1)).to_have_text("FCN lado a lado")  # Gradio's part of the page
    expect(tab.locator("#viewer")).to_contain_text("Sobreposição")  # the server's part
    expect(tab.locator("#language [aria-current]")).to_have_text("Português")
    assert f"checkpoints={LADDER[0]}" in tab.url and "lang=pt-BR" in tab.url
    picture(tab, "compare-portuguese")
    tab.locator("#examples button").nth(1).click()
    wait_for_masks(tab, 1)
    expect(tab.locator("#status")).to_contain_text("1 máscara em")  # events know it too
    assert "lang=pt-BR" in tab.url
    visit.leave(lambda: tab.locator("#language").get_by_text("English").click())
    wait_for_masks(tab, 1)
    expect(tab.locator("#go")).to_have_text("Compare")


def test_phone(visit):
    tab = visit(viewport=PHONE)
    assert_no_overflow(tab)
    picture(tab, "compare-phone")
    first = tab.locator("#viewer .card .stage").first.bounding_box()
    assert first["y"] + first["height"] < PHONE["height"]  # a mask on the first screen
    tab.locator("#go").scroll_into_view_if_needed()
    tab.locator("#go").click()
    tab.wait_for_function("document.querySelector('#viewer').getBoundingClientRect().top > -20")
    assert serious_findings(tab) == []
    tab.get_by_role("tab", name="Leaderboard").click()
    expect(tab.locator("#leaderboard")).to_contain_text(LADDER[2])
    assert_no_overflow(tab)
    picture(tab, "leaderboard-phone")


def test_two_visitors_at_once(visit):
    first, second = visit(), visit()
    first.locator("#examples button").nth(1).click()
    second.locator("#examples button").nth(2).click()
    for tab, index in ((first, 1), (second, 2)):
        tab.wait_for_url(f"**example={examples()[index].name}**")
        wait_for_masks(tab)
    assert serious_findings(first) == []


def test_keyboard_reaches_everything_in_order(visit):
    tab = visit()
    tab.locator("#examples button").first.focus()
    seen = []
    for _ in range(36):
        tab.keyboard.press("Tab")
        seen.append(tab.evaluate("document.activeElement.closest('#examples, #picker, #go, #stop, #viewer')?.id"))
    order = [name for index, name in enumerate(seen) if name and name not in seen[:index]]
    assert order == ["examples", "picker", "go", "stop", "viewer"]
