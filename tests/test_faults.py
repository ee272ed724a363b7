"""The attacks of `--sections faults`: that they count what breaks, and that the short forms find nothing that does."""

import io

import pytest
from PIL import Image

from evaluation.benchmark.faults import crashes, decodes, records
from evaluation.benchmark.faults.tally import Tally, is_sentence, table
from evaluation.board.formats import between, put_table
from zoo.images.photo import ImageError, decode_image


def test_a_tally_tells_what_passed_what_was_refused_and_what_broke():
    tally = Tally("a family", before=1.4, after=2.6)

    def fail(error):
        raise error

    assert tally.attempt("passes", lambda: 5, ValueError) == 5
    tally.attempt("is refused", lambda: fail(ValueError("This image is damaged.")), ValueError)
    tally.attempt("is refused without words", lambda: fail(ValueError("")), ValueError)
    tally.attempt("breaks", lambda: fail(KeyError("x")), ValueError)
    tally.require("is not kept", False)
    tally.require("is kept", True)
    assert (tally.tried, tally.refused, len(tally.faults)) == (6, 1, 3)
    tally.note = "its note."
    found = table([tally], table([Tally("a family"), Tally("another", tried=7, note="stays.")]))
    assert found.splitlines()[2:] == [
        "| a family | 6 | 1 | 3 | 0.0 | 1 | 3 |",
        "| another | 7 | 0 | 0 | 0.0 | 0 | 0 |",
        "",
        "- another: stays.",
        "- a family: its note.",
    ]
    assert is_sentence("This image is damaged.")
    assert not any(map(is_sentence, ("", "null", "Traceback (most recent call last) in x", "aaaaaaaaaaaa")))


def test_the_table_goes_between_its_marks(tmp_path):
    path = tmp_path / "SECURITY.md"
    path.write_text("a\n<!-- faults: written -->\nold\n<!-- /faults -->\nz\n")
    put_table(path, "new", "faults")
    assert between(path, "faults") == "new" and between(path, "other") == ""
    assert path.read_text() == "a\n<!-- faults: written -->\n\nnew\n<!-- /faults -->\nz\n"
    with pytest.raises(ValueError, match="leaderboard"):
        put_table(path, "new")


def test_broken_files_are_made_of_sound_ones():
    for kind in decodes.FORMATS:
        assert decode_image(decodes.image_file(kind)).image.size == (64, 48)
    kinds = {what for what, _ in decodes.broken(1)}
    assert len(kinds) == 3 * len(decodes.FORMATS) + 6
    with Image.open(io.BytesIO(decodes.flat_png(64, 3))) as image:
        assert image.size == (64, 3) and image.getextrema() == (0, 0)
    with pytest.raises(ImageError, match="pixels a side"):
        decode_image(decodes.flat_png(63_000, 1))


def test_hostile_records_are_refused_and_nothing_breaks():
    tally = records.records(quick=True)
    assert tally.faults == [] and tally.tried > 100 and tally.refused > tally.tried / 4


def test_a_kill_or_a_full_disk_at_any_change_of_a_file_breaks_nothing_and_a_break_is_noticed(tmp_path):
    tally = crashes.crashes(quick=True)
    assert tally.faults == [] and tally.tried > 8 and tally.refused >= 4
    careless = crashes.Work(
        "careless",
        lambda at: (at.mkdir(), (at / "a").write_text("old"), (at / "b").write_text("old")),
        lambda at: ((at / "a").write_text("new"), (at / "b").write_text("new")),
        lambda at: (at / "a").read_text() + (at / "b").read_text(),
    )
    found = Tally("careless")
    crashes.attack(found, careless, tmp_path)
    assert any("neither the old nor the new" in fault for fault in found.faults)
    assert any("an error of another kind" in fault for fault in found.faults)
