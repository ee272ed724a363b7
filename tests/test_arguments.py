"""Numbers on the command line that a command cannot work with: a sentence and status 2, and no traceback."""

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
from zoo.numbers import at_least

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
