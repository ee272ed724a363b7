"""Decoding apart: the same pixels and sentences as in one process, and whatever a decoder does costs one upload."""

import os
import signal
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zoo.images import photo, truth, worker_process, workers
from zoo.images.examples import examples
from zoo.images.photo import ImageError
from zoo.labels import CAMVID
from zoo.text import Message

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="descriptors are passed over POSIX sockets")


@pytest.fixture
def pool(monkeypatch):
    """A pool of one worker, so that a test knows whose turn it is."""
    monkeypatch.delenv(workers.VARIABLE, raising=False)
    pool = workers.Pool(1)
    monkeypatch.setattr(workers, "pool", lambda: pool)
    pool.start()
    yield pool
    pool.close()


def process(pool) -> int:
    """The id of the pool's one process."""
    return pool.free.queue[0].process.pid


def save(path: Path, image: Image.Image, **options) -> Path:
    image.save(path, **options)
    return path


def noise(width: int, height: int, channels: int = 3) -> Image.Image:
    values = np.random.default_rng(0).integers(0, 256, (height, width, channels), np.uint8)
    return Image.fromarray(values.squeeze())


def test_pixels_notes_and_sizes_are_those_of_one_process(pool, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    files = [
        save(tmp_path / "turned.jpg", noise(1500, 700), exif=exif),
        save(tmp_path / "clear.png", noise(90, 60, 4)),
        save(tmp_path / "small.gif", noise(20, 10, 1)),
        save(tmp_path / "wide.webp", noise(2000, 40)),
        examples()[0].photo,
    ]
    for path in files:
        for long_side in (64, 1024, 8192):
            here, there = photo.decode_image(path, long_side), workers.decode_image(path, long_side)
            assert workers.decode_image(path.read_bytes(), long_side).image.tobytes() == here.image.tobytes()
            assert there.image.mode == "RGB" and there.image.tobytes() == here.image.tobytes()
            assert there.original_size == here.original_size and there.image.size == here.image.size
            assert [(note.key, note.values) for note in there.notes] == [(note.key, note.values) for note in here.notes]


def test_ground_truth_is_that_of_one_process(pool):
    example = examples()[0]
    for long_side in (100, 1024):
        decoded = workers.decode_image(example.photo, long_side)
        there = workers.decode_truth(example.truth, example.labels, decoded)
        assert np.array_equal(there, truth.decode_truth(example.truth, example.labels, decoded))
        there[:] = 0  # it is the page's own, not the worker's memory


def test_refusals_are_those_of_one_process_and_keep_the_worker(pool, tmp_path):
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "half.jpg").write_bytes(examples()[0].photo.read_bytes()[:5000])
    before = process(pool)
    for path in (tmp_path / "text.png", tmp_path / "half.jpg"):
        with pytest.raises(ImageError) as here:
            photo.decode_image(path)
        with pytest.raises(ImageError) as there:
            workers.decode_image(path)
        assert there.value.args[0].key == here.value.args[0].key
    decoded = workers.decode_image(examples()[0].photo)
    with pytest.raises(ImageError, match="pixels") as caught:
        workers.decode_truth(save(tmp_path / "mask.png", noise(7, 7, 1)), CAMVID, decoded)
    assert caught.value.args[0].key == "error_truth_size" and process(pool) == before
    with pytest.raises(ImageError):
        workers.decode_image(None)


def png(width: int, height: int) -> bytes:
    """A PNG of zeros, written row by row: far smaller than its pixels."""
    body = zlib.compressobj(9)
    row = bytes(1 + (width + 7) // 8)
    content = b"".join(body.compress(row) for _ in range(height)) + body.flush()
    parts = [
        (b"IHDR", width.to_bytes(4) + height.to_bytes(4) + bytes([1, 0, 0, 0, 0])),
        (b"IDAT", content),
        (b"IEND", b""),
    ]
    chunks = [len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4) for kind, data in parts]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize("size", [(63_000_000, 1), (1, 63_000_000), (30_001, 10)])
def test_an_image_that_is_all_side_is_refused_by_its_header(size, tmp_path):
    content = png(*size) if size[1] < 100 else png(size[1], 1)[:16] + size[0].to_bytes(4) + size[1].to_bytes(4)
    with pytest.raises(ImageError) as caught:
        photo.open_image(content)
    assert caught.value.args[0].key in ("error_too_long", "error_damaged", "error_not_an_image")
    if size[1] < 100:
        assert "30,000 pixels a side" in str(caught.value)


def test_a_decoder_that_dies_costs_one_upload(pool, monkeypatch, caplog):
    path = examples()[0].photo
    before = process(pool)
    monkeypatch.setattr(workers, "send", lambda *_: os.kill(before, signal.SIGKILL))  # while it has the upload
    with pytest.raises(ImageError) as caught:
        workers.decode_image(path)
    monkeypatch.undo()
    assert caught.value.args[0].key == "error_decoder_died" and "its decoder" in str(caught.value)
    assert str(path) not in caplog.text and path.name not in caplog.text
    monkeypatch.setattr(workers, "pool", lambda: pool)
    assert workers.decode_image(path).image.size and process(pool) != before
    with pytest.raises(ProcessLookupError):
        os.kill(before, 0)


def test_a_decoder_that_hangs_costs_one_upload(pool, monkeypatch):
    before = process(pool)
    os.kill(before, signal.SIGSTOP)
    monkeypatch.setattr(workers, "JOB_SECONDS", 0.3)
    with pytest.raises(ImageError, match="took too long"):
        workers.decode_image(examples()[0].photo)
    monkeypatch.setattr(workers, "JOB_SECONDS", 40.0)
    assert workers.decode_image(examples()[0].photo).image.size and process(pool) != before


@pytest.mark.skipif(sys.platform != "linux", reason="the limits of another process are Linux's")
def test_a_decoder_that_eats_memory_costs_one_upload(pool, tmp_path):
    import resource

    used = int(Path(f"/proc/{process(pool)}/statm").read_text().split()[0]) * resource.getpagesize()
    resource.prlimit(process(pool), resource.RLIMIT_AS, (used + 20_000_000, worker_process.MEMORY_BYTES))
    large = save(tmp_path / "large.png", Image.new("RGBA", (6000, 5000)))
    with pytest.raises(ImageError, match="needed too much memory"):
        workers.decode_image(large)
    assert workers.decode_image(examples()[0].photo).image.size


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_worker_has_narrow_limits_and_nothing_of_the_pages_environment(pool, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    workers.decode_image(examples()[0].photo)
    other = workers.Worker()
    place = Path(f"/proc/{other.process.pid}")
    assert b"hf_secret" not in (place / "environ").read_bytes() and b"HOME" not in (place / "environ").read_bytes()
    assert b"examples" not in (place / "cmdline").read_bytes() and os.readlink(place / "cwd") == "/"
    other.close()
    lines = Path(f"/proc/{process(pool)}/limits").read_text().splitlines()
    limits = {line[:26].strip(): line[26:].split()[0] for line in lines}
    assert int(limits["Max address space"]) == worker_process.MEMORY_BYTES
    assert int(limits["Max file size"]) == worker_process.FILE_BYTES
    assert 1 <= int(limits["Max cpu time"]) <= worker_process.CPU_SECONDS + 30
    assert int(limits["Max open files"]) == worker_process.OPEN_FILES and int(limits["Max core file size"]) == 0


def test_the_largest_upload_fits_into_a_workers_memory(pool, tmp_path):
    path = tmp_path / "largest.png"
    Image.new("RGBA", (8000, 8000), (1, 2, 3, 4)).save(path, compress_level=1)
    assert workers.decode_image(path, 8192).image.size == (4000, 4000)


def test_the_largest_mask_in_colours_fits_into_a_workers_memory(pool, tmp_path):
    path, ids = tmp_path / "largest.png", np.arange(8000, dtype=np.uint16)[:, None] % 11
    Image.fromarray(np.repeat(np.array(CAMVID.palette, np.uint8)[ids], 8000, 1)).save(path, compress_level=1)
    mask = workers.decode_mask(path, CAMVID)
    assert mask.shape == (8000, 8000) and (mask == ids).all()


def test_a_worker_that_lies_is_not_believed():
    assert workers.unpack_message({"key": "error_damaged", "values": {}}).key == "error_damaged"
    nested = worker_process.pack_message(Message("checkpoint_at", place="x", reason=Message("error_damaged")))
    assert workers.unpack_message(nested).values["reason"].key == "error_damaged"
    for packed in (
        {},
        {"key": "no such", "values": {}},
        {"key": "error_too_large", "values": {}},
        {"key": [], "values": 5},
    ):
        assert workers.unpack_message(packed).key == "error_decoder_died"


def test_a_pool_that_cannot_start_says_so_and_decodes_inside_only_when_told(monkeypatch, caplog):
    monkeypatch.setattr(workers.sys, "executable", "/nonexistent/python")
    pool = workers.Pool(1)
    monkeypatch.setattr(workers, "pool", lambda: pool)
    with pytest.raises(workers.DecoderError, match=r"does not start .*FCN_ZOO_DECODE=inside"):
        workers.start()
    with pytest.raises(ImageError):
        workers.decode_image(examples()[0].photo)
    assert "does not start" in caplog.text
    monkeypatch.setenv("FCN_ZOO_DECODE", "inside")
    workers.start()
    assert workers.decode_image(examples()[0].photo).image.size and "without its limits" in caplog.text
    monkeypatch.setenv("FCN_ZOO_DECODE", "outside")
    with pytest.raises(ValueError, match="FCN_ZOO_DECODE"):
        workers.apart()
