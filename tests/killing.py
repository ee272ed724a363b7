"""Work that is killed before every one of its changes of the disk, each time in a process of its own."""

import subprocess
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).parent.parent
# Runs WORK again and again, each time in a child that dies before its nth change of the disk, until one lives.
KILLER = """
import os, sys
CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.link"}
def kill_before(number):
    left = [number]
    def hook(event, arguments):
        if event in CHANGES or (event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")):
            left[0] -= 1
            if left[0] == 0:
                os._exit(9)
    sys.addaudithook(hook)
def every_kill(prepare, work, check):
    number = 0
    while True:
        number += 1
        prepare()
        child = os.fork()
        if child == 0:
            kill_before(number)
            work()
            os._exit(0)
        died = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert died in (0, 9), died
        check(whole=died == 0)
        if died == 0:
            return print(number - 1, "kills")
"""


def killed_everywhere(program: str, *arguments) -> int:
    """How often the program's work was killed; fails where one of its checks does."""
    source = KILLER + textwrap.dedent(program)
    command = [sys.executable, "-c", source, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return int(done.stdout.split()[-2])
