"""What is promised of visitors' files: the page's sweep over a folder that it did not expect, in a short hour."""

import json
import subprocess
import sys
import tempfile

from evaluation.benchmark.faults.tally import Tally
from zoo.places import REPOSITORY

# In a process of its own: the sweep belongs to the page, which this room does not know.
PROGRAM = """
import json, os, shutil, sys, threading, time
from pathlib import Path
from zoo.page.sweep import Sweeper
from zoo.hub.settings import HubSettings
home, count = Path(sys.argv[1]), int(sys.argv[2])
os.environ["GRADIO_TEMP_DIR"] = str(uploads := home / "uploads")
outside = home / "outside.txt"
outside.write_text("not the page's")
def fill(name, number):
    path = uploads / name / "deep" / "er" / f"{number}.jpg"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * 1000)
    os.utime(path, ((1, 1), (2e9, 2e9), (time.time(), time.time()))[number % 3])  # clocks that were set otherwise
    return path
left = [fill(f"killed-{number % 7}", number) for number in range(count)]
(uploads / "link.jpg").symlink_to(outside)
(uploads / "strange \\udcff\\n").mkdir()
(uploads / "gone.jpg").symlink_to(home / "nothing")
hour = 1.0
sweeper = Sweeper(HubSettings(cache=home / "cache"), every=0.1, older_than=hour)
sweeper.start()
missed, early, end = 0, 0, time.monotonic() + 3
while time.monotonic() < end:  # while visitors come
    path = fill(f"visitor-{time.monotonic_ns()}", 0)
    time.sleep(0.05)
    early += not path.exists()
time.sleep(4 * hour + 1.5)  # a folder is young again when the one inside it goes
missed = sum(len(files) for _, _, files in os.walk(uploads))
folders = sum(len(folders) for _, folders, _ in os.walk(uploads))
print(json.dumps({"left": missed, "folders": folders, "early": early, "outside": outside.read_text(),
                  "alive": sweeper.is_alive(), "count": count}))
"""


def promises(quick: bool) -> Tally:
    """Files of killed pages, links, odd names and clocks, and visitors who come meanwhile."""
    tally = Tally("promises of deletion, with an hour of one second")
    with tempfile.TemporaryDirectory() as home:
        command = [sys.executable, "-c", PROGRAM, home, "20" if quick else "2000"]
        done = tally.attempt(
            "the sweep", lambda: subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
        )
        if done is None or done.returncode:
            tally.faults.append(done.stderr.strip()[-300:] if done else "the sweep did not start")
            return tally
        found = json.loads(done.stdout.splitlines()[-1])
    tally.tried += found["count"]
    tally.require(f"{found['left']} files stayed", found["left"] == 0)
    tally.require(f"{found['folders']} folders stayed", found["folders"] == 0)
    tally.require(f"{found['early']} files went too early", found["early"] == 0)
    tally.require("a file outside was touched", found["outside"] == "not the page's")
    tally.require("the sweep ended", found["alive"])
    return tally
