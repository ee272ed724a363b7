"""Atomic writing: killed before every step, on a full disk, in a folder that may not be written, by several at once."""

import errno
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from killing import killed_everywhere

from zoo import atomic
from zoo.atomic import WriteError, remove_leftovers, replacing, settle, together, whole_folder, write_text

ROOT = Path(__file__).parent.parent


def test_a_kill_anywhere_leaves_the_old_file_or_the_new(tmp_path):
    program = """
    from pathlib import Path
    from zoo.atomic import write_text
    path, seen = Path(sys.argv[1]) / "notes.txt", set()
    def check(whole):
        assert path.read_text() in (("new",) if whole else ("old", "new")) and len(list(path.parent.iterdir())) <= 2
        seen.add(path.read_text())
        [other.unlink() for other in path.parent.iterdir()]
    every_kill(lambda: path.write_text("old"), lambda: write_text(path, "new", durable=True), check)
    assert seen == {"old", "new"}
    """
    assert killed_everywhere(program, tmp_path) == 3


def test_a_kill_anywhere_leaves_files_that_belong_together_all_old_or_all_new(tmp_path):
    program = """
    import shutil
    from pathlib import Path
    from zoo.atomic import settle, together
    folder, names, seen = Path(sys.argv[1]) / "pair", ("a", "b", "c"), set()
    def prepare():
        folder.mkdir()
        [(folder / name).write_text("old") for name in (*names, "other")]
    def work():
        with together(folder, "group") as staging:
            [(staging / name).write_text("new") for name in names]
    def check(whole):
        settle(folder)
        found = {(folder / name).read_text() for name in names}
        assert found in ({"old"}, {"new"}) and (found == {"new"} or not whole), found
        assert (folder / "other").read_text() == "old" and not list(folder.glob(".*pending*"))
        seen.update(found)
        shutil.rmtree(folder)
    every_kill(prepare, work, check)
    assert seen == {"old", "new"}
    """
    assert killed_everywhere(program, tmp_path) >= 8


def test_a_kill_anywhere_leaves_the_old_folder_or_the_new(tmp_path):
    program = """
    import shutil
    from pathlib import Path
    from zoo.atomic import settle, whole_folder
    folder, seen = Path(sys.argv[1]) / "folder", set()
    def prepare():
        (folder / "inner").mkdir(parents=True)
        (folder / "inner" / "old").touch()
    def work():
        with whole_folder(folder) as staging:
            (staging / "new").touch()
    def check(whole):
        settle(folder)
        found = tuple(path.name for path in folder.iterdir())
        assert found in (("inner",), ("new",)) and (found == ("new",) or not whole), found
        assert found == ("new",) or (folder / "inner" / "old").is_file()
        seen.add(found)
        for other in folder.parent.iterdir():
            shutil.rmtree(other)
    every_kill(prepare, work, check)
    assert len(seen) == 2
    """
    assert killed_everywhere(program, tmp_path) >= 5


@pytest.fixture
def full_disk(monkeypatch):
    """Every fsync and every rename says that there is no room."""

    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(atomic.os, "replace", full)


def test_a_full_disk_is_told_in_a_sentence_and_nothing_is_lost(tmp_path, full_disk):
    path = tmp_path / "folder" / "notes.txt"
    path.parent.mkdir()
    path.write_text("old")
    message = "cannot be written .No space left on device.; what was there before is unchanged"
    with pytest.raises(WriteError, match=message) as caught:
        write_text(path, "new")
    assert caught.value.errno == errno.ENOSPC and str(path) in str(caught.value)
    with pytest.raises(WriteError, match=message), together(path.parent, "group") as staging:
        (staging / "notes.txt").write_text("new")
    with pytest.raises(WriteError, match=message), whole_folder(path.parent):
        pass
    with pytest.raises(WriteError, match=message), together(tmp_path / "new", "group"):
        pass
    assert path.read_text() == "old"
    assert [str(other.relative_to(tmp_path)) for other in tmp_path.rglob("*")] == ["folder", "folder/notes.txt"]


def test_a_device_that_is_really_full_is_told_too(tmp_path):
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with pytest.raises(WriteError, match="No space left"), replacing(tmp_path / "notes.txt") as temporary:
        temporary.symlink_to("/dev/full")
        temporary.write_text("new")
    assert not list(tmp_path.iterdir())


def test_errors_of_the_work_itself_pass_unchanged(tmp_path):
    target = tmp_path / "notes.txt"
    with pytest.raises(ZeroDivisionError), replacing(target):
        1 / 0  # noqa: B018
    with pytest.raises(ConnectionResetError), together(tmp_path / "pair", "group"):
        raise ConnectionResetError(errno.ECONNRESET, "reset")
    source = PermissionError(errno.EACCES, "Permission denied", "/elsewhere/source")
    with pytest.raises(PermissionError) as caught, replacing(target):
        raise source
    assert caught.value is source and not list(tmp_path.iterdir())


def test_a_folder_that_may_not_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match="file"):
        write_text(tmp_path / "file" / "notes.txt", "new")


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "real.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to("real.txt")
    write_text(tmp_path / "link.txt", "new")
    assert (tmp_path / "link.txt").is_symlink() and (tmp_path / "real.txt").read_text() == "new"


def test_leftovers_of_the_dead_go_and_those_of_the_living_stay(tmp_path):
    old, young, other = (tmp_path / f".{name}.part" for name in ("notes.txt.1", "notes.txt.2", "else.3"))
    for path in (old, young, other):
        path.touch()
    for path in (old, other):
        os.utime(path, (time.time() - 2 * atomic.STALE_SECONDS,) * 2)
    write_text(tmp_path / "notes.txt", "new")
    assert not old.exists() and young.exists() and other.exists()
    os.utime(young, (time.time() + 1e6,) * 2)  # a clock that was set back
    assert remove_leftovers(tmp_path, older_than=0.0) == [other]


def test_several_processes_replace_one_folder_and_one_group(tmp_path):
    program = """
    import sys
    from pathlib import Path
    from zoo.atomic import together, whole_folder
    home, word = Path(sys.argv[1]), sys.argv[2]
    for _ in range(40):
        with whole_folder(home / "folder") as staging:
            [(staging / name).write_text(word) for name in "abc"]
        with together(home / "pair", "group") as staging:
            [(staging / name).write_text(word) for name in "abc"]
    """
    command = [sys.executable, "-c", textwrap.dedent(program), str(tmp_path)]
    running = [subprocess.Popen([*command, word], cwd=ROOT, stderr=subprocess.PIPE) for word in ("one", "two")]
    complaints = [process.communicate()[1].decode() for process in running]
    assert complaints == ["", ""]
    settle(tmp_path / "pair")
    for folder in ("folder", "pair"):
        assert sorted(path.name for path in (tmp_path / folder).iterdir()) == ["a", "b", "c"]
        assert len({path.read_text() for path in (tmp_path / folder).iterdir()}) == 1
