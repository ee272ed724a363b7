"""Numbers on the command line that a command cannot work with: a sentence and status 2, and no traceback."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from evaluation import __main__ as evaluating
from evaluation import corruptions, exports, leaderboard, sizes
from evaluation.benchmark import __main__ as benchmark
from evaluation.datasets.importers import command as importing
from evaluation.domain import __main__ as domain
from training import __main__ as training
from training import benchmark as training_benchmark
from training import gpu
from zoo import __main__ as zoo
from zoo.numbers import SCRIPTS, at_least

ROOT = Path(__file__).parent.parent
DATA = ["--data", "nowhere"]
TABLES = ["huggingface", "a/b", "out"]
WRONG = {
    "sizes": (sizes.main, [*DATA, "--sizes", "0"], "--sizes: must be at least 1, not 0"),
    "sizes of images": (sizes.main, [*DATA, "--images", "-1"], "--images: must be at least 0, not -1"),
    "corruptions": (corruptions.main, [*DATA, "--images", "-1"], "--images: must be at least 0, not -1"),
    "exports": (exports.main, ["a", "b.onnx", *DATA, "--rounds", "0"], "--rounds: must be at least 1, not 0"),
    "domain": (domain.main, ["--camvid", "a", "--street", "b", "--every", "0"], "--every: must be at least 1, not 0"),
    "import": (importing.main, [*TABLES, "--megabytes", "nan"], "--megabytes: must be a number above 0, not nan"),
    "shard": (zoo.main, ["shard", "a", "--megabytes", "inf"], "--megabytes: must be a number above 0, not inf"),
    "sessions": (benchmark.main, ["--sessions", "0"], "--sessions: must be at least 1, not 0"),
    "requests": (benchmark.main, ["--requests", "-2"], "--requests: must be at least 1, not -2"),
    "minutes": (gpu.main, [*DATA, "--out", "a", "--minutes", "soon"], "--minutes: 'soon' is not a number"),
    "benchmark": (benchmark.main, ["--images", "0"], "--images: must be at least 1, not 0"),
    "training": (training.main, [*DATA, "--out", "a", "--workers", "-1"], "--workers: must be at least 0, not -1"),
    "training.benchmark": (training_benchmark.main, ["--turns", "0"], "--turns: must be at least 1, not 0"),
    "training.gpu": (gpu.main, [*DATA, "--out", "a", "--steps", "two"], "--steps: 'two' is not a whole number"),
}


@pytest.mark.parametrize("case", WRONG)
def test_numbers_that_a_command_cannot_work_with(case, capsys):
    main, arguments, message = WRONG[case]
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    error = capsys.readouterr().err
    assert ended.value.code == 2 and error.splitlines()[-1].endswith(f"argument {message}")


def test_the_least_number_is_taken():
    assert at_least(3)("3") == 3 and at_least(0)("0") == 0


@pytest.mark.parametrize(
    ("variable", "main", "arguments"),
    [
        ("FCN_ZOO_LIMIT", leaderboard.main, ["--hub"]),
        ("FCN_ZOO_LIMIT", evaluating.main, ["ana/fcn", *DATA]),
        ("FCN_ZOO_LIMIT", importing.main, TABLES),
        ("WORLD_SIZE", evaluating.main, ["fcn8s-vgg16bn-w25-ce-camvid", *DATA]),
        ("WORLD_SIZE", training.main, [*DATA, "--out", "a"]),
        ("LOCAL_RANK", training.main, [*DATA, "--out", "a"]),
    ],
)
def test_a_number_of_the_environment_that_is_none_is_said_in_a_sentence(
    variable, main, arguments, monkeypatch, capsys, caplog, camvid
):
    monkeypatch.setenv(variable, "many")
    status = main([str(camvid) if one == "nowhere" else one for one in arguments])
    said = capsys.readouterr().err + caplog.text
    assert status in (1, 2) and said.count("\n") == 1 and f"{variable}: 'many'" in said


@pytest.mark.parametrize(
    "command",
    [
        *(["-m", name, "--help"] for name in ("zoo", "evaluation", "evaluation.datasets", "training", "training.gpu")),
        ["training/job.py", "--help"],
        ["app.py", "--help"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize(("variable", "value"), [("HF_HUB_DOWNLOAD_TIMEOUT", "10 s"), ("HF_HUB_ETAG_TIMEOUT", "")])
def test_a_number_that_the_import_of_a_library_cannot_read_is_said_in_a_sentence(command, variable, value):
    done = run([sys.executable, *command], variable, value)
    said = f"{variable}: {value!r} is no whole number from 1 to 86400; write one, or leave the variable out"
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and done.stderr.endswith(f": error: {said}\n")
    if command[0] == "-m":
        assert done.stderr.startswith(f"python -m {command[1]}: error: ")


def run(command: list, variable: str, value: str) -> subprocess.CompletedProcess:
    """What a command gives in this repository with one variable of the environment set."""
    environment = os.environ | {"FCN_ZOO": str(ROOT), variable: value}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


def test_so_do_the_installed_scripts(tmp_path):
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert set(scripts) == SCRIPTS
    for name, place in scripts.items():
        module, function = place.split(":")
        script = tmp_path / name
        script.write_text(f"import sys\nsys.path.insert(0, {str(ROOT)!r})\nfrom {module} import {function}\n")
        done = run([sys.executable, script], "HF_HUB_DOWNLOAD_TIMEOUT", "soon")
        assert done.returncode == 1 and done.stderr.count("\n") == 1
        assert "HF_HUB_DOWNLOAD_TIMEOUT: 'soon' is no whole number" in done.stderr


def test_a_library_that_is_only_imported_ends_no_program():
    code = "import zoo, evaluation, training; print(zoo.LABEL_SETS['camvid'].name)"
    done = run([sys.executable, "-c", code], "HF_HUB_DOWNLOAD_TIMEOUT", "soon")
    assert (done.returncode, done.stdout) == (0, "camvid\n")
    # A variable that only the page reads is no matter of other commands.
    assert run([sys.executable, "-m", "zoo", "--help"], "GRADIO_DEBUG", "yes").returncode == 0
