"""The arrows of the design, and that importing a module starts nothing."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ALLOWED = {"zoo": {"zoo"}, "evaluation": {"evaluation", "zoo"}, "training": {"training", "evaluation", "zoo"}}
ALLOWED["app.py"] = {"zoo", "evaluation"}
OURS = {"app", "zoo", "evaluation", "training", "tests"}
MODULES = sorted(
    path for room in ALLOWED for path in ([ROOT / room] if room.endswith(".py") else (ROOT / room).rglob("*.py"))
)


def imported(path: Path) -> set[str]:
    """Top-level names of everything a file imports, also inside functions."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_module_imports_only_what_its_room_may(path):
    room = path.relative_to(ROOT).parts[0]
    names = imported(path)
    assert names & OURS <= ALLOWED[room]
    assert room == "app.py" or "gradio" not in names, "only app.py imports gradio"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_module_says_what_it_is(path):
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


def test_importing_zoo_does_not_import_torch():
    code = "import sys, zoo, zoo.labels; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_every_name_that_zoo_offers_is_there():
    import zoo

    assert all(callable(getattr(zoo, name)) for name in set(zoo.__all__) - {"LABEL_SETS"})
    import zoo.catalog
    import zoo.segment

    assert callable(zoo.catalog) and callable(zoo.segment)
    assert [info.source for info in zoo.catalog()] == ["bundled"] * len(zoo.catalog())
    with pytest.raises(AttributeError, match="no attribute 'models'"):
        _ = zoo.models
