"""Writing a video that browsers, phones and slides play: H.264 in MP4, frame by frame."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from PIL import Image

TICKS = 1000  # of the video's clock in a second
BT709 = 1  # FFmpeg's number of the colours of HD
LIMITED = 1  # FFmpeg's number of the range that all players expect
OPTIONS = {"crf": "20", "preset": "veryfast", "threads": "1", "rc-lookahead": "10"}


class VideoWriter:
    """A video file at `path` while it is written; whole once it is closed.

    The first image's size, whose sides must be even, is that of all; `rate` is the usual number of frames a second.
    """

    def __init__(self, path: Path, rate: int):
        import av

        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()  # the encoder comes to it frames later, and a folder without files may be removed by then
        # The index comes first, so that a player need not have all of the file before it begins.
        self.container = av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"})
        self.stream = self.container.add_stream("libx264", rate=rate, options=OPTIONS)
        self.stream.pix_fmt = "yuv420p"
        self.ready = False

    def prepare(self, size: tuple[int, int]) -> None:
        """Set what the first image decides."""
        self.stream.width, self.stream.height = size
        context = self.stream.codec_context
        context.time_base = Fraction(1, TICKS)
        context.colorspace, context.color_range = BT709, LIMITED
        context.color_primaries = context.color_trc = BT709
        self.ready = True

    def add(self, image: Image.Image, seconds: float) -> None:
        """Add an RGB image that is shown from so many seconds on, later than all before it."""
        import av

        if not self.ready:
            self.prepare(image.size)
        frame = av.VideoFrame.from_image(image)
        frame = frame.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
        frame.pts, frame.time_base = round(seconds * TICKS), Fraction(1, TICKS)
        self.container.mux(self.stream.encode(frame))

    def close(self) -> None:
        """Finish the file; one to which nothing was added holds no video."""
        if self.ready:
            self.container.mux(self.stream.encode())
        self.container.close()
