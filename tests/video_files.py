"""Videos for tests, written with PyAV: frames that are known, in any codec, turned, without a duration."""

import io
from collections.abc import Iterable
from fractions import Fraction

import av
import numpy as np

CLOCK = 90_000


def video(
    frames: Iterable[np.ndarray],
    rate: int = 30,
    codec: str = "libx264",
    kind: str = "mp4",
    times: Iterable[float] | None = None,
    turned: tuple | None = None,
    aspect: Fraction | None = None,
    live: bool = False,
    with_sound: bool = False,
) -> bytes:
    """A video of frames (H, W, 3) uint8, shown at `times` (s) or at `rate`; `turned`: degrees, hflip, vflip.

    A `live` one is written as a recorder does that cannot go back to tell the duration; one `with_sound` has silence.
    """
    frames = list(frames)
    times = times or [number / rate for number in range(len(frames))]
    stream = io.BytesIO()
    stream.seekable = lambda: not live
    with av.open(stream, "w", format=kind, options={"live": "1"} if live else {}) as container:
        quality = {"preset": "12"} if codec == "libsvtav1" else {"b": "4M"}
        track = container.add_stream(codec, rate=rate, options={"crf": "4"} | quality)
        track.height, track.width = frames[0].shape[:2]
        track.pix_fmt = "yuv420p"
        track.codec_context.time_base = Fraction(1, 1000)
        if aspect:
            track.codec_context.sample_aspect_ratio = aspect
        if turned:
            track.set_display_rotation(*turned)
        if with_sound:
            add_sound(container)
        for pixels, time in zip(frames, times, strict=True):
            frame = av.VideoFrame.from_ndarray(pixels, "rgb24")
            frame.pts, frame.time_base = round(time * 1000), Fraction(1, 1000)
            container.mux(track.encode(frame))
        container.mux(track.encode())
    return stream.getvalue()


def grey(level: int, size: tuple[int, int] = (96, 64)) -> np.ndarray:
    """One frame of (width, height) in one grey."""
    return np.full((*size[::-1], 3), level, np.uint8)


def sound(kind: str = "mp4") -> bytes:
    """A second of silence."""
    stream = io.BytesIO()
    with av.open(stream, "w", format=kind) as container:
        add_sound(container)
    return stream.getvalue()


def add_sound(container) -> None:
    """A track with a second of silence; other tracks are there already."""
    track = container.add_stream("libopus" if container.format.name == "webm" else "aac", rate=48_000)
    track.layout = "mono"
    frame = av.AudioFrame.from_ndarray(np.zeros((1, 960), np.float32), "fltp", "mono")
    for number in range(50):
        frame.sample_rate, frame.pts = 48_000, 960 * number
        container.mux(track.encode(frame))
    container.mux(track.encode())
