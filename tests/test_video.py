"""Videos: frames that are known come back at their moments, upright; what is of no use gets a sentence and no more."""

import os
import signal
import sys
import threading
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image, ImageOps
from video_files import grey, sound, video

from zoo.images import video as limits
from zoo.images import workers
from zoo.images.photo import ImageError
from zoo.images.video_frames import VideoFrames
from zoo.images.video_writer import VideoWriter

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="descriptors are passed over POSIX sockets")


@pytest.fixture
def read(tmp_path):
    """A function that reads a video in a process of its own: (images, seconds, what is known of it)."""

    def read(content: bytes, long_side: int = 512):
        path = tmp_path / "video"
        path.write_bytes(content)
        with VideoFrames(path, long_side) as frames:
            found = list(frames)
        return [np.asarray(frame.image) for frame in found], [frame.seconds for frame in found], frames

    return read


def refusal(read, content: bytes) -> str:
    with pytest.raises(ImageError) as caught:
        read(content)
    return caught.value.args[0].key


@pytest.mark.parametrize(
    ("codec", "kind"),
    [
        ("libx264", "mp4"),
        ("libx265", "mov"),
        ("mpeg4", "mov"),
        ("libvpx", "webm"),
        ("libvpx-vp9", "webm"),
        ("libsvtav1", "webm"),
    ],
)
def test_five_frames_a_second_come_back_as_they_went_in(read, codec, kind):
    levels = [20 + 7 * number for number in range(31)]  # each frame of the 30 a second has a grey of its own
    images, seconds, known = read(video(map(grey, levels), 30, codec, kind))
    assert seconds == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0], abs=2e-3)
    assert known.total in (6, 5) and known.original_size == (96, 64) and known.notes == ()
    for image, level in zip(images, levels[::6], strict=True):
        assert image.shape == (64, 96, 3) and abs(image.astype(int) - level).max() <= 3


@pytest.mark.parametrize("rate", [24, 25, 60])
def test_of_each_moment_the_next_frame_is_taken(read, rate):
    _, seconds, _ = read(video([grey(9)] * (2 * rate), rate))
    assert len(seconds) == 10
    assert abs(np.array(seconds) - np.arange(10) / 5).max() <= 0.5 / rate + 1e-3


def test_a_slow_video_gives_each_frame_once_and_a_gap_is_no_reason_to_repeat(read):
    assert read(video(map(grey, (10, 90, 170)), 2))[1] == pytest.approx([0, 0.5, 1.0], abs=2e-3)
    assert read(video(map(grey, (10, 90, 170)), 10, times=[0, 3.0, 3.25]))[1] == pytest.approx([0, 3, 3.25], abs=2e-3)


@pytest.mark.parametrize(("kind", "codec"), [("mp4", "libx264"), ("webm", "libvpx")])
def test_sound_is_left_alone(read, kind, codec):
    images, _, known = read(video(map(grey, range(0, 200, 10)), 10, codec, kind, with_sound=True))
    assert [round(image.mean(), -1) for image in images] == list(range(0, 200, 20)) and known.notes == ()


def test_colours_of_hd_are_not_taken_for_those_of_television(read, tmp_path):
    path, colours = tmp_path / "own.mp4", [(200, 30, 60), (20, 60, 220), (20, 160, 40)]
    writer = VideoWriter(path, 5)
    for number, colour in enumerate(colours):
        writer.add(Image.new("RGB", (64, 48), colour), number / 5)
    writer.close()
    images, seconds, _ = read(path.read_bytes())
    assert seconds == pytest.approx([0, 0.2, 0.4], abs=2e-3)
    for image, colour in zip(images, colours, strict=True):
        assert abs(image.astype(int) - colour).max() <= 6
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.name == "h264"


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
def test_videos_are_upright_as_the_camera_was_held(read, degrees, mirrored):
    stored = np.zeros((64, 96, 3), np.uint8)
    stored[:32, :48], stored[:32, 48:], stored[32:, :48] = (200, 40, 40), (40, 200, 40), (40, 40, 200)
    shown = Image.fromarray(stored).rotate(degrees, expand=True)  # both count against the clock
    shown = np.asarray(ImageOps.mirror(shown) if mirrored else shown)
    images, _, known = read(video([stored], turned=(degrees, mirrored, False)))
    assert images[0].shape == shown.shape and known.original_size == shown.shape[1::-1]
    centres = np.s_[shown.shape[0] // 4 :: shown.shape[0] // 2, shown.shape[1] // 4 :: shown.shape[1] // 2]
    assert abs(images[0][centres].astype(int) - shown[centres]).max() <= 12


def test_frames_are_made_smaller_with_even_sides_and_square_pixels(read):
    images, _, known = read(video([grey(50, (640, 360))] * 2), 101)
    assert images[0].shape == (56, 100, 3) and known.original_size == (640, 360)
    images, _, known = read(video([grey(50, (320, 240))] * 2, aspect=Fraction(4, 3)), 512)
    assert images[0].shape == (240, 426, 3) and known.original_size == (427, 240)


def test_a_recording_without_a_duration_is_read_to_its_end(read):
    images, _, known = read(video(map(grey, range(0, 240, 8)), 10, "libvpx", "webm", live=True))
    assert len(images) == 15 and known.total is None


def test_a_long_video_ends_with_a_note(read):
    images, seconds, known = read(video([grey(number) for number in range(42)], 1))
    assert len(images) == 30 == known.total and max(seconds) == pytest.approx(29)
    assert [str(note) for note in known.notes] == ["The video has 42 s; its first 30 s were used."]
    live = video([grey(number) for number in range(42)], 1, "libvpx", "webm", live=True)
    assert [note.key for note in read(live)[2].notes] == ["note_video_cut"]


def test_what_is_no_video_gets_its_own_sentence(read, monkeypatch):
    whole = video(map(grey, range(0, 200, 4)))
    assert refusal(read, b"") == "error_video_empty"
    assert refusal(read, b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n") == "error_video_kind"
    assert refusal(read, b"ffconcat version 1.0\nfile /etc/passwd\n") == "error_video_kind"
    assert refusal(read, b"\x00\x00\x00\x20ftypisom" + bytes(500)) == "error_video_damaged"
    assert refusal(read, whole[: len(whole) // 2]) == "error_video_damaged"  # its index was at the end
    assert refusal(read, sound()) == refusal(read, sound("webm")) == "error_video_no_pictures"
    assert refusal(read, video([grey(5)] * 2, codec="ffv1", kind="matroska")) == "error_video_codec"
    assert refusal(read, video([grey(5, (4160, 2400))])) == "error_video_pixels"


def test_a_video_that_is_cut_off_is_used_as_far_as_it_goes(read):
    random = np.random.default_rng(0)
    noise = [random.integers(0, 256, (64, 96, 3), np.uint8) for _ in range(60)]
    whole = video(noise, 30, "libvpx", "webm")
    images, seconds, _ = read(whole[: len(whole) // 2])
    assert 3 <= len(images) <= 7 and seconds[-1] < 1.2
    broken = bytearray(whole)
    broken[len(whole) // 2 : len(whole) // 2 + 3000] = bytes(3000)
    assert len(read(bytes(broken))[0]) >= 3


@pytest.fixture
def clip(tmp_path) -> Path:
    """Two seconds of video."""
    path = tmp_path / "clip.mp4"
    path.write_bytes(video([grey(number) for number in range(60)]))
    return path


def test_a_decoder_that_dies_costs_what_comes_after(clip):
    with VideoFrames(clip, 96) as frames:
        found = iter(frames)
        assert [next(found).seconds, next(found).seconds] == pytest.approx([0, 0.2], abs=2e-3)
        os.kill(frames.worker.process.pid, signal.SIGKILL)
        assert list(found) == []
    assert [str(note) for note in frames.notes] == [
        "The video could not be read beyond 0.2 s; what comes before was used."
    ]
    with VideoFrames(clip, 96) as frames:
        assert len(list(frames)) == 10 and frames.notes == ()


def test_a_decoder_that_never_answers_is_ended(clip, monkeypatch):
    real = workers.Worker

    class Stopped(real):
        def __init__(self):
            super().__init__()
            os.kill(self.process.pid, signal.SIGSTOP)

    monkeypatch.setattr("zoo.images.video_frames.Worker", Stopped)
    monkeypatch.setattr(workers, "JOB_SECONDS", 0.3)
    with VideoFrames(clip, 96) as frames, pytest.raises(ImageError, match="too much memory or time"):
        next(iter(frames))
    assert frames.worker.process.poll() is not None
    monkeypatch.setattr(workers, "JOB_SECONDS", 60.0)
    with VideoFrames(clip, 96) as frames:  # and one who waits for it can give up at once
        threading.Timer(0.3, frames.give_up).start()
        begin = time.monotonic()
        assert list(frames) == [] and time.monotonic() - begin < 30
    assert frames.worker.process.poll() is not None


@pytest.mark.skipif(sys.platform != "linux", reason="the limits of another process are Linux's")
def test_memory_and_processor_time_of_a_video_are_bounded(clip):
    import resource

    with VideoFrames(clip, 96) as frames:
        next(found := iter(frames))
        pid = frames.worker.process.pid
        lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
        told = {line[:26].strip(): line[26:].split()[0] for line in lines}
        assert int(told["Max address space"]) == 2_000_000_000 and 1 <= int(told["Max cpu time"]) <= 125
        resource.prlimit(pid, resource.RLIMIT_CPU, (0, 0))
        assert len(list(found)) < 9
    assert [note.key for note in frames.notes] in ([], ["note_video_until"])


def test_videos_are_read_inside_where_processes_are_forbidden(clip, monkeypatch):
    with VideoFrames(clip, 96) as frames:
        apart = [(frame.seconds, np.asarray(frame.image)) for frame in frames]
    monkeypatch.setenv(workers.VARIABLE, "inside")
    with VideoFrames(clip, 96) as frames:
        inside = [(frame.seconds, np.asarray(frame.image)) for frame in frames]
    assert frames.worker is None
    assert len(apart) == len(inside) == 10
    assert all(a[0] == b[0] and np.array_equal(a[1], b[1]) for a, b in zip(apart, inside, strict=True))


def test_the_limits_are_those_that_the_texts_tell():
    assert limits.MAXIMUM_SECONDS * limits.RATE == limits.MAXIMUM_FRAMES == 150
