"""One video, several checkpoints: overlays frame by frame, how often labels change, and what is told of both.

Nothing here knows the page's framework. Of a video one frame is in memory at a time, and of each checkpoint the two
masks before it.
"""

from __future__ import annotations

import csv
import io
import json
import logging
import math
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from zoo.checkpoints.information import CheckpointInfo
from zoo.images.encoding import jpeg_bytes
from zoo.images.video import RATE
from zoo.images.video_frames import VideoFrame, VideoFrames
from zoo.images.video_writer import VideoWriter
from zoo.page.batch import disagreement
from zoo.page.comparison import Result, error_text, unlike
from zoo.page.values import overlay
from zoo.text import Message
from zoo.working_size import resize_photo

logger = logging.getLogger("zoo")

SHOWN_SIDE = 768  # pixels of the long side of overlays and masks
PREVIEW = (320, 320)


class Changes:
    """How often the labels of a video change from one sampled frame to the next.

    changed: of each frame but the first, the share in [0, 1] of its pixels with another class than in the frame before;
    the camera's and the objects' motion counts as much as flicker does. returned: of each frame but the first and the
    last, the share of its pixels with another class than in the frame before and in the one after, which have the same:
    there and back, which motion seldom does.
    """

    def __init__(self):
        self.changed: list[float] = []
        self.returned: list[float] = []
        self.masks: list[np.ndarray] = []  # of the last two frames

    def add(self, mask: np.ndarray) -> None:
        """Count the next frame's mask (H, W) of class ids; all have one shape."""
        if self.masks:
            self.changed.append(float((mask != self.masks[-1]).mean()))
        if len(self.masks) == 2:
            first, middle = self.masks
            self.returned.append(float(((mask == first) & (middle != first)).mean()))
        self.masks = [*self.masks[-1:], mask]


def mean(values: list[float]) -> float | None:
    """The mean; None of nothing."""
    return sum(values) / len(values) if values else None


class Track:
    """What one checkpoint says of a video: its overlay, written to `path` when it is finished, and its figures.

    shares: per frame the share in [0, 1] of each class; preview: the last overlay as small JPEG.
    """

    def __init__(self, info: CheckpointInfo, path: Path):
        self.info, self.path = info, path
        self.part = path.with_name(".part.mp4")
        self.writer: VideoWriter | None = None
        self.changes = Changes()
        self.shares: list[list[float]] = []
        self.confidences: list[float] = []
        self.distances: list[float] = []  # as in `zoo.segment`'s answer; none where the checkpoint cannot tell
        self.preview: bytes | None = None
        self.error: Message | str | None = None

    def add(self, image: Image.Image, seconds: float, result: Result) -> None:
        """Count and draw the next frame."""
        self.changes.add(result.mask)
        self.shares.append([count / result.mask.size for count in result.pixels])
        self.confidences.append(result.mean_confidence)
        if result.distance is not None:
            self.distances.append(result.distance)
        drawn = overlay(image, result)
        self.writer = self.writer or VideoWriter(self.part, RATE)
        self.writer.add(drawn, seconds)
        drawn.thumbnail(PREVIEW)
        self.preview = jpeg_bytes(drawn)

    def close(self, *, keep: bool) -> None:
        """Finish the overlay, which is at `path` only now, or leave nothing."""
        try:
            if self.writer:
                self.writer.close()
                if keep:
                    self.part.rename(self.path)
        finally:
            self.writer = None
            self.part.unlink(missing_ok=True)

    @property
    def class_shares(self) -> list[float]:
        """Mean share of each class over the frames; empty where there are none."""
        return np.mean(self.shares, axis=0).tolist() if self.shares else []


@dataclass
class Film:
    """A video's frames, a track for each checkpoint, and what has become of them so far; `advance` works through them.

    segment: (info, image, (width, height) of the mask) to a result; seconds: of each frame that is done; stopped: set
    from outside; forgotten: that the visitor wants nothing of it kept; files: what the visitor brought and gets back.
    """

    name: str
    frames: VideoFrames
    tracks: list[Track]
    segment: Callable[[CheckpointInfo, Image.Image, tuple[int, int]], Result]
    seconds: list[float] = field(default_factory=list)
    disagreements: list[float] = field(default_factory=list)
    strange: list[tuple[Message, ...]] = field(default_factory=list)
    late: tuple[Message, ...] = ()
    stopped: bool = False
    forgotten: bool = False
    files: list[str] = field(default_factory=list)

    def stop(self) -> None:
        """End the work after the forward pass that is being made; who waits for the decoder waits no longer."""
        self.stopped = True
        self.frames.give_up()

    def advance(self, archive: zipfile.ZipFile, allowed: float = math.inf) -> Iterator[None]:
        """Work through the frames, writing masks into `archive`; yields when the first is there, and after each.

        No frame is begun after `allowed` seconds. Raises ImageError for a video of no use; what is done when the work
        ends is whole, and nothing is left of a work that is broken off.
        """
        begin, whole = time.monotonic(), False
        try:
            with self.frames:
                for frame in self.frames:
                    if not self.seconds:
                        yield
                    if time.monotonic() - begin > allowed:
                        self.late = (Message("note_video_time", seconds=round(allowed), done=len(self.seconds)),)
                        break
                    if not self.look(frame, archive):
                        break
                    yield
            whole = True
        finally:
            for track in self.tracks:
                track.close(keep=whole)
        for track in self.tracks:
            if track.path.is_file():
                archive.write(track.path, f"overlays/{folder_of(track.info)}.mp4")

    def look(self, frame: VideoFrame, archive: zipfile.ZipFile) -> bool:
        """Segment one frame with every checkpoint; False, and nothing of it is kept, once the visitor stops.

        A checkpoint that fails has its reason in its track and is asked no more.
        """
        image = resize_shown(frame.image)
        results: list[tuple[Track, Result]] = []
        for track in self.tracks:
            if self.stopped:
                return False
            if track.error is not None:
                continue
            try:
                results.append((track, self.segment(track.info, frame.image, image.size)))
            except Exception as error:
                logger.exception("checkpoint %s failed on a video", track.info.offered_as)
                track.error = error_text(error)
        masks: dict[tuple[str, ...], list[np.ndarray]] = {}
        for track, result in results:
            track.add(image, frame.seconds, result)
            masks.setdefault(track.info.labels.classes, []).append(result.mask)
            archive.writestr(f"masks/{folder_of(track.info)}/{len(self.seconds):03d}.png", result.mask_png)
        if (share := disagreement(max(masks.values(), key=len, default=[]))) is not None:
            self.disagreements.append(share)
        if results:
            self.strange.append(unlike([result for _, result in results]))
            self.seconds.append(frame.seconds)
        return bool(results)

    @property
    def notes(self) -> tuple[Message, ...]:
        """What a person should know: that most frames are unlike what the checkpoints know, and what was left out."""
        strange = [notes for notes in self.strange if notes]
        return (*(strange[-1] if 2 * len(strange) > len(self.strange) else ()), *self.frames.notes, *self.late)


def resize_shown(image: Image.Image) -> Image.Image:
    """A frame as overlays show it: its long side at most `SHOWN_SIDE`, both even."""
    small = resize_photo(image, min(SHOWN_SIDE, max(image.size)))
    even = tuple(max(2, side - side % 2) for side in small.size)
    return small if small.size == even else small.resize(even, Image.Resampling.BICUBIC)


def folder_of(info: CheckpointInfo) -> str:
    """A checkpoint's name in a zip."""
    return info.offered_as.replace("/", "--")


def film_facts(film: Film) -> dict:
    """JSON-ready facts of a video: what was looked at, and per checkpoint how its labels are shared and change."""
    tracks = {}
    for track in film.tracks:
        info, shares = track.info, track.class_shares
        tracks[info.offered_as] = {
            "revision": info.revision,
            "sha256": info.sha256,
            "error": track.error and str(track.error),
            "changed": mean(track.changes.changed),
            "returned": mean(track.changes.returned),
            "mean_confidence": mean(track.confidences),
            "distance_from_training": mean(track.distances),
            "shares": dict(zip(info.labels.classes, shares, strict=True)) if shares else {},
        }
    size = film.frames.original_size
    return {
        "video": {"name": film.name, "width": size and size[0], "height": size and size[1]},
        "frames": len(film.seconds),
        "frames_expected": film.frames.total,
        "frames_a_second": RATE,
        "seconds": film.seconds,
        "stopped": film.stopped,
        "notes": [str(note) for note in film.notes],
        "disagreement": mean(film.disagreements),
        "checkpoints": tracks,
    }


def film_csv(film: Film) -> str:
    """One line per frame and checkpoint: seconds, what changed and returned, confidence, shares of the classes."""
    classes = list(dict.fromkeys(name for track in film.tracks for name in track.info.labels.classes))
    with io.StringIO(newline="") as text:
        table = csv.writer(text)
        table.writerow(["frame", "seconds", "checkpoint", "changed", "returned", "mean_confidence", *classes])
        for track in film.tracks:
            named = track.info.labels.classes
            changed, returned = ["", *track.changes.changed], ["", *track.changes.returned, ""]
            for number, shares in enumerate(track.shares):
                by_name = dict(zip(named, shares, strict=True))
                values = [changed[number], returned[number], track.confidences[number]]
                values += [by_name.get(name, "") for name in classes]
                table.writerow([number, round(film.seconds[number], 3), track.info.offered_as, *values])
        return text.getvalue()


def write_film_summary(archive: zipfile.ZipFile, film: Film) -> None:
    """Add table.csv and summary.json to the zip."""
    archive.writestr("table.csv", film_csv(film))
    archive.writestr("summary.json", json.dumps(film_facts(film), indent=2, ensure_ascii=False))
