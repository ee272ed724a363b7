"""The tab for many photos or a video: its components, what they do, and the call of the API for many photos.

Annotations are no strings here: Gradio reads those of the API's functions, and takes a string for one output.
"""

import contextlib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import gradio as gr

from zoo.checkpoints.information import CheckpointInfo
from zoo.checkpoints.titles import subtitle, title
from zoo.images.photo import Decoded, ImageError
from zoo.images.workers import decode_image, decode_mask, decode_truth
from zoo.page.batch import Batch, Row, facts, notes, write_summary
from zoo.page.brought import read_batch
from zoo.page.comparison import Result, View, choose, most_say_unlike
from zoo.page.components import component_files
from zoo.page.offer import widest_view
from zoo.page.refusal import language_of, refuse
from zoo.page.size_choice import size_choice
from zoo.page.uploads import KEPT_SECONDS, delete_files, file_data, new_path, uploaded_path
from zoo.page.values import data_url, labels_value
from zoo.page.video import Film
from zoo.page.video_desk import VideoDesk, is_video
from zoo.text import Message, in_language, texts

if TYPE_CHECKING:
    from zoo.page.handlers import Page
    from zoo.page.layout import CompareParts


@dataclass(frozen=True)
class BatchParts:
    """The tab of many photos or a video. work: the visitor's batch or film, which stops when it is told so."""

    files: gr.File
    go: gr.Button
    stop: gr.Button
    table: gr.HTML
    download: gr.DownloadButton
    size: gr.Radio
    work: gr.State


def build_batch_tab(i18n) -> BatchParts:
    """The components, inside the tab that is being built; `i18n(key)` gives a text in the visitor's language."""
    gr.Markdown(i18n("batch_help"), elem_id="batch-help")
    with gr.Row(elem_id="batch-controls"):
        files = gr.File(
            label=i18n("batch_files"),
            file_count="multiple",
            file_types=["image", ".zip", "video"],
            height=160,
            elem_id="batch-files",
        )
        with gr.Column(scale=0, min_width=260, elem_id="batch-actions"):
            go = gr.Button(i18n("batch_go"), variant="primary", size="md", elem_id="batch-go")
            stop = gr.Button(i18n("stop"), size="md", elem_id="batch-stop")
            download = gr.DownloadButton(i18n("batch_download"), interactive=False, size="md", elem_id="batch-download")
    size = size_choice(i18n, "batch-size")
    table = gr.HTML(None, **component_files("batch"), apply_default_css=False, elem_id="batch-table")
    return BatchParts(files, go, stop, table, download, size, gr.State(None, time_to_live=KEPT_SECONDS))


class BatchDesk:
    """What the tab and the API do with many photos; `page` has the checkpoints and the models.

    A video that the tab gets goes to the desk for `videos`.
    """

    def __init__(self, page: "Page"):
        self.page, self.videos = page, VideoDesk(page)

    def take(self, files, picker: dict, added: dict, size: str, request: gr.Request):
        """`run`, or what `videos` does where the files are a video; nothing of earlier files is left beside it.

        Nothing is shown or kept of a work that the visitor has deleted while it went on.
        """
        emptied, work = (None, gr.DownloadButton(value=None, interactive=False), None), None
        yield emptied
        paths = [uploaded_path(one) for one in files or []]
        if not any(map(is_video, paths)):
            steps = self.run(files, picker, added, size, request)
        elif len(paths) > 1:
            raise refuse(Message("error_video_alone"), language_of(request))
        else:
            steps = self.videos.run(paths[0], picker, added, size, request)
        with contextlib.closing(steps):
            for table, download, work in steps:
                if not work.forgotten:
                    yield table, download, work
        if work and work.forgotten:
            delete_files(work.files)
            yield emptied

    def prepare(
        self, files: list | None, names: list[str], added: dict[str, CheckpointInfo], size: str = "trained"
    ) -> Batch:
        """The batch of these uploads, seen at a `size` of `zoo.working_size.SIZES`.

        Raises ImageError for files, checkpoints or a size of no use.
        """
        infos = choose(added | self.page.infos, names)
        long_side = widest_view(infos, size)
        if not isinstance(files or [], list):
            raise ImageError(Message("error_no_upload"))
        paths = [uploaded_path(one) for one in files or [] if one]
        brought = read_batch(paths, lambda content: decode_mask(content, infos[0].labels))
        return Batch(
            brought.photos,
            infos,
            decode=lambda content: decode_image(content, long_side),
            segment=lambda info, decoded: self.segment(info, decoded, size),
            truth=decode_truth,
            count=self.page.evaluation.count,
            score=self.page.evaluation.score_counts,
            files=[*paths],
            masks_alone=brought.masks_alone,
        )

    def segment(self, info: CheckpointInfo, decoded: Decoded, size: str) -> Result:
        """What one checkpoint says of one photo, the mask as displayed; not kept, to push nothing out."""
        return self.page.segmenter.compute(info, decoded.image, **vars(View(decoded.display.size, size)))

    def work(self, batch: Batch, path: Path) -> Iterator[Row]:
        """Work through a batch into a zip at `path`, which is there when all is done and not before."""
        part = path.with_name(".part")
        try:
            with zipfile.ZipFile(part, "w") as archive:  # PNGs are compressed already
                yield from batch.advance(archive)
                write_summary(archive, batch)
            part.rename(path)
        finally:
            part.unlink(missing_ok=True)

    def run(self, files, picker: dict, added: dict, size: str, request: gr.Request):
        """Segment the files with the ticked checkpoints; yields table, download button and batch after each photo."""
        language = language_of(request)
        try:
            batch = self.prepare(files, picker["selected"], added, size)
        except ImageError as error:
            raise refuse(error.args[0], language) from None
        waiting = gr.DownloadButton(value=None, interactive=False)
        yield batch_value(batch, language), waiting, batch
        path = new_path("fcn-masks.zip")
        batch.files.append(str(path))
        for _ in self.work(batch, path):
            yield batch_value(batch, language), waiting, batch
        yield batch_value(batch, language, finished=True), gr.DownloadButton(value=str(path), interactive=True), batch

    def stop(self, work: Batch | Film | None):
        """Let the work end after the photo or frame that is being worked on; what is done by then is given back."""
        if work is not None:
            work.stop()

    def segment_batch(
        self, images: list[gr.FileData], checkpoints: list[str], request: gr.Request = None
    ) -> tuple[list[gr.FileData], dict]:
        """Label every pixel of many images, or of a zip of them, with one or more Fully Convolutional Networks.

        Args:
            images: up to 60 images, or zips of them; masks named as photos, in a folder or zip "masks", are scored.
            checkpoints: 1 to 9 names that "checkpoints" lists, such as ["fcn8s-vgg16bn-w25-ce-camvid"].

        Returns:
            Zip: a list of one file with masks/CHECKPOINT/IMAGE.png (pixel value = class id), table.csv and summary.json
            JSON summary: per image class shares, disagreement of the checkpoints, scores where masks came along,
                names of masks without an image
        """
        try:
            batch = self.prepare(images, checkpoints, {})
        except ImageError as error:
            raise refuse(error.args[0], "en") from None
        path = new_path("fcn-masks.zip")
        for _ in self.work(batch, path):
            pass
        return [file_data(str(path), request)], facts(batch)


def batch_value(batch: Batch, language: str, *, finished: bool = False) -> dict:
    """The value of the table: progress, one row per photo, and scores over all photos that brought their masks."""
    totals = batch.totals()
    columns = [
        {
            "name": info.offered_as,
            "title": title(info),
            "subtitle": subtitle(info),
            "labels": labels_value(info.labels, language),
        }
        | {"miou": totals.get(info.offered_as, {}).get("miou")}
        for info in batch.infos
    ]
    return {
        "kind": "images",
        "done": len(batch.rows),
        "total": len(batch.photos),
        "finished": finished,
        "stopped": batch.stopped,
        "columns": columns,
        "rows": [row_value(batch, row, language) for row in batch.rows],
        "scored": batch.scored,
        "notes": [in_language(note, language) for note in notes(batch)],
        "strings": texts(language),
        "locale": language,
    }


def row_value(batch: Batch, row: Row, language: str) -> dict:
    """One photo's row: what `Row` has of it, and per checkpoint the shares in its classes' order."""
    cells = [row.checkpoints.get(info.offered_as) for info in batch.infos]
    return {
        "name": row.name,
        "src": row.thumbnail and data_url(row.thumbnail, "jpeg"),
        "problem": in_language(row.error or row.refused, language),
        "unlike": most_say_unlike([cell["distance_from_training"] for cell in row.checkpoints.values()]),
        "disagreement": row.disagreement,
        "cells": [cell and {"shares": list(cell["shares"].values()), "miou": cell.get("miou")} for cell in cells],
    }


def connect_batch(page: "Page", part: BatchParts, compare: "CompareParts") -> None:
    """Tie the tab's events and register its call of the API.

    Batches and videos wait for one another and not for a comparison, which shares the machine with one of them at most.
    """
    desk, slot = BatchDesk(page), {"concurrency_id": "batch", "concurrency_limit": 1}
    private = {"api_visibility": "private", "show_progress": "hidden"}
    inputs, outputs = [part.files, compare.picker, compare.added, part.size], [part.table, part.download, part.work]
    for event in (part.go.click, part.files.upload):
        event(desk.take, inputs, outputs, preprocess=False, **slot, **private)
    part.stop.click(desk.stop, part.work, None, queue=False, **private)
    gr.api(desk.segment_batch, api_name="segment_batch", **slot)
    gr.api(desk.videos.segment_video, api_name="segment_video", **slot)
