"""Memory that a process frees stays with it."""

import subprocess
import sys
from pathlib import Path

import pytest

from zoo.models import allocator

PROGRAM = """
import resource, sys
import torch
from zoo.models import allocator

settings = {"training": allocator.TRAINING, "serving": allocator.SERVING}.get(sys.argv[1])
told = allocator.keep_freed_memory(settings) if settings else False
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(int(sys.argv[2])) * 2
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
print(told, sorted([faults() for _ in range(16)][8:])[3])
"""


def page_faults(mode: str, values: int) -> tuple[str, int]:
    """Whether the C library was told, and the page faults of an operator that ran often before, in the median."""
    command = [sys.executable, "-c", PROGRAM, mode, str(values)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parent.parent)
    told, faults = done.stdout.split()
    return told, int(faults)


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's setting")
@pytest.mark.parametrize(("mode", "values"), [("training", 16_000_000), ("serving", 6_000_000)])
def test_freed_memory_is_not_asked_of_the_kernel_again(mode, values):
    told, kept = page_faults(mode, values)
    if told == "False":
        pytest.skip("the C library is not glibc")
    assert kept < 100 < page_faults("default", 16_000_000)[1]


def test_other_systems_are_left_alone(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(allocator.ctypes, "CDLL", lambda name: pytest.fail("no C library to be touched"))
    assert allocator.keep_freed_memory(allocator.TRAINING) is False
