"""Of two processes that train, one says what is wrong, whichever meets it, and both end. torchrun runs this file."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import write_camvid

SMALL = "--width 0.0625 --head-channels 16 --head-kernel 3 --crop 32 --batch-size 2 --precision fp32 --epochs 1"
ROOT = Path(__file__).parent.parent
FAULT = "mask 7 is broken; draw it again"


@pytest.mark.slow
@pytest.mark.parametrize(("place", "rank"), [("open_splits", "all"), ("look_at", "0"), ("take_step", "1")])
def test_one_process_says_what_is_wrong_and_both_end(place, rank, tmp_path):
    data = write_camvid(tmp_path / "camvid")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", __file__]
    command += [place, rank, "--data", str(data), "--out", str(tmp_path / "run"), "--workers", "0", *SMALL.split()]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode and done.stderr.count(f"training: {FAULT}") == done.stderr.count(FAULT) == 1
    assert "[rank" not in done.stderr and "another process" not in done.stderr  # the other's traceback, or sentence


@pytest.mark.slow
def test_one_of_two_processes_that_evaluate_says_what_is_wrong(tmp_path):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += ["-m", "evaluation", "fcn8s-vgg16bn-w25-ce-camvid", "--data", str(tmp_path)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600)
    said = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert done.returncode and len(said) == 1 and "[rank" not in done.stderr
    assert "CamVid is read as val/ and valannot/" in said[0]


def fail_at(place: str, rank: str) -> None:
    """Let a step of the training fail in the process of that rank, or in all."""
    from training import TrainingError, loop

    plain = getattr(loop, place)

    def failing(*arguments, **options):
        if rank in ("all", os.environ["RANK"]):
            raise TrainingError(FAULT)
        return plain(*arguments, **options)

    setattr(loop, place, failing)


if __name__ == "__main__":
    from training.__main__ import main

    fail_at(*sys.argv[1:3])
    sys.exit(main(sys.argv[3:]))
