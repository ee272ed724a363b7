"""The arrows of the design, and that importing a module starts nothing."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# What each room may know of the others, in the order of the design's arrows; a room may always know itself.
GROUND = {"zoo.text", "zoo.labels", "zoo.config", "zoo.atomic", "zoo.places", "zoo.records"}
GROUND |= {"zoo.numbers", "zoo.working_size"}
MAY_KNOW = {name: set() for name in GROUND} | {"zoo.records": {"zoo.text"}}
MAY_KNOW |= {"zoo.images": GROUND, "zoo.models": GROUND}
MAY_KNOW["zoo.checkpoints"] = {*MAY_KNOW}
MAY_KNOW["zoo.hub"] = {*MAY_KNOW}
BELOW_THE_PAGE = {*MAY_KNOW}
MAY_KNOW["zoo.page"] = BELOW_THE_PAGE
MAY_KNOW["zoo.site"] = BELOW_THE_PAGE | {"zoo.page"}
MAY_KNOW["zoo"] = BELOW_THE_PAGE  # the public names
MAY_KNOW["evaluation.counting"] = GROUND
MAY_KNOW["evaluation.datasets"] = BELOW_THE_PAGE | {"evaluation.counting"}
MAY_KNOW["evaluation.measuring"] = BELOW_THE_PAGE | {"zoo", "evaluation.datasets", "evaluation.counting"}
MAY_KNOW["evaluation.board"] = MAY_KNOW["evaluation.measuring"] | {"evaluation.measuring"}
MAY_KNOW["evaluation"] = MAY_KNOW["evaluation.board"] | {"evaluation.board"}  # the commands
MAY_KNOW["evaluation.benchmark"] = MAY_KNOW["evaluation"] | {"evaluation"}
MAY_KNOW["training"] = MAY_KNOW["evaluation"] | {"evaluation"}
MAY_KNOW["app"] = {*MAY_KNOW} - {"training"}
MAY_KNOW["zoo.__main__"] = BELOW_THE_PAGE | {"app"}  # the command, which nothing imports; app.py puts pages together
OURS = {"app", "zoo", "evaluation", "training", "tests"}
MODULES = [ROOT / "app.py"]
MODULES += sorted(path for room in ("zoo", "evaluation", "training") for path in (ROOT / room).rglob("*.py"))


def room_of(module: str) -> str:
    """The room that a module belongs to: 'zoo.images' for 'zoo.images.photo', 'evaluation' for 'evaluation.exports'."""
    first_two = ".".join(module.split(".")[:2])
    return first_two if first_two in MAY_KNOW else module.split(".")[0]


def imported(path: Path) -> set[str]:
    """The modules that a file imports, also inside functions and for type checkers alone."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_module_imports_only_what_its_room_may(path):
    room = room_of(".".join(path.relative_to(ROOT).with_suffix("").parts))
    known = {room_of(name) for name in imported(path) if name.split(".")[0] in OURS}
    assert known - {room} <= MAY_KNOW[room]
    libraries = {name.split(".")[0] for name in imported(path)}
    assert room in ("app", "zoo.page") or "gradio" not in libraries, "only app.py and the page import gradio"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_module_says_what_it_is(path):
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


def test_importing_zoo_does_not_import_torch():
    code = "import sys, zoo, zoo.labels; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_every_name_that_zoo_offers_is_there():
    import zoo

    assert all(callable(getattr(zoo, name)) for name in set(zoo.__all__) - {"LABEL_SETS"})
    import zoo.hub.catalog
    import zoo.models.segmentation

    assert callable(zoo.catalog) and callable(zoo.segment)
    assert [info.source for info in zoo.catalog()] == ["bundled"] * len(zoo.catalog())
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = zoo.nothing
