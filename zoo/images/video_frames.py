"""The frames of a video, decoded apart from the page: each video has a process of its own, which ends with it.

So a video takes no decoder from those who bring photos, and whatever it does to its decoder costs one request.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from zoo.images.photo import ImageError
from zoo.images.worker_process import work
from zoo.images.workers import DecoderError, Worker, apart, unpack_message
from zoo.text import Message

logger = logging.getLogger("zoo")


class VideoFrame(NamedTuple):
    """One sampled frame: an RGB image, and the seconds since the first."""

    image: Image.Image
    seconds: float


@dataclass
class VideoFrames:
    """Iterates the sampled frames of the video at `source`, see `zoo.images.video`; to be closed, as by `with`.

    Raises ImageError where there is none. total, original_size (there: size) and notes are those of `VideoReader`, as
    far as is known; a process that dies or hangs after the first frame ends the video with a note.
    """

    source: str | Path
    long_side: int
    total: int | None = None
    original_size: tuple[int, int] | None = None
    notes: tuple[Message, ...] = ()

    def __post_init__(self):
        self.worker: Worker | None = None
        self.held: dict = {}
        self.closed = False

    def __enter__(self) -> VideoFrames:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        self.closed = True
        self.held.clear()
        if self.worker:
            self.worker.close()

    def give_up(self) -> None:
        """End the process from another thread, so that who waits for a frame waits no longer and gets none."""
        self.closed = True
        if self.worker:
            self.worker.process.kill()

    def __iter__(self) -> Iterator[VideoFrame]:
        """The frames in order."""
        job, frame = {"kind": "video", "long_side": self.long_side}, None
        while not self.closed:
            try:
                said, pixels = self.ask(job)
            except ImageError:
                raise
            except (OSError, EOFError, ValueError, KeyError, TypeError):
                if self.closed:
                    return
                logger.warning("The decoder of a video died or took too long")
                if frame is None:
                    raise ImageError(Message("error_video_died")) from None
                self.notes = (*self.notes, Message("note_video_until", seconds=round(frame.seconds, 1)))
                return
            self.learn(said)
            if pixels is None:
                return
            frame, job = VideoFrame(pixels, float(said["seconds"])), {"kind": "frame"}
            yield frame

    def ask(self, job: dict) -> tuple[dict, Image.Image | None]:
        """What the process answers, and the frame. Raises ImageError, or what a process that fails raises."""
        first = job["kind"] == "video"
        if not apart():
            said, pixels = work(job, Path(self.source).read_bytes() if first else b"", self.held)
            return said, None if pixels is None else Image.fromarray(pixels)
        try:
            self.worker = self.worker or Worker()
        except DecoderError as error:
            logger.error("%s", error)
            raise ImageError(Message("error_video_died")) from None
        said, image = self.worker.do(job, self.source if first else None, image_of)
        if "error" in said:
            message = unpack_message(said["error"])
            raise ImageError(Message("error_video_died") if message.key == "error_decoder_died" else message)
        return said, image

    def learn(self, said: dict) -> None:
        """Keep what the process says of the video."""
        self.total = None if said["total"] is None else int(said["total"])
        width, height = said["original_size"]
        self.original_size = int(width), int(height)
        self.notes = tuple(unpack_message(note) for note in said["notes"])


def image_of(pixels: np.ndarray) -> Image.Image:
    """An image of its own from a process's pixels, (H, W, 3) uint8. Raises ValueError for another form."""
    if pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ValueError("a decoder's pixels have another form")
    return Image.fromarray(pixels)
