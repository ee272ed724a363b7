"""The process that decodes uploads: it holds no secret, reads no file but the one it is handed, and has narrow limits.

`zoo.images.workers` starts it and speaks to it over a socket: a JSON document with the upload's descriptor comes in,
pixels go into shared memory and a JSON document goes back. Whatever a file does to a decoder stays in here.
"""

import mmap
import os
import socket
import sys

import numpy as np
from PIL import Image

from zoo.images.photo import Decoded, ImageError, decode_image
from zoo.images.stored import read_stored
from zoo.images.truth import decode_truth, to_ids
from zoo.images.video import VideoReader
from zoo.images.workers import FILE_BYTES, receive, send
from zoo.labels import LabelSet
from zoo.text import Message

MEMORY_BYTES = 2_000_000_000  # of address space, libraries included
CPU_SECONDS = 30  # for one upload
VIDEO_CPU_SECONDS = 120  # for all of a video that is looked at
OPEN_FILES = 32


def limit() -> list[str]:
    """Bound this process; returns the names of the limits that this system does not have."""
    import resource

    missing = []
    wanted = {"AS": MEMORY_BYTES, "FSIZE": FILE_BYTES, "NOFILE": OPEN_FILES, "CORE": 0}
    for name, value in wanted.items():
        kind = getattr(resource, f"RLIMIT_{name}", None)
        try:
            resource.setrlimit(kind, (value, value))
        except (TypeError, ValueError, OSError):
            missing.append(name)
    return missing


def limit_cpu(allowed: int) -> None:
    """Give this process `allowed` seconds of the processor from now on; the system kills it after them."""
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime) + allowed
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def pack_message(message: Message) -> dict:
    """A Message as JSON."""
    values = {
        name: pack_message(value) if isinstance(value, Message) else value for name, value in message.values.items()
    }
    return {"key": message.key, "values": values}


def work(job: dict, content: bytes, held: dict[str, VideoReader]) -> tuple[dict, np.ndarray | None]:
    """The answer to a job and its pixels: (H, W, 3) of a photo, (H, W) of a mask. Raises ImageError.

    The job 'video' gives a video's first frame and keeps the video in `held`; each job 'frame' gives the next, without
    pixels when there is none.
    """
    if job["kind"] == "video":
        held["video"] = VideoReader(content, job["long_side"])
    if job["kind"] in ("video", "frame"):
        return next_frame(held["video"])
    if job["kind"] == "photo":
        decoded = decode_image(content, job["long_side"])
        notes = [pack_message(note) for note in decoded.notes]
        return {"notes": notes, "original_size": list(decoded.original_size)}, np.asarray(decoded.image)
    labels = job["labels"]
    labels["classes"] = tuple(labels["classes"])
    labels["palette"] = tuple(map(tuple, labels["palette"]))
    if job["kind"] == "mask":
        return {}, to_ids(read_stored(content), LabelSet(**labels))
    photo = Decoded(Image.new("1", tuple(job["size"])), (), tuple(job["original_size"]))
    return {}, decode_truth(content, LabelSet(**labels), photo)


def next_frame(video: VideoReader) -> tuple[dict, np.ndarray | None]:
    """What is known of a video by now, and its next frame."""
    pixels, seconds = next(video, (None, video.seconds))
    notes = [pack_message(note) for note in video.notes]
    return {"seconds": seconds, "total": video.total, "original_size": video.size, "notes": notes}, pixels


def answer(job: dict, content: bytes, memory: int, held: dict[str, VideoReader]) -> dict:
    """Do a job: the pixels go to the shared memory `memory`, what is said of them comes back."""
    try:
        said, pixels = work(job, content, held)
    except ImageError as error:
        if isinstance(error.__cause__, MemoryError):
            return {"error": {"key": "error_decoder_died", "values": {}}}
        return {"error": pack_message(error.args[0])}
    except MemoryError:
        return {"error": {"key": "error_decoder_died", "values": {}}}
    if pixels is None:
        return said
    pixels = np.ascontiguousarray(pixels, np.uint8)
    if os.fstat(memory).st_size < pixels.nbytes:  # it stays as large as it was: fresh pages cost more than a copy
        os.ftruncate(memory, pixels.nbytes)
    with mmap.mmap(memory, pixels.nbytes) as shared:
        shared[:] = memoryview(pixels).cast("B")
    return said | {"shape": list(pixels.shape)}


def main(connection_descriptor: int, memory: int) -> None:
    """Serve until the page is gone."""
    connection = socket.socket(fileno=connection_descriptor)
    Image.init()
    send(connection, {"missing_limits": limit()})
    held: dict[str, VideoReader] = {}
    while True:
        try:
            job, descriptors = receive(connection)
        except EOFError:
            return
        content = b""
        if descriptors:
            limit_cpu(VIDEO_CPU_SECONDS if job["kind"] == "video" else CPU_SECONDS)
            with open(descriptors[0], "rb") as upload:
                content = upload.read()
        send(connection, answer(job, content, memory, held))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
