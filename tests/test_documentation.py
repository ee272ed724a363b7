"""What the documentation names is there: files, commands with their flags, settings, targets of the Makefile."""

import contextlib
import io
import re
from functools import cache
from importlib import import_module

import pytest

from zoo.hub.settings import environment_help
from zoo.places import REPOSITORY

PAGES = [REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md", "training/README.md", "SECURITY.md")]
PAGES = [page for page in [*PAGES, *sorted((REPOSITORY / "docs").glob("*.md"))] if page.is_file()]
PLACEHOLDERS = ("NAME", "LANGUAGE")  # stand for any name
MAIN = {"zoo": "zoo.__main__", "evaluation": "evaluation.__main__", "training": "training.__main__"}
MAIN |= {name: f"{name}.__main__" for name in ("evaluation.datasets", "evaluation.benchmark", "evaluation.domain")}


def commands(text: str) -> list[tuple[str, str]]:
    """(module, its arguments) of every command of ours in code blocks and code spans."""
    blocks = re.findall(r"```(?:sh)?\n(.*?)```", text, flags=re.S) + re.findall(r"(?<!`)`([^`]+)`(?!`)", text)
    joined = "\n".join(block.replace("\\\n", " ") for block in blocks)
    return re.findall(r"python -m ((?:zoo|evaluation|training)[a-z_.]*)([^\n#]*)", joined)


@cache
def help_of(module: str, words: tuple[str, ...] = ()) -> str:
    """What `python -m MODULE WORDS --help` prints."""
    main, printed = MAIN.get(module, module), io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
        import_module(main).main([*words, "--help"])
    return printed.getvalue()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_flag_that_is_named_exists(page):
    for module, arguments in commands(page.read_text(encoding="utf-8")):
        text = help_of(module)
        assert text, f"python -m {module} has no help"
        for action in re.findall(r"(?<![\w/.-])([a-z]+)(?![\w/.-])", arguments):
            if re.search(rf"^ +{action}\b", text, flags=re.M) or f"{{{action}," in text or f",{action}" in text:
                text += help_of(module, (action,))
        for flag in re.findall(r"(?<![\w-])--[a-z][a-z-]*", arguments):
            assert flag in text, f"{page.name}: python -m {module}{arguments}: no flag {flag}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_setting_that_is_named_exists(page):
    known = set(re.findall(r"\bFCN_ZOO_[A-Z_]+\b", environment_help()))
    code = "".join(
        path.read_text(encoding="utf-8") for path in [*REPOSITORY.glob("zoo/**/*.py"), REPOSITORY / "app.py"]
    )
    known |= set(re.findall(r"\bFCN_ZOO_[A-Z_]+\b", code))
    assert set(re.findall(r"\bFCN_ZOO_[A-Z_]+\b", page.read_text(encoding="utf-8"))) <= known


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_is_named_exists(page):
    text = page.read_text(encoding="utf-8")
    links = [target.split("#")[0] for target in re.findall(r"\]\(([^)]+)\)", text) if "://" not in target]
    for target in filter(None, links):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"
    spans = re.findall(r"`((?:zoo|evaluation|training|tests|docs|findings)/[\w./-]+)`", text)
    for name in spans:
        if not any(placeholder in name for placeholder in PLACEHOLDERS):
            assert (REPOSITORY / name).exists(), f"{page.name} names {name}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_target_of_make_that_is_named_exists(page):
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"(?:^|`)make ([a-z]+)", page.read_text(encoding="utf-8"), flags=re.M):
        assert re.search(rf"^{target}:", makefile, flags=re.M), f"{page.name}: make {target}"


def test_the_map_names_every_room():
    text = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    first_screen = text.split("```")[1]
    for parent in ("zoo", "evaluation"):
        rooms = {path.parent.name for path in (REPOSITORY / parent).glob("*/__init__.py")}
        assert rooms <= set(re.findall(r"^  (\w+)/", first_screen, flags=re.M)), parent
