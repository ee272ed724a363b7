"""What the page and its API do with a video: the work with its files, and the value that the tab shows.

Annotations are no strings here: Gradio reads those of the API's functions, and takes a string for one output.
"""

import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import gradio as gr
from gradio.route_utils import API_PREFIX
from PIL import Image

from zoo.checkpoints.information import CheckpointInfo
from zoo.checkpoints.titles import subtitle, title
from zoo.images.photo import ImageError
from zoo.images.video import RATE
from zoo.images.video_frames import VideoFrames
from zoo.page.comparison import Result, View, choose
from zoo.page.fairness import JOB_SECONDS
from zoo.page.offer import widest_view
from zoo.page.refusal import language_of, refuse
from zoo.page.uploads import file_data, new_path, uploaded_path
from zoo.page.values import data_url, labels_value
from zoo.page.video import Film, Track, film_facts, mean, write_film_summary
from zoo.text import Message, in_language, texts

if TYPE_CHECKING:
    from zoo.page.handlers import Page

ENDINGS = (".mp4", ".m4v", ".mov", ".webm", ".mkv", ".avi", ".3gp", ".wmv", ".mpg", ".mpeg", ".ogv", ".flv")
SHOW_SECONDS = 0.5  # between two states that a page is shown


def is_video(path: str) -> bool:
    """Whether a file calls itself a video; whether it is one that can be read is seen when it is opened."""
    return Path(path).suffix.lower() in ENDINGS


class VideoDesk:
    """What the tab and the API do with a video; `page` has the checkpoints and the models."""

    def __init__(self, page: "Page"):
        self.page = page

    def prepare(
        self, path: str | None, names: list[str], added: dict[str, CheckpointInfo], size: str = "trained"
    ) -> Film:
        """The film of an upload, seen at a `size` of `zoo.working_size.SIZES`.

        Raises ImageError for a missing file, checkpoints or a size of no use.
        """
        infos = choose(added | self.page.infos, names)
        long_side = widest_view(infos, size)
        if not path or not Path(path).is_file():
            raise ImageError(Message("error_expired" if path else "error_no_video"))
        tracks = [Track(info, new_path(f"{info.offered_as}.mp4")) for info in infos]
        files = [path, *(str(track.path) for track in tracks)]
        return Film(
            Path(path).name,
            VideoFrames(path, long_side),
            tracks,
            lambda info, image, mask_size: self.segment(info, image, View(mask_size, size)),
            files=files,
        )

    def segment(self, info: CheckpointInfo, image: Image.Image, view: View) -> Result:
        """What one checkpoint says of one frame; not kept, to push nothing out."""
        return self.page.segmenter.compute(info, image, **vars(view))

    def work(self, film: Film, path: Path) -> Iterator[None]:
        """Work through a film into a zip at `path` and its overlays, which are there when all is done, not before."""
        film.files.append(str(path))
        part = path.with_name(".part")
        try:
            with zipfile.ZipFile(part, "w") as archive:  # PNGs and H.264 are compressed already
                yield from film.advance(archive, JOB_SECONDS)
                write_film_summary(archive, film)
            part.rename(path)
        finally:
            part.unlink(missing_ok=True)

    def run(self, path: str | None, picker: dict, added: dict, size: str, request: gr.Request):
        """Segment a video with the ticked checkpoints; yields table, download button and film as it goes on."""
        language = language_of(request)
        waiting, last = gr.DownloadButton(value=None, interactive=False), -SHOW_SECONDS
        try:
            film = self.prepare(path, picker["selected"], added, size)
            archive = new_path("fcn-video.zip")
            yield gr.skip(), waiting, film  # so that it can be stopped while its first frame is decoded
            for _ in self.work(film, archive):
                if time.monotonic() - last >= SHOW_SECONDS:
                    yield film_value(film, language), waiting, film
                    last = time.monotonic()
        except ImageError as error:
            raise refuse(error.args[0], language) from None
        button = gr.DownloadButton(value=str(archive), interactive=True)
        yield film_value(film, language, finished=True), button, film

    def segment_video(
        self, video: gr.FileData, checkpoints: list[str], request: gr.Request = None
    ) -> tuple[list[gr.FileData], list[gr.FileData], dict]:
        """Label every pixel of a short video, five frames a second, with one or more Fully Convolutional Networks.

        Args:
            video: MP4, MOV or WebM (H.264, H.265, VP8, VP9, AV1 or MPEG-4) of at most 64 MB and 4K; of a longer one the
                first 30 seconds are used.
            checkpoints: 1 to 9 names that "checkpoints" lists, such as ["fcn8s-vgg16bn-w25-ce-camvid"].

        Returns:
            Overlays: one MP4 (H.264) with a url per checkpoint, the masks' colours over the frames
            Zip: a list of one file with the overlays, masks/CHECKPOINT/FRAME.png (pixel value = class id),
                table.csv and summary.json
            JSON summary: per checkpoint class shares and how often labels change between frames ("changed": share of
                pixels with another class than 0.2 s before, motion included; "returned": and back in the next frame)
        """
        try:
            film = self.prepare(uploaded_path(video), checkpoints, {})
            archive = new_path("fcn-video.zip")
            for _ in self.work(film, archive):
                pass
        except ImageError as error:
            raise refuse(error.args[0], "en") from None
        overlays = [file_data(str(track.path), request) for track in film.tracks if track.path.is_file()]
        return overlays, [file_data(str(archive), request)], film_facts(film)


def film_value(film: Film, language: str, *, finished: bool = False) -> dict:
    """The value of the table: progress, and of each checkpoint its overlay, how labels change, and class shares."""
    return {
        "kind": "video",
        "done": len(film.seconds),
        "total": film.frames.total,
        "seconds": film.seconds[-1] if film.seconds else 0,
        "finished": finished,
        "stopped": film.stopped,
        "rate": RATE,
        "columns": [track_value(track, language) for track in film.tracks],
        "disagreement": mean(film.disagreements),
        "notes": [in_language(note, language) for note in film.notes],
        "strings": texts(language),
        "locale": language,
    }


def track_value(track: Track, language: str) -> dict:
    """One checkpoint's part of the table; the overlay's address is one that nobody can guess."""
    return {
        "name": track.info.offered_as,
        "title": title(track.info),
        "subtitle": subtitle(track.info),
        "labels": labels_value(track.info.labels, language),
        "preview": track.preview and data_url(track.preview, "jpeg"),
        "overlay": f".{API_PREFIX}/file={track.path}" if track.path.is_file() else None,
        "problem": in_language(track.error, language),
        "changed": mean(track.changes.changed),
        "returned": mean(track.changes.returned),
        "shares": track.class_shares,
    }
