"""Fixtures that several test modules share: tiny checkpoints, a tiny CamVid on disk, and a real Chromium."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

# Read once when the libraries are imported: no telemetry, no network beyond the loopback.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
# Gradio deletes its files at the end, also those of the same content that another process has just received.
os.environ["GRADIO_TEMP_DIR"] = tempfile.mkdtemp(prefix="fcn-zoo-tests-")
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import numpy as np
import pytest
from hub_client import checkpoint, hub, hub_environment, settings  # noqa: F401 - fixtures of every module
from PIL import Image
from site_page import site_folder  # noqa: F401 - built once for all modules

ROOT = Path(__file__).parent.parent


# What serves a page, trains or measures takes most of the time; `make quick` leaves out these modules,
# all browsers and what is marked as slow: two seconds and more.
SLOW = ("app", "baselines", "benchmark", "bundled_page", "download", "notebook", "package", "parallel", "queue", "smp")
SLOW += ("against", "start", "training", "training_going_on", "tutorial", "zero_gpu")


def pytest_addoption(parser):
    parser.addoption("--quick", action="store_true", help="leave out browsers, served pages and trainings")


def pytest_collection_modifyitems(config, items):
    """Begin with the modules that take longest, so that no worker ends alone with one; with --quick, leave them out."""
    slow = {f"test_{name}.py" for name in SLOW}
    items.sort(key=lambda item: item.path.name not in slow)
    if config.getoption("--quick"):
        quick = [
            item
            for item in items
            if item.path.name not in slow and "browser" not in item.fixturenames and not item.get_closest_marker("slow")
        ]
        config.hook.pytest_deselected(items=[item for item in items if item not in quick])
        items[:] = quick


@pytest.fixture(scope="session", autouse=True)
def uploads():
    """The folder of uploads of this session's pages; it goes with it."""
    folder = os.environ["GRADIO_TEMP_DIR"]
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def threads():
    """No test may leave torch with another number of threads: the sums of the tests after it would differ."""
    before = sys.modules["torch"].get_num_threads() if "torch" in sys.modules else None
    yield
    if before is not None:
        after = sys.modules["torch"].get_num_threads()
        sys.modules["torch"].set_num_threads(before)
        assert after == before, f"torch had {before} threads before this test and has {after}"


@pytest.fixture(scope="session")
def browser():
    """Chromium: the system's where there is one, otherwise the one that Playwright installed."""
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    # Nothing here needs a GPU process, and Chromium's own traffic has nowhere to go.
    flags += ["--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
    with sync_playwright() as playwright:
        executable = shutil.which("chromium")
        chromium = playwright.chromium.launch(executable_path=executable, args=flags)
        yield chromium
        chromium.close()


@pytest.fixture
def make_model():
    """A function that builds a tiny FCN of any variant, with random scores instead of zeros, always the same."""
    import torch

    from zoo.labels import CAMVID
    from zoo.models.fcn import FCN, FCNConfig

    def make(variant: str = "fcn8s", **changes):
        tiny = {"backbone": "vgg16_bn", "width": 0.0625, "head_channels": 16, "head_kernel": 3}
        config = FCNConfig(**({"variant": variant, "classes": CAMVID.classes} | tiny | changes))
        torch.manual_seed(0)
        model = FCN(config)
        for layer in model.score.values():
            torch.nn.init.normal_(layer.weight, std=0.1)
        return model.eval()

    return make


@pytest.fixture
def camvid(tmp_path) -> Path:
    """A CamVid folder of 6 train and 4 val images, 40x56, from two sequences, with blocks of classes and some void."""
    return write_camvid(tmp_path / "camvid")


def write_camvid(root: Path, *, train: int = 6, val: int = 4, size: tuple[int, int] = (40, 56)) -> Path:
    """Write a synthetic CamVid in its folder layout; colours tell the classes, so that a model can learn it."""
    random = np.random.default_rng(0)
    for split, count in (("train", train), ("val", val)):
        (root / split).mkdir(parents=True)
        (root / f"{split}annot").mkdir()
        for index in range(count):
            coarse = random.integers(0, 12, (5, 7))
            mask = np.kron(coarse, np.ones((size[0] // 5, size[1] // 7), int)).astype(np.uint8)
            image = np.stack([mask * 20, 255 - mask * 20, (mask % 3) * 100], -1).astype(np.int64)
            image = (image + random.integers(-8, 9, image.shape)).clip(0, 255).astype(np.uint8)
            name = f"{'0001TP' if index % 2 else '0016E5'}_{index:05d}.png"
            Image.fromarray(image).save(root / split / name)
            Image.fromarray(mask).save(root / f"{split}annot" / name)
    return root


@pytest.fixture(scope="session")
def viewer_site():
    """Address of a page that shows whatever value is sent to its viewer."""
    from viewer_page import serve

    with serve() as url:
        yield url


@pytest.fixture(scope="session")
def viewer_context(browser):
    """One browser profile for all tests of the viewer: Gradio's scripts come from its cache after the first page."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en")
    yield context
    context.close()


@pytest.fixture
def open_page(viewer_site, browser, viewer_context):
    """A function that opens the viewer's page; afterwards no page may have logged a problem."""
    from viewer_page import Page

    pages = []

    def make(**options) -> Page:
        own = {name: value for name, value in options.items() if name != "theme"}
        context = browser.new_context(**({"locale": "en"} | own)) if own else viewer_context
        pages.append(Page(context, viewer_site, options.get("theme", "light")))
        return pages[-1]

    yield make
    for page in pages:
        page.page.evaluate("localStorage.clear()")  # the next test's visitor is another one
        page.page.close()
        if page.context is not viewer_context:
            page.context.close()
    for page in pages:
        assert page.problems == []


@pytest.fixture
def viewer(open_page):
    """The viewer's page at 1280 x 900, light."""
    return open_page()


@pytest.fixture(scope="session")
def table_site(tmp_path_factory):
    """Address of a page with the leaderboard table alone, which shows the payload that the address names."""
    from table_page import serve

    with serve(tmp_path_factory.mktemp("drilled")) as url:
        yield url


@pytest.fixture(scope="session")
def table_context(browser):
    """One browser profile for all tests of the table: Gradio's scripts come from its cache after the first page."""
    context = browser.new_context(accept_downloads=True)
    yield context
    context.close()


@pytest.fixture
def visit_table(table_context, table_site):
    """A function that opens a payload's page; afterwards no page may have logged an error."""
    from table_page import WAIT

    pages, errors = [], []

    def open_page(payload="few", query="", width=1280, height=900, dark=False):
        page = table_context.new_page()
        pages.append(page)
        page.set_viewport_size({"width": width, "height": height})
        page.set_default_timeout(WAIT)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.goto(f"{table_site}?payload={payload}&__theme={'dark' if dark else 'light'}{query}")
        page.locator(".board .ranking, .board .empty").first.wait_for()
        return page

    yield open_page
    for page in pages:
        page.close()
    assert errors == []


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """The page over tiny checkpoints, warmed up, and its address."""
    from page_server import tiny_site

    with tiny_site(tmp_path_factory.mktemp("checkpoints")) as site:
        yield site


@pytest.fixture
def visit(browser, server):
    """A function that opens the page as a new visitor; fails on script errors and on requests to other machines."""
    from page_reading import DESKTOP, PATIENCE, wait_for_masks

    contexts, complaints, addresses = [], [], []

    def open_page(query="", viewport=DESKTOP, language="en-US", theme="light", address=server[1], count=3, allow=()):
        addresses.append(address)
        context = browser.new_context(viewport=viewport, locale=language, device_scale_factor=2, permissions=allow)
        contexts.append(context)
        tab = context.new_page()
        tab.set_default_timeout(PATIENCE)
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        tab.on("request", lambda request: complaints.append(request.url) if elsewhere(request.url) else None)
        tab.goto(f"{address}?__theme={theme}&{query}")
        wait_for_masks(tab, count)
        return tab

    def leave(way):
        # A page that is left cuts Gradio's open connections, and Gradio says so; nothing else is forgiven.
        begin = len(complaints)
        way()
        cut = ("AbortError", "Connection errored out")
        complaints[begin:] = [text for text in complaints[begin:] if not any(part in text for part in cut)]

    def elsewhere(url):
        known = [*addresses, *(address.replace("127.0.0.1", "localhost") for address in addresses)]
        return not url.startswith((*known, "data:", "blob:"))

    open_page.leave, open_page.reload = leave, lambda tab: leave(tab.reload)
    yield open_page
    for context in contexts:
        leave(context.close)
    assert not complaints
