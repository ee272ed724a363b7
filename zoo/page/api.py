"""The API of the page, for HTTP, the Python and JavaScript clients and MCP: each function with its description.

No parameter has a default: plain HTTP would have to give it all the same.
"""

import gradio as gr

from zoo.images.photo import ImageError
from zoo.page.fairness import JOB_SECONDS, LANE
from zoo.page.handlers import Page
from zoo.page.refusal import refuse
from zoo.page.uploads import cached_file, file_data, uploaded_path
from zoo.page.values import describe

# What a program reads of a leaderboard row unless it asks for all of it.
LEADERBOARD_FIELDS = ("rank", "name", "variant", "loss", "backbone", "dataset", "split", "images", "sha256")
LEADERBOARD_FIELDS += ("miou", "miou_interval", "pixel_accuracy", "mean_accuracy", "frequency_weighted_iou")
LEADERBOARD_FIELDS += ("boundary_f", "class_iou", "parameters", "gmacs", "milliseconds", "device")


class Api:
    """The endpoints, each called as its method."""

    def __init__(self, page: Page):
        self.page = page

    def segment(
        self, image: gr.FileData, checkpoints: list[str], request: gr.Request = None
    ) -> tuple[list[gr.FileData], dict]:
        """Label every pixel of an image (street scenes above all) with one or more Fully Convolutional Networks.

        Args:
            image: PNG, JPEG, WebP, GIF, BMP, TIFF, AVIF or HEIC of at most 64 megapixels. Networks see it at the size
                that they were trained for; the masks have its size, reduced to at most 1024 pixels a side.
            checkpoints: 1 to 9 names that "checkpoints" lists, such as ["fcn8s-vgg16bn-w25-ce-camvid"].

        Returns:
            Masks: one indexed PNG with a url per checkpoint (pixel value = class id), kept for about an hour
            JSON summary: version, milliseconds, mean confidence and share of every class for each checkpoint
        """
        return self.answer(image, checkpoints, request, own_size=False)

    def segment_full_resolution(
        self, image: gr.FileData, checkpoints: list[str], request: gr.Request = None
    ) -> tuple[list[gr.FileData], dict]:
        """Label every pixel of an image at its own size: the masks of "segment", enlarged where the image is larger.

        Args:
            image: as for "segment"; the masks have its size, up to 8192 pixels a side and 16 megapixels.
            checkpoints: 1 to 9 names that "checkpoints" lists, such as ["fcn8s-vgg16bn-w25-ce-camvid"].

        Returns:
            Masks: one indexed PNG with a url per checkpoint (pixel value = class id), kept for about an hour
            JSON summary: version, milliseconds, mean confidence and share of every class for each checkpoint
        """
        return self.answer(image, checkpoints, request, own_size=True)

    def answer(self, image, checkpoints: list[str], request: gr.Request | None, *, own_size: bool) -> tuple:
        """The masks as files and the JSON summary that both ways to segment give."""
        try:
            work = self.page.prepare(uploaded_path(image), checkpoints, own_size=own_size)
        except ImageError as error:
            raise refuse(error.args[0], "en") from None
        with self.page.ledger.using(work):
            for _ in work.advance(self.page.segmenter, self.page.turns, JOB_SECONDS):
                self.page.remember(work)
            files = [cached_file(result.mask_png, f"{name}.png") for name, result in work.results.items()]
            return [file_data(path, request) for path in files], self.page.facts(work)

    def checkpoints(self) -> list[dict]:
        """List the checkpoints that can segment an image; "segment" takes their names.

        Returns:
            Name, variant (fcn32s is the coarsest, fcn8s the finest), loss, dataset, classes, version and mIoU of each.
        """
        return [
            describe(info, self.page.scores) | {"classes": list(info.labels.classes)}
            for info in self.page.infos.values()
        ]

    def leaderboard(self) -> dict:
        """Read the leaderboard: every evaluated checkpoint with its rank, mIoU, 95 % interval and cost.

        Returns:
            Rows in order of rank; metrics are fractions in [0, 1]. "leaderboard_details" has more.
        """
        return {"rows": [{key: row.get(key) for key in LEADERBOARD_FIELDS} for row in self.page.board["rows"]]}

    def leaderboard_details(self) -> dict:
        """Read everything that was measured of every evaluated checkpoint, and published figures of other work.

        Returns:
            Rows in order of rank with confusion matrix, calibration and provenance; paired differences; published rows
        """
        return self.page.board

    def register(self) -> None:
        """Add the endpoints to the Blocks that are being built; those that segment share the page's one slot."""
        for work in (self.segment, self.segment_full_resolution):
            gr.api(work, api_name=work.__name__, concurrency_id=LANE, concurrency_limit=1)
        for read in (self.checkpoints, self.leaderboard, self.leaderboard_details):
            gr.api(read, api_name=read.__name__)
