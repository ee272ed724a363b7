"""Work on the disk that is killed, or finds it full or read-only, before every one of its changes of the disk.

`python -m evaluation.benchmark.faults.crashes` is a process of its own, which forks for every attempt, and prints its
counts as JSON.
"""

import errno
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from evaluation.benchmark.faults.tally import Tally, is_sentence
from zoo.places import REPOSITORY

CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.link"}
TAKES_ROOM = {"os.rename", "os.mkdir", "os.link", "open"}  # what a full disk refuses; a read-only one refuses all
KILLED, REFUSED, WORDLESS, FOREIGN = 9, 3, 4, 5  # exit codes of an attempt; 0: done
MODES = {"kill": None, "full disk": errno.ENOSPC, "read-only": errno.EROFS}


@dataclass(frozen=True)
class Work:
    """What is attacked: `prepare` makes the old state, `do` replaces it, `look` tells which state is there."""

    name: str
    prepare: Callable[[Path], object]
    do: Callable[[Path], object]
    look: Callable[[Path], object]


def crashes(quick: bool) -> Tally:
    """The counts of the process of its own."""
    command = [sys.executable, "-m", "evaluation.benchmark.faults.crashes", *(["--quick"] if quick else [])]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    if done.returncode:
        return Tally("kills, full and read-only disks", 1, faults=[done.stderr.strip()[-300:]])
    return Tally(**json.loads(done.stdout.splitlines()[-1]))


def refuse_before(number: int, mode: str) -> None:
    """Let this process die, or its disk refuse, before its change of the disk of this number and all later ones."""
    left, code = [number], MODES[mode]

    def hook(event: str, arguments: tuple) -> None:
        writes = event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
        if not (event in CHANGES or writes):
            return
        left[0] -= 1
        if left[0] > 0:
            return
        if code is None:
            os._exit(KILLED)
        if code == errno.EROFS or event in TAKES_ROOM:
            raise OSError(code, os.strerror(code))

    sys.addaudithook(hook)


def child(work: Work, folder: Path, number: int, mode: str) -> int:
    """One attempt in a process of its own; its exit code."""
    process = os.fork()
    if process:
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    code = FOREIGN
    try:
        from evaluation.measuring.results import ResultError
        from zoo.atomic import WriteError
        from zoo.checkpoints.information import CheckpointError

        refuse_before(number, mode)
        try:
            work.do(folder)
            code = 0
        except (WriteError, CheckpointError, ResultError) as error:
            code = REFUSED if is_sentence(str(error)) else WORDLESS
        except BaseException as error:
            sys.stderr.write(f"{work.name}, {mode}: {error!r}\n")
    finally:
        os._exit(code)


def attack(tally: Tally, work: Work, home: Path) -> None:
    """Every point of one work in every mode: afterwards the old state is there, or the new."""
    folder = home / "folder"

    def fresh() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        work.prepare(folder)

    fresh()
    old = work.look(folder)
    work.do(folder)
    new = work.look(folder)
    tally.require(f"{work.name}: old and new differ", old != new)
    for mode in MODES:
        number, code = 0, -1
        while code != 0 and number < 200:
            number += 1
            fresh()
            code = tally.attempt(f"{work.name}, {mode} {number}", lambda n=number, m=mode: child(work, folder, n, m))
            what = f"{work.name}, {mode} before change {number}"
            try:
                found = work.look(folder)
            except Exception as error:
                found = repr(error)
            if found != new and (code == 0 or found != old):
                tally.faults.append(f"{what}: neither the old nor the new is whole ({found})"[:300])
            if code == REFUSED:
                tally.refused += 1
            elif code not in (0, KILLED):
                tally.faults.append(f"{what}: ended with {'an error of another kind' if code == FOREIGN else code}")


def works(quick: bool) -> list[Work]:
    """A file, a checkpoint, a result, and a checkpoint's card."""
    import torch

    from evaluation.measuring.results import read_result, result_paths, write_result
    from zoo.atomic import write_text
    from zoo.checkpoints.card import write_card
    from zoo.checkpoints.folder import bundled_folder, load_folder, read_info, save
    from zoo.labels import CAMVID
    from zoo.models.fcn import FCN, FCNConfig
    from zoo.places import folder_for_results

    torch.set_num_threads(1)  # a pool of threads would not survive the forks
    shape = {"width": 0.0625, "head_channels": 16}
    models = {name: FCN(FCNConfig(name, "vgg16_bn", CAMVID.classes, **shape)) for name in ("fcn8s", "fcn32s")}
    sound = read_result(result_paths(folder_for_results())[0])
    info = read_info(next(bundled_folder().iterdir()))
    names = ("checkpoint", "dataset", "protocol", "cost", "environment")
    header = {name: sound.document[name] for name in names}
    header["protocol"] = header["protocol"] | {"bootstrap": header["protocol"]["bootstrap"] | {"resamples": 100}}

    def result(folder: Path, date: str) -> None:
        document = header | {"environment": header["environment"] | {"date": date}}
        write_result(folder, sound.counts, sound.image_ids, sound.sequences, document, sound.contents)

    def saved(folder: Path, name: str) -> None:
        save(models[name], folder, labels=CAMVID, loss="ce", training={})

    def text(folder: Path, words: str) -> None:
        folder.mkdir(exist_ok=True)
        write_text(folder / "notes.txt", words, durable=True)

    made = [
        Work(
            "a file", lambda at: text(at, "old"), lambda at: text(at, "new"), lambda at: (at / "notes.txt").read_text()
        ),
        Work(
            "a checkpoint",
            lambda at: saved(at, "fcn8s"),
            lambda at: saved(at, "fcn32s"),
            lambda at: load_folder(at).config.variant,
        ),
        Work(
            "a result",
            lambda at: result(at, "2026-01-01"),
            lambda at: result(at, "2026-01-02"),
            lambda at: read_result(result_paths(at)[0]).document["environment"]["date"],
        ),
        Work(
            "a card",
            lambda at: (at.mkdir(), (at / "README.md").write_text("old")),
            lambda at: write_card(at, info),
            lambda at: len((at / "README.md").read_text()),
        ),
    ]
    return made[:1] if quick else made


def main() -> int:
    """Attack every work and print the counts."""
    tally = Tally("kills, full and read-only disks")
    with tempfile.TemporaryDirectory() as home:
        for work in works("--quick" in sys.argv):
            attack(tally, work, Path(home))
    print(json.dumps(asdict(tally)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
