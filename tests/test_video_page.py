"""A video on the page and through the API: overlays, masks, how often labels change, and what ends the work early."""

import csv
import io
import json
import zipfile
from pathlib import Path

import av
import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from page_reading import PHONE, assert_no_overflow
from page_server import LADDER
from PIL import Image
from test_app import Request
from video_files import grey, sound, video

from zoo.images.examples import examples
from zoo.page import video_desk
from zoo.page.batch_tab import BatchDesk
from zoo.page.uploads import MADE, cached_file
from zoo.page.values import overlay
from zoo.page.video import Changes, resize_shown
from zoo.text import texts


def test_changes_are_counted_pixel_by_pixel():
    changes = Changes()
    assert changes.changed == changes.returned == []
    masks = [[[0, 1, 2, 3]], [[0, 1, 2, 0]], [[0, 0, 2, 3]], [[1, 1, 2, 3]]]  # one changes, then two, then two
    for mask in masks:
        changes.add(np.array(mask, np.uint8))
    assert changes.changed == [0.25, 0.5, 0.5]
    assert changes.returned == [0.25, 0.25]  # the last pixel at first, then the second


def test_a_class_that_moves_changes_and_does_not_return():
    changes = Changes()
    for shift in range(5):
        mask = np.zeros((4, 10), np.uint8)
        mask[:, shift : shift + 3] = 1
        changes.add(mask)
    assert changes.changed == pytest.approx([0.2] * 4) and changes.returned == [0, 0, 0]


def street(seconds: float = 1.0, rate: int = 10, kind: str = "mp4", codec: str = "libx264") -> bytes:
    """A camera that moves over an example."""
    with Image.open(examples()[0].photo) as photo:
        photo = photo.convert("RGB")
    frames = [np.asarray(photo.crop((4 * n, 20, 4 * n + 320, 260))) for n in range(round(seconds * rate))]
    return video(frames, rate, codec, kind)


def film(desk: BatchDesk, content: bytes, names: list[str], name: str = "trip.mp4", language: str = "en"):
    """All states that the tab shows of a video."""
    files = [{"path": cached_file(content, name)}]
    return list(desk.take(files, {"selected": names}, {}, "trained", Request(language)))


def opened(button) -> zipfile.ZipFile:
    path = button.value["path"] if isinstance(button.value, dict) else button.value
    return zipfile.ZipFile(path)


def test_masks_overlays_and_figures_are_those_of_each_frame(server, monkeypatch):
    page, _ = server
    monkeypatch.setattr(video_desk, "SHOW_SECONDS", 0)
    names, content = list(page.infos)[:2], street()
    emptied, held, *steps, (value, button, work) = film(BatchDesk(page), content, names)
    assert emptied[0] is None and held[2] is work
    assert [step[0]["done"] for step in steps] == [0, 1, 2, 3, 4, 5] and steps[0][0]["total"] == 5
    assert value["finished"] and not value["stopped"] and value["seconds"] == pytest.approx(0.8)
    with av.open(io.BytesIO(content)) as container:
        stored = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)][::2]
    with opened(button) as archive:
        summary = json.loads(archive.read("summary.json"))
        lines = list(csv.DictReader(io.StringIO(archive.read("table.csv").decode())))
        masks = {
            name: [np.array(Image.open(archive.open(f"masks/{name}/{n:03d}.png"))) for n in range(5)] for name in names
        }
        films = {name: archive.read(f"overlays/{name}.mp4") for name in names}
    for column, name in zip(value["columns"], names, strict=True):
        own = np.stack(masks[name])
        expected = [page.segmenter.compute(page.infos[name], Image.fromarray(image)) for image in stored]
        assert (own == np.stack([result.mask for result in expected])).mean() > 0.999  # two ways from YUV to RGB
        told = summary["checkpoints"][name]
        assert told["changed"] == pytest.approx((own[1:] != own[:-1]).mean())
        there_and_back = (own[2:] == own[:-2]) & (own[1:-1] != own[:-2])
        assert told["returned"] == pytest.approx(there_and_back.mean())
        for index, title in enumerate(page.infos[name].labels.classes):
            assert told["shares"][title] == pytest.approx((own == index).mean())
        assert column["changed"] == told["changed"] and column["overlay"].endswith(f"/{name}.mp4")
        with av.open(io.BytesIO(films[name])) as container:
            assert container.streams.video[0].codec_context.name == "h264"
            shown = list(container.decode(video=0))
        assert [frame.time for frame in shown] == pytest.approx([0, 0.2, 0.4, 0.6, 0.8], abs=2e-3)
        for frame, image, result in zip(shown, stored, expected, strict=True):
            wanted = np.asarray(overlay(Image.fromarray(image), result)).astype(int)
            assert abs(frame.to_ndarray(format="rgb24") - wanted).mean() < 6
        of_this = [line for line in lines if line["checkpoint"] == name]
        assert [float(line["changed"]) for line in of_this[1:]] == pytest.approx((own[1:] != own[:-1]).mean((1, 2)))
        assert [float(line["seconds"]) for line in of_this] == pytest.approx([0, 0.2, 0.4, 0.6, 0.8], abs=2e-3)
    one, other = (np.stack(masks[name]) for name in names)
    assert summary["disagreement"] == pytest.approx((one != other).mean())
    assert summary["video"] == {"name": "trip.mp4", "width": 320, "height": 240} and summary["frames"] == 5
    assert all(path in MADE for path in work.files[1:])


def test_one_frame_is_in_memory_at_a_time(server):
    desk, seen = BatchDesk(server[0]), []
    work = desk.videos.prepare(cached_file(street(2), "a.mp4"), list(server[0].infos)[:1], {})
    ask = work.frames.ask
    work.frames.ask = lambda job: seen.append(len(work.seconds)) or ask(job)
    for _ in desk.videos.work(work, Path(cached_file(b"", "a.zip"))):
        pass
    assert seen == list(range(11))  # a frame is asked for once the one before is done


def test_a_stopped_video_gives_back_what_is_done(server, monkeypatch):
    desk = BatchDesk(server[0])
    monkeypatch.setattr(video_desk, "SHOW_SECONDS", 0)
    files = [{"path": cached_file(street(3), "trip.mp4")}]
    steps = desk.take(files, {"selected": list(server[0].infos)[:1]}, {}, "trained", Request("pt-BR"))
    while not (work := next(steps)[2]) or not work.seconds:
        pass
    desk.stop(work)
    *_, (value, button, _) = steps
    assert value["finished"] and value["stopped"] and 1 <= value["done"] < 15 and value["notes"] == []
    with opened(button) as archive:
        assert len([name for name in archive.namelist() if name.startswith("masks/")]) == value["done"]
        assert json.loads(archive.read("summary.json"))["stopped"]
        with av.open(io.BytesIO(archive.read(archive.namelist()[value["done"]]))) as container:
            assert len(list(container.decode(video=0))) == value["done"]
    assert work.frames.worker.process.poll() is not None


def test_nothing_is_kept_of_a_video_that_is_deleted_meanwhile(server, monkeypatch):
    page, desk = server[0], BatchDesk(server[0])
    monkeypatch.setattr(video_desk, "SHOW_SECONDS", 0)
    files = [{"path": cached_file(street(3), "trip.mp4")}]
    steps = desk.take(files, {"selected": list(page.infos)[:1]}, {}, "trained", Request())
    while not (work := next(steps)[2]) or not work.seconds:
        pass
    page.forget(None, None, None, work, {"selected": None}, Request())
    *_, (table, button, held) = steps
    assert table is None and held is None and not button.interactive
    assert len(work.files) == 3 and not any(Path(path).exists() for path in work.files)


def test_a_video_that_is_broken_off_leaves_nothing(server):
    desk = BatchDesk(server[0])
    work = desk.videos.prepare(cached_file(street(3), "trip.mp4"), list(server[0].infos)[:2], {})
    path = Path(cached_file(b"", "fcn-video.zip"))
    path.unlink()
    steps = desk.videos.work(work, path)
    while len(work.seconds) < 13:  # the encoder keeps ten frames back
        next(steps)
    process = work.frames.worker.process
    assert [track.part.exists() for track in work.tracks] == [True, True]
    steps.close()  # as Gradio does when the visitor has gone
    assert process.poll() is not None and not list(path.parent.iterdir())
    assert not any(list(track.path.parent.iterdir()) for track in work.tracks)


def test_work_ends_in_time_and_a_checkpoint_that_fails_spoils_no_other(server, monkeypatch):
    desk = BatchDesk(server[0])
    monkeypatch.setattr(video_desk, "JOB_SECONDS", -1)
    value = film(desk, street(), list(server[0].infos)[:1])[-1][0]
    assert value["done"] == 0 and value["columns"][0]["overlay"] is None
    assert value["notes"][0].startswith("One video gets -1 s of work: 0 frames")
    monkeypatch.setattr(video_desk, "JOB_SECONDS", 300.0)
    names = list(server[0].infos)[:2]
    segment = desk.videos.segment

    def fail(info, image, view):
        if info.offered_as == names[0]:
            raise RuntimeError("no weights")
        return segment(info, image, view)

    monkeypatch.setattr(desk.videos, "segment", fail)
    value = film(desk, street(), names)[-1][0]
    told = "This did not work. The program says: “no weights”"
    assert [column["problem"] for column in value["columns"]] == [told, None] and value["done"] == 5
    assert [bool(column["overlay"]) for column in value["columns"]] == [False, True]


@pytest.mark.parametrize("language", ["en", "pt-BR"])
@pytest.mark.parametrize(
    ("content", "name", "key"),
    [
        (b"", "a.mp4", "error_video_empty"),
        (b"RIFF....AVI LIST" + bytes(99), "a.avi", "error_video_kind"),
        (video([grey(9)] * 9)[:900], "a.mov", "error_video_damaged"),
        (sound(), "a.m4v", "error_video_no_pictures"),
        (video([grey(9, (4160, 2400))]), "a.mp4", "error_video_pixels"),
    ],
)
def test_what_is_of_no_use_gets_one_sentence_and_leaves_nothing(server, content, name, key, language):
    desk, states = BatchDesk(server[0]), []
    before = set(MADE)
    with pytest.raises(Exception) as caught:
        for state in desk.take(
            [{"path": cached_file(content, name)}],
            {"selected": list(server[0].infos)[:1]},
            {},
            "trained",
            Request(language),
        ):
            states.append(state)
    known = texts(language)[key].split("{")[0]
    assert str(caught.value.message).startswith(known) and states[0][0] is None
    assert not [path for path in set(MADE) - before if Path(path).is_file() and Path(path).name != name]


def test_videos_are_worked_on_alone_and_uploads_only(server):
    desk, names = BatchDesk(server[0]), list(server[0].infos)[:1]
    files = [{"path": cached_file(street(), "a.mp4")}, {"path": str(cached_file(b"", "b.png"))}]
    with pytest.raises(Exception, match="alone"):
        list(desk.take(files, {"selected": names}, {}, "trained", Request()))
    with pytest.raises(Exception, match="not uploaded"):
        list(desk.take([{"path": "/etc/a.mp4"}], {"selected": names}, {}, "trained", Request()))
    with pytest.raises(Exception, match="no video"):
        desk.videos.segment_video(None, names)


def test_frames_are_shown_with_even_sides():
    assert resize_shown(Image.new("RGB", (769, 433))).size == (768, 432)
    assert resize_shown(Image.new("RGB", (64, 3))).size == (64, 2)


def test_the_api_takes_a_video(server):
    from gradio_client import Client, handle_file

    page, address = server
    path = cached_file(street(kind="webm", codec="libvpx"), "trip.webm")
    names = list(page.infos)[:2]
    overlays, [archive], summary = Client(address, verbose=False).predict(
        handle_file(path), names, api_name="/segment_video"
    )
    assert [Path(overlay).name for overlay in overlays] == [f"{name}.mp4" for name in names]
    assert summary["frames"] == 5 and all(0 < summary["checkpoints"][name]["changed"] < 1 for name in names)
    with zipfile.ZipFile(archive) as opened_zip:
        assert sum(name.startswith("masks/") for name in opened_zip.namelist()) == 10


def test_a_dropped_video_is_segmented_and_played(visit, tmp_path):
    tab = visit(viewport=PHONE)
    path = tmp_path / "trip.mp4"
    path.write_bytes(street(2))
    tab.locator("#photo input[type=file]").set_input_files(path)  # the photo's own field
    state = tab.locator(".batch-state")
    tab.wait_for_function("document.querySelector('.batch-state')?.textContent.startsWith('10 frames done')")
    assert tab.get_by_role("tab", name="Batch").get_attribute("aria-selected") == "true"
    assert tab.locator("#batch-table tbody tr").count() == 3 == tab.locator(".batch-films video").count()
    assert "disagree" in state.inner_text()
    if tab.evaluate("document.createElement('video').canPlayType('video/mp4; codecs=\"avc1.42E01E\"')"):
        tab.wait_for_function(
            """() => [...document.querySelectorAll(".batch-films video")].every(
              (video) => video.readyState >= 2 && video.videoWidth === 320 && Math.abs(video.duration - 2) < 0.3)"""
        )
        tab.evaluate("document.querySelector('.batch-films video').play()")
        tab.wait_for_function(  # one starts all
            "() => [...document.querySelectorAll('.batch-films video')].every(({ currentTime }) => currentTime > 0.3)"
        )
        tab.evaluate("document.querySelector('.batch-films video').pause()")
        tab.wait_for_function(
            "() => [...document.querySelectorAll('.batch-films video')].every(({ paused }) => paused)"
        )
    assert_no_overflow(tab)
    found = Axe().run(tab, context="#batch-table").response["violations"]
    assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == []
    with tab.expect_download() as download:
        tab.locator("#batch-download").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        assert {f"overlays/{name}.mp4" for name in LADDER} <= set(archive.namelist())
