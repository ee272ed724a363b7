"""The one reader of videos: a file's content to frames that are sampled evenly, upright and of bounded size.

It runs in a process of its own (`zoo.images.video_frames`). Containers and codecs are a fixed list, and the container
is told by the file's first bytes: FFmpeg would try everything it knows, playlists that name other files among it.
Frames are decoded one by one and none is kept. Whatever cannot be used raises ImageError with a sentence.
"""

import io
import math
from collections.abc import Iterator

import numpy as np

from zoo.images.photo import ImageError
from zoo.text import Message
from zoo.working_size import scaled

RATE = 5  # frames that are looked at in a second of a video
MAXIMUM_SECONDS = 30  # of a video; what comes later is left out
MAXIMUM_FRAMES = RATE * MAXIMUM_SECONDS
MAXIMUM_FRAME_PIXELS = 9_000_000  # 4K has 8.3 or 8.8 million
CODECS = ("h264", "hevc", "vp8", "vp9", "av1", "mpeg4")
DECODERS = (*CODECS, "libdav1d")
BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")  # with which MP4 and MOV begin
EBML = b"\x1a\x45\xdf\xa3"  # with which WebM and Matroska begin
WIDEST_PIXEL = 4  # sides of a pixel that is no square
COVER = 0x400  # FFmpeg's AV_DISPOSITION_ATTACHED_PIC: the picture of a song's album


class VideoReader(Iterator):
    """Iterates (pixels (H, W, 3) uint8 RGB, seconds since the first frame) of a video's sampled frames.

    `RATE` frames a second, of each moment the frame next to it; fewer where the video has fewer. All have one size with
    even sides, the long one at most `long_side`. Raises ImageError when it is made, or by its first frame. What is
    known by then: total, the number of frames to come, if the file tells its duration; size, (width, height) of the
    video as it is shown; notes, what a person should know.
    """

    def __init__(self, content: bytes, long_side: int):
        self.container, self.stream = open_video(content)
        self.long_side = long_side
        self.size: tuple[int, int] | None = None
        self.notes: list[Message] = []
        self.frames, self.next, self.first, self.seconds = self.decode(), 0, None, 0.0
        rate = float(self.stream.average_rate or 0)
        self.half = min(0.5 / rate, 0.5 / RATE) if rate > 0 else 0.0  # of the time between two frames
        self.total = self.expected(rate)

    def expected(self, rate: float) -> int | None:
        """How many frames will be sampled by what the file says of itself; None where it does not say."""
        stream, container = self.stream, self.container
        if stream.duration and stream.time_base:
            seconds = float(stream.duration * stream.time_base)
        elif container.duration:
            seconds = container.duration / 1e6
        else:
            return None
        if not 0 < seconds < 1e9:
            return None
        if seconds > MAXIMUM_SECONDS + 0.5:
            self.notes.append(Message("note_video_cut", seconds=round(seconds), maximum=MAXIMUM_SECONDS))
        pace = min(RATE, rate) if rate > 0 else RATE
        return max(1, math.ceil(min(seconds, MAXIMUM_SECONDS) * pace - 0.01))

    def __next__(self) -> tuple[np.ndarray, float]:
        """The next frame that is sampled."""
        return next(self.frames)

    def decode(self) -> Iterator[tuple[np.ndarray, float]]:
        """The sampled frames; damage after the first of them ends the video with a note."""
        import av

        last, shown = 0.0, None
        try:
            for number, frame in enumerate(self.container.decode(self.stream)):
                self.seconds = seconds = self.time_of(frame, number)
                if seconds >= MAXIMUM_SECONDS:
                    self.cut(seconds)
                    return
                if (seconds + self.half) * RATE < self.next or self.next >= MAXIMUM_FRAMES:
                    continue
                self.next = max(self.next, math.floor((seconds + self.half) * RATE)) + 1
                shown = self.pixels(frame, shown)
                last = seconds
                yield shown, seconds
            if shown is None:
                raise ImageError(Message("error_video_damaged"))
        except (av.FFmpegError, MemoryError, ValueError) as error:
            if shown is not None:
                self.notes.append(Message("note_video_until", seconds=round(last, 1)))
            elif isinstance(error, ImageError):
                raise
            else:
                raise ImageError(Message("error_video_damaged")) from error

    def cut(self, seconds: float) -> None:
        """Note that the video is longer than what is looked at, unless it is noted."""
        if not any(note.key == "note_video_cut" for note in self.notes):
            self.notes.append(Message("note_video_cut", seconds=f"> {round(seconds)}", maximum=MAXIMUM_SECONDS))

    def time_of(self, frame, number: int) -> float:
        """Seconds since the first frame; counted from the rate where the file gives no times."""
        time = frame.time
        if time is None:
            return number / float(self.stream.average_rate or RATE)
        self.first = time if self.first is None else self.first
        return time - self.first

    def pixels(self, frame, before: np.ndarray | None) -> np.ndarray:
        """A decoded frame as it is shown, as large as the one `before` it. Raises ImageError for a huge one."""
        check_pixels(frame.width, frame.height)
        matrix = display_matrix(frame)
        turned = abs(matrix[0]) < abs(matrix[1])
        if before is None:
            stored = squared((frame.width, frame.height), self.stream.sample_aspect_ratio)
            self.size = self.size or (stored[::-1] if turned else stored)
            stored = scaled(stored, self.long_side) if max(stored) > self.long_side else stored
            width, height = (max(2, side - side % 2) for side in stored)
        else:
            height, width = before.shape[1::-1] if turned else before.shape[:2]
        rgb = frame.reformat(width, height, "rgb24", interpolation="BICUBIC").to_ndarray()
        return upright(rgb, matrix)


def open_video(content: bytes):
    """(container, its first video stream) of a file's content, nothing decoded. Raises ImageError."""
    import av

    if not content:
        raise ImageError(Message("error_video_empty"))
    kind = "matroska" if content[:4] == EBML else "mov" if content[4:8] in BOXES else None
    if kind is None:
        raise ImageError(Message("error_video_kind"))
    options = {"protocol_whitelist": "none", "codec_whitelist": ",".join(DECODERS), "enable_drefs": "0"}
    try:
        container = av.open(io.BytesIO(content), format=kind, options=options)
    except (av.FFmpegError, ValueError, MemoryError) as error:
        raise ImageError(Message("error_video_damaged")) from error
    if not container.streams:  # the index, which recorders write last, is missing
        raise ImageError(Message("error_video_damaged"))
    pictures = [stream for stream in container.streams.video if not stream.disposition & COVER]
    if not pictures:
        raise ImageError(Message("error_video_no_pictures"))
    stream, codec = pictures[0], pictures[0].codec_context
    name = codec.codec.canonical_name if codec is not None else "?"
    if name not in CODECS:
        raise ImageError(Message("error_video_codec", codec=name))
    check_pixels(codec.width, codec.height)
    codec.thread_count, codec.thread_type = 1, "NONE"  # more reserve memory that the limit counts
    return container, stream


def check_pixels(width: int, height: int) -> None:
    """Raise ImageError for frames that are too large."""
    if width * height > MAXIMUM_FRAME_PIXELS:
        limit = MAXIMUM_FRAME_PIXELS // 1_000_000
        raise ImageError(Message("error_video_pixels", megapixels=round(width * height / 1e6), limit=limit))


def squared(size: tuple[int, int], ratio) -> tuple[int, int]:
    """(width, height) with square pixels of a video whose pixels are `ratio` times as wide as high, if known."""
    width, height = size
    known = ratio and 1 / WIDEST_PIXEL <= ratio <= WIDEST_PIXEL
    return (max(1, round(width * ratio)), height) if known else size


def display_matrix(frame) -> tuple[int, int, int, int]:
    """(a, b, c, d) by which a frame is shown: x' = ax + cy, y' = bx + dy. Phones turn and mirror their videos so."""
    for entry in frame.side_data:
        if entry.type.name == "DISPLAYMATRIX":
            values = np.frombuffer(bytes(entry)[:36], np.int32)
            return tuple(int(values[place]) for place in (0, 1, 3, 4))
    return 1, 0, 0, 1


def upright(pixels: np.ndarray, matrix: tuple[int, int, int, int]) -> np.ndarray:
    """Pixels (H, W, 3) turned and mirrored as `display_matrix` says; other angles count as the next right one."""
    a, b, c, d = matrix
    if abs(a) < abs(b):
        pixels, a, d = pixels.transpose(1, 0, 2), c, b
    return np.ascontiguousarray(pixels[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1])
