"""`pip install .`: the package holds what the page and the commands need, and names the commands."""

import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib import import_module
from pathlib import Path

import pytest

from zoo.places import BUNDLED, RECIPES, REPOSITORY, RESULTS

LEFT_OUT = (".git", ".venv*", "__pycache__", "runs", "node_modules", "*.egg-info", "build", "tests")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> zipfile.ZipFile:
    """The package, built from a copy, so that nothing is left beside the sources."""
    root = tmp_path_factory.mktemp("package")
    shutil.copytree(REPOSITORY, root / "copy", ignore=shutil.ignore_patterns(*LEFT_OUT))
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(root),
        ".",
    ]
    subprocess.run([*command, "-w", str(root), "."], cwd=root / "copy", check=True, capture_output=True)
    return zipfile.ZipFile(next(root.glob("*.whl")))


def test_it_holds_every_file_of_the_rooms(wheel):
    inside = set(wheel.namelist())
    folders = [REPOSITORY / name for name in ("zoo", "evaluation", "training")]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    names = {path.relative_to(REPOSITORY).as_posix() for path in files if "__pycache__" not in path.parts}
    assert not {name for name in names - inside if not Path(name).name.startswith(".")}
    for folder in (BUNDLED, RESULTS, RECIPES):
        assert any(name.startswith(folder.relative_to(REPOSITORY).as_posix()) for name in inside)
    assert "app.py" in inside


def test_its_commands_exist():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for target in project["scripts"].values():
        module, _, name = target.partition(":")
        assert callable(getattr(import_module(module), name)), target
