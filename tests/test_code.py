"""The snippets of 'Use it from code', run as they stand on the page, and the MCP server as an agent uses it."""

import asyncio
import base64
import io
import json
import shutil
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from page_reading import PATIENCE
from page_server import FOCAL, GRADIO_WARNINGS, LADDER, make_page, serve, write_checkpoints
from PIL import Image
from playwright.sync_api import expect
from video_files import grey, video

from zoo.checkpoints.export import snippet as exported
from zoo.images.examples import examples
from zoo.images.photo import LONG_SIDE

pytestmark = GRADIO_WARNINGS
TICKED = [LADDER[0], FOCAL]
PROGRAMS = {"Python": [sys.executable, "-"], "JavaScript": ["node", "--input-type=module", "-"], "curl": ["sh", "-s"]}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    root = tmp_path_factory.mktemp("checkpoints")
    write_checkpoints(root)
    page = make_page(root)
    with serve(page) as address:
        yield page, address


@pytest.fixture(scope="module")
def tab(browser, server):
    """A phone's page on the tab with the snippets; two checkpoints are ticked by the address."""
    context = browser.new_context(viewport={"width": 390, "height": 844}, locale="en")
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    tab = context.new_page()
    tab.set_default_timeout(PATIENCE)
    tab.goto(f"{server[1]}?tab=code&checkpoints={','.join(TICKED)}")
    tab.locator("#code .code-languages button").first.wait_for()
    tab.wait_for_function("document.querySelector('#code code').textContent.includes('focal')")
    yield tab
    context.close()


def snippet(tab, title: str, work: str = "One image") -> str:
    tab.locator("#code").get_by_role("button", name=title, exact=True).click()
    if title in PROGRAMS:
        tab.locator("#code").get_by_role("button", name=work, exact=True).click()
    else:
        expect(tab.locator("#code .code-works")).to_be_hidden()  # its settings serve all
    return tab.locator("#code pre code").inner_text()


@pytest.mark.parametrize("title", PROGRAMS)
def test_snippets_run_as_they_stand(tab, server, tmp_path, title):
    page, address = server
    if not shutil.which(PROGRAMS[title][0]):
        pytest.skip(f"{PROGRAMS[title][0]} is not installed")
    source = snippet(tab, title)
    assert address.rstrip("/") in source and all(f'"{name}"' in source for name in TICKED)
    shutil.copy(examples()[1].photo, tmp_path / "street.jpg")  # the content decides, not the name
    done = subprocess.run(PROGRAMS[title], input=source, cwd=tmp_path, capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stderr
    with Image.open(examples()[1].photo) as photo:
        results = {name: page.segmenter.segment(page.infos[name], photo.convert("RGB")) for name in TICKED}
    if title == "curl":
        found = {name: Image.open(tmp_path / f"{name}.png") for name in TICKED}
    else:
        lines = done.stdout.splitlines()[-2:]
        assert [name in line for name, line in zip(TICKED, lines, strict=True)] == [True, True]
        places = [line.split()[-1] for line in lines]
        urls = [place.startswith("http") for place in places]
        opened = [httpx.get(at).content if url else Path(at).read_bytes() for at, url in zip(places, urls, strict=True)]
        (tmp_path / "masks").mkdir()
        for name, content in zip(TICKED, opened, strict=True):
            (tmp_path / "masks" / name).write_bytes(content)
        found = {name: Image.open(tmp_path / "masks" / name) for name in TICKED}
    for name, mask in found.items():
        with mask:
            assert np.array_equal(np.array(mask), results[name].mask)


@pytest.mark.parametrize("title", PROGRAMS)
def test_snippets_for_many_images_and_for_a_video_run_too(tab, server, tmp_path, title):
    page, _ = server
    if not shutil.which(PROGRAMS[title][0]):
        pytest.skip(f"{PROGRAMS[title][0]} is not installed")
    for name, example in zip(("street.jpg", "corner.jpg"), examples(), strict=False):
        shutil.copy(example.photo, tmp_path / name)
    (tmp_path / "trip.mp4").write_bytes(video([grey(40 * number) for number in range(6)], 10))
    found = {}
    for work, name in (("Many images", "fcn-masks.zip"), ("A video", "fcn-video.zip")):
        source = snippet(tab, title, work)
        done = subprocess.run(PROGRAMS[title], input=source, cwd=tmp_path, capture_output=True, text=True, timeout=90)
        assert done.returncode == 0, done.stderr
        place = str(tmp_path / name) if title == "curl" else done.stdout.split()[-1]
        content = httpx.get(place).content if place.startswith("http") else Path(place).read_bytes()
        found[work] = zipfile.ZipFile(io.BytesIO(content))
    assert {f"masks/{name}/{photo}.png" for name in TICKED for photo in ("street", "corner")} < names_in(
        found["Many images"]
    )
    with Image.open(examples()[0].photo) as photo, found["Many images"].open(f"masks/{FOCAL}/street.png") as mask:
        result = page.segmenter.segment(page.infos[FOCAL], photo.convert("RGB"))
        assert np.array_equal(np.array(Image.open(mask)), result.mask)
    assert {f"overlays/{name}.mp4" for name in TICKED} < names_in(found["A video"])
    assert json.loads(found["A video"].read("summary.json"))["frames"] == 3


def names_in(archive: zipfile.ZipFile) -> set[str]:
    return set(archive.namelist())


@pytest.mark.parametrize(
    ("title", "name"),
    {"ONNX Runtime": "onnxruntime", "OpenVINO": "openvino", "ONNX Runtime Web": "browser"}.items(),
)
def test_snippets_for_an_exported_file_name_the_first_ticked_one(tab, title, name):
    """The programs themselves are run by tests/test_export.py."""
    expected = exported(name).replace("«FILE»", f"{TICKED[0]}.onnx").replace("«SIDE»", str(LONG_SIDE))
    assert snippet(tab, title) == expected.rstrip()
    expect(tab.locator("#code .code-note")).to_contain_text(f"python -m zoo export {TICKED[0]} {TICKED[0]}.onnx")


def test_mcp_settings_name_this_page(tab, server):
    settings = json.loads(snippet(tab, "MCP"))
    assert settings["mcpServers"]["fcn-side-by-side"]["url"] == f"{server[1]}gradio_api/mcp/"


def test_copy_puts_the_snippet_on_the_clipboard(tab):
    source = snippet(tab, "curl")
    tab.locator("#code").get_by_role("button", name="Copy").click()
    tab.locator("#code [role=status]", has_text="Copied").wait_for()
    assert tab.evaluate("navigator.clipboard.readText()") == source


def test_snippets_follow_the_ticks_and_the_tab_is_in_the_address(tab):
    tab.get_by_role("tab", name="Compare").click()
    tab.wait_for_url(lambda url: "tab=" not in url)
    tab.locator(f"#picker input[value='{LADDER[1]}']").check()
    tab.get_by_role("tab", name="Code").click()
    tab.wait_for_url("**tab=code**")
    tab.wait_for_function(f"document.querySelector('#code code').textContent.includes('{LADDER[1]}')")
    for title in PROGRAMS:
        assert all(f'"{name}"' in snippet(tab, title) for name in (*TICKED, LADDER[1]))
    tab.get_by_role("tab", name="Compare").click()
    tab.locator(f"#picker input[value='{LADDER[1]}']").uncheck()
    tab.get_by_role("tab", name="Code").click()
    expect(tab.locator("#code pre code")).not_to_contain_text(LADDER[1])
    assert all(f'"{name}"' in snippet(tab, "curl") for name in TICKED)
    tab.get_by_role("tab", name="Compare").click()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_tab_has_no_serious_findings_and_fits(tab, server, theme):
    tab.goto(f"{server[1]}?tab=code&__theme={theme}")
    tab.locator("#code .code-languages button").first.wait_for()
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    found = Axe().run(tab, context="#code").response["violations"]
    grave = [one for one in found if one["impact"] in ("serious", "critical")]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in grave] == []


def ask(address: str, *calls: tuple[str, dict]) -> list:
    """What an agent gets: the list of tools, then the answer of each call."""

    async def talk():
        server = streamable_http_client(f"{address}gradio_api/mcp/")
        async with server as (reading, writing, _), ClientSession(reading, writing) as session:
            await session.initialize()
            tools = (await session.list_tools()).tools
            return [tools, *[await session.call_tool(name, arguments) for name, arguments in calls]]

    with ThreadPoolExecutor(1) as pool:  # Playwright keeps an event loop in this thread
        return pool.submit(asyncio.run, talk()).result()


def test_an_agent_lists_checkpoints_segments_and_reads_the_leaderboard(server):
    page, address = server
    photo = examples()[2].photo
    image = "data:image/png;base64," + base64.b64encode(photo.read_bytes()).decode()
    clip = base64.b64encode(video([grey(40 * number) for number in range(6)], 10)).decode()
    tools, listed, segmented, board, wrong, many, filmed = ask(
        address,
        ("checkpoints", {}),
        ("segment", {"image": image, "checkpoints": [FOCAL]}),
        ("leaderboard", {}),
        ("segment", {"image": image, "checkpoints": ["fcn8s-of-nobody"]}),
        ("segment_batch", {"images": [image, image], "checkpoints": [FOCAL]}),
        ("segment_video", {"video": f"data:video/mp4;base64,{clip}", "checkpoints": [FOCAL]}),
    )
    described = {tool.name: tool for tool in tools}
    more = {"segment_full_resolution", "segment_batch", "segment_video", "leaderboard_details"}
    assert set(described) == {"segment", "checkpoints", "leaderboard"} | more
    assert all(len(tool.description) > 80 and "Returns: " in tool.description for tool in tools)
    parameters = described["segment"].inputSchema["properties"]
    assert "megapixels" in parameters["image"]["description"] and FOCAL.split("-")[0] in str(parameters["checkpoints"])
    assert not listed.isError and all(f"'name': '{name}'" in listed.content[0].text for name in (*LADDER, FOCAL))
    assert not board.isError and "'miou': 0.62" in board.content[0].text and "'rank': 1" in board.content[0].text
    assert wrong.isError and "There is no checkpoint 'fcn8s-of-nobody'" in wrong.content[0].text
    assert not many.isError and "fcn-masks.zip" in many.content[0].text and "'not_reached': []" in str(many.content)
    assert not filmed.isError and f"{FOCAL}.mp4" in str(filmed.content) and "'frames': 3" in str(filmed.content)
    told = segmented.content[0].text
    url = told.split("'url': '")[1].split("'")[0]
    with Image.open(photo) as opened:
        expected = page.segmenter.segment(page.infos[FOCAL], opened.convert("RGB"))
    assert httpx.get(url).content == expected.mask_png and f"'sha256': '{expected.info.sha256}'" in told
