"""Where the page leads: every link is there, and none to what this installation lacks."""

import re

import httpx
import pytest
from site_page import needs_engine, served

from zoo.page.links import links, repository


@pytest.mark.parametrize(
    ("environment", "address"),
    [
        ({}, None),
        ({"SPACE_ID": "ana/fcn"}, "https://huggingface.co/spaces/ana/fcn/tree/main"),
        ({"SPACE_ID": "ana/fcn", "FCN_REPOSITORY": "https://example.org/fcn"}, "https://example.org/fcn"),
        ({"FCN_REPOSITORY": "javascript:alert(1)"}, None),
    ],
)
def test_the_code_is_where_the_environment_says(environment, address):
    assert repository(environment) == address


@pytest.mark.parametrize("language", ["en", "pt-BR"])
def test_all_that_there_is_is_linked(language):
    found = re.findall(r"\[([^]]+)\]\(<([^>]+)>\)", links(language, {"SPACE_ID": "ana/fcn"}))
    assert [address.split("/")[-1] for _, address in found] == [
        "1411.4038",
        "1605.06211",
        "main",
        "fcn_colab.ipynb",
        "LICENSE-2.0",
    ]
    assert len(re.findall(r"\]\(", links(language, {}))) == 4


# Every "·" in a footer that is seen: whether something stands before and after it on its line.
SEPARATORS = """() => {
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (!node.data.includes("·") || !node.parentElement.closest("footer, #links")) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const box = range.getBoundingClientRect();
    if (!box.width) continue;
    const links = [...node.parentElement.closest("footer, #links").querySelectorAll("a, button")];
    const boxes = links.map((link) => link.getBoundingClientRect());
    const beside = boxes.filter((link) => link.width && link.top < box.bottom && link.bottom > box.top);
    const before = beside.some((link) => link.right <= box.left + 1);
    const after = beside.some((link) => link.left >= box.right - 1);
    found.push([node.parentElement.outerHTML, before, after]);
  }
  return found;
}"""


@pytest.mark.parametrize("language", ["en-US", "pt-BR"])
def test_no_separator_stands_alone_on_a_phone(visit, language):
    tab = visit(viewport={"width": 360, "height": 740}, language=language)
    tab.locator("footer button:visible").first.wait_for()
    assert tab.locator("#links a").count() >= 3
    assert [said for said, before, after in tab.evaluate(SEPARATORS) if not (before and after)] == []
    rows = tab.locator("#links a").evaluate_all("links => links.map((link) => link.getBoundingClientRect().top)")
    assert len(set(rows)) > 1  # they do not fit one line, so separators would stand at its ends


@needs_engine
def test_no_separator_stands_alone_on_the_static_page(site_folder, browser):
    with served(site_folder) as address, browser.new_context(viewport={"width": 360, "height": 740}) as context:
        page = context.new_page()
        page.goto(address)
        page.wait_for_selector("#links li a")
        assert page.locator("#links ul").count() == 1 and page.locator("#links li").count() >= 3
        assert [said for said, before, after in page.evaluate(SEPARATORS) if not (before and after)] == []


def test_the_notebook_can_be_fetched_from_the_page_and_its_neighbours_cannot(server):
    notebook = re.search(r"<\.(/gradio_api/file=[^>]+ipynb)>", links("en", {})).group(1)
    address = server[1].rstrip("/")
    assert httpx.get(address + notebook).json()["nbformat"] == 4
    assert httpx.get(address + notebook.replace("fcn_colab.ipynb", "loop.py")).status_code == 403
