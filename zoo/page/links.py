"""Where the page leads: the papers, this project's code and notebook, the licences."""

import os
from collections.abc import Mapping

from zoo.places import REPOSITORY
from zoo.text import texts

NOTEBOOK = REPOSITORY / "training" / "fcn_colab.ipynb"
PAPERS = {"link_paper": "https://arxiv.org/abs/1411.4038", "link_paper_long": "https://arxiv.org/abs/1605.06211"}
LICENCE = "https://www.apache.org/licenses/LICENSE-2.0"


def repository(environment: Mapping[str, str] | None = None) -> str | None:
    """Address of the code that serves this page: FCN_REPOSITORY, else the Space's own files; None where neither is."""
    environment = os.environ if environment is None else environment
    space = environment.get("SPACE_ID")
    named = environment.get("FCN_REPOSITORY", "")
    if named.startswith(("https://", "http://")):
        return named
    return f"https://huggingface.co/spaces/{space}/tree/main" if space else None


def notebook_address() -> str | None:
    """Where the served page has the notebook; None where it was not installed."""
    from gradio.route_utils import API_PREFIX  # the static page has neither Gradio nor files of the server

    return f".{API_PREFIX}/file={NOTEBOOK}" if NOTEBOOK.is_file() else None


def links(language: str, environment: Mapping[str, str] | None = None, *, served: bool = True) -> str:
    """The links as a list in Markdown; what this installation, or the static page, does not have is left out."""
    code, notebook = repository(environment), notebook_address() if served else None
    found = PAPERS | {"link_code": code, "link_notebook": notebook, "link_licence": LICENCE}
    strings = texts(language)
    return "\n".join(f"- [{strings[key]}](<{address}>)" for key, address in found.items() if address)
