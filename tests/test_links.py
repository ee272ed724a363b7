"""Where the page leads: every link is there, and none to what this installation lacks."""

import re

import httpx
import pytest

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


def test_the_notebook_can_be_fetched_from_the_page_and_its_neighbours_cannot(server):
    notebook = re.search(r"<\.(/gradio_api/file=[^>]+ipynb)>", links("en", {})).group(1)
    address = server[1].rstrip("/")
    assert httpx.get(address + notebook).json()["nbformat"] == 4
    assert httpx.get(address + notebook.replace("fcn_colab.ipynb", "loop.py")).status_code == 403
