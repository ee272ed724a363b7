"""Numbers on the command line that a command cannot work with: a sentence and status 2, and no traceback."""

import pytest

from evaluation import corruptions, exports, sizes
from evaluation.arguments import at_least
from evaluation.benchmark import __main__ as benchmark
from evaluation.domain import __main__ as domain
from training import __main__ as training
from training import benchmark as training_benchmark
from training import gpu

DATA = ["--data", "nowhere"]
WRONG = {
    "sizes": (sizes.main, [*DATA, "--sizes", "0"], "--sizes: must be at least 1, not 0"),
    "sizes of images": (sizes.main, [*DATA, "--images", "-1"], "--images: must be at least 0, not -1"),
    "corruptions": (corruptions.main, [*DATA, "--images", "-1"], "--images: must be at least 0, not -1"),
    "exports": (exports.main, ["a", "b.onnx", *DATA, "--rounds", "0"], "--rounds: must be at least 1, not 0"),
    "domain": (domain.main, ["--camvid", "a", "--street", "b", "--every", "0"], "--every: must be at least 1, not 0"),
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
