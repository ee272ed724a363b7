"""What happens on an event of the page: comparing, restoring a link, looking inside, the Hub's part, the download."""

import asyncio
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

import gradio as gr
import numpy as np

from zoo.checkpoints.information import CheckpointError
from zoo.config import MAXIMUM_PANELS
from zoo.hub.catalog import Catalog
from zoo.images import examples
from zoo.images.photo import ImageError
from zoo.labels import LabelSet
from zoo.page.accelerator import climb, run
from zoo.page.address import row_key, tab_of, ticked
from zoo.page.batch import Batch
from zoo.page.comparison import ALONE, Comparison, Truth, error_text
from zoo.page.components import component_texts
from zoo.page.controls import code_value, strip_value
from zoo.page.drill import Drilled
from zoo.page.evaluation_part import Evaluation
from zoo.page.fairness import JOB_SECONDS
from zoo.page.freshness import Asked, stale_value
from zoo.page.offer import Offer
from zoo.page.refusal import language_of, refuse, tell, warn
from zoo.page.uploads import cached_file, delete_files, uploaded_path
from zoo.page.values import (
    has_ladder,
    inside_choices,
    inside_value,
    iou_value,
    rungs_value,
    summary,
    viewer_value,
    zip_bytes,
)
from zoo.page.video import Film
from zoo.page.visit import read_visit
from zoo.page.visitors import bring_in, keep_added
from zoo.text import Message, document, fill, in_language, number, texts

logger = logging.getLogger("zoo")


class Page(Offer):
    """What happens on an event of the page."""

    def __init__(self, catalog: Catalog, evaluation: Evaluation):
        self.live, self.evaluation = evaluation.board, evaluation
        super().__init__(catalog, self.live.payload, run, climb)
        self.drilled = Drilled(self, evaluation.drill, evaluation.count)
        self.turns = ALONE

    def compare(self, photo, picker, truth, added, size: str, request: gr.Request):
        """Segment the photo with every ticked checkpoint; yields viewer, IoU table, comparison and status each time."""
        language = language_of(request)
        tell(request)
        try:
            work = self.prepare(uploaded_path(photo), picker["selected"], uploaded_path(truth), added, size)
        except ImageError as error:
            refused = in_language(error.args[0], language)
            yield gr.skip(), gr.skip(), gr.skip(), f"**{texts(language)['status_refused']}** {refused}"
            raise refuse(error.args[0], language) from None
        if work.refused:
            warn(in_language(work.notes[0], language), language)
        begin = time.perf_counter()
        with self.ledger.using(work):
            yield self.shown(work, language)
            for _ in work.advance(self.segmenter, self.turns, JOB_SECONDS):
                yield self.shown(work, language, time.perf_counter() - begin)

    def compare_if_any(self, photo, picker, truth, added, size: str, request: gr.Request):
        """`compare`, or nothing when the visitor has removed the photo."""
        if photo:
            yield from self.compare(photo, picker, truth, added, size, request)
        else:
            yield gr.skip()

    def stale(self, work: Comparison | None, photo, picker, truth, size: str, request: gr.Request):
        """The mark on results that the controls no longer ask for."""
        now = Asked.of(uploaded_path(photo), picker["selected"], uploaded_path(truth), size)
        return stale_value(work and work.asked, now, language_of(request))

    def shown(self, work: Comparison, language: str, seconds: float = 0.0) -> tuple:
        """Viewer, IoU table, comparison and status line for the present state of `work`."""
        viewer = viewer_value(work, self.scores, language)
        finished, total = len(work.results) + len(work.errors), len(work.infos)
        key = "status_done" if finished == total else "status_running"
        decimals = number(seconds, language, 1) if seconds >= 0.05 else f"< {number(0.1, language, 1)}"
        status = fill(texts(language)[key], finished=finished, total=total, seconds=decimals)
        self.remember(work)
        return viewer, iou_value(work, self.image_scores(work), language), work, status

    @contextmanager
    def at_hand(self, work: Comparison, language: str) -> Iterator[None]:
        """Everything of a comparison is there while the block runs; it is made again if it had to go."""
        with self.ledger.using(work):
            try:
                self.recall(work)
            except ImageError as error:
                raise refuse(error.args[0], language) from None
            yield
            self.remember(work)

    def stop(self, work: Comparison | None, request: gr.Request):
        """Viewer and status after the visitor stopped the work."""
        language = language_of(request)
        stopped = texts(language)["status_stopped"]
        if work is None:
            return gr.skip(), stopped
        with self.at_hand(work, language):
            work.stop(stopped)
            return self.shown(work, language)[0], stopped

    def inside(self, work: Comparison | None, name: str | None, opened: bool, request: gr.Request):
        """Strip of score maps, choice of checkpoint and, while it is open, the viewer of 'Inside the network'."""
        if work is None:
            return None, gr.skip(), None
        infos = {info.offered_as: info for info in work.infos if has_ladder(info)}
        if not infos:
            return None, gr.Dropdown(choices=[], value=None), None
        done = [known for known in infos if known in (work.results or work.finished)]
        info, language = infos[name if name in infos else (done or list(infos))[-1]], language_of(request)
        choice = gr.Dropdown(choices=inside_choices(work), value=info.offered_as)
        with self.at_hand(work, language):
            if not opened and info.offered_as not in work.results:  # it failed or was stopped: nobody asked for more
                return None, choice, None
            try:
                rungs = self.segmenter.rungs(info, work.decoded.image, work.view)
            except Exception as error:  # the checkpoint's own panel above says the same; the log holds the rest
                logger.exception("inside of checkpoint %s failed", info.offered_as)
                raise refuse(error_text(error), language) from None
            scores = {rung.name: self.mask_scores(rung.mask, info.labels, work.truth) for rung in rungs}
            mious = {rung: score["miou"] for rung, score in scores.items() if score}
            viewer = inside_value(work, info, rungs, mious, language) if opened else None
            return rungs_value(info, rungs, mious, language), choice, viewer

    def open_inside(self, work: Comparison | None, name: str | None, request: gr.Request):
        """`inside` once it has been opened, and that it is open."""
        return True, *self.inside(work, name, True, request)

    def restore(self, kept: str, request: gr.Request):
        """The page as the address describes it: photo, truth, checkpoints, examples, missing ones, leaderboard, tab.

        `kept` is what the browser remembers of the visitor's own files, see `read_visit`.
        """
        language, query = language_of(request), dict(request.query_params)
        *compared, missing = self.asked_by(query, kept, {}, language)
        infos, names = self.infos, compared[2]["selected"]
        if not self.catalog.settings.reads_results:  # else the Hub may know them: `relist` comes later
            self.report(missing, language)
        return (
            *compared,
            missing,
            self.board_value(language),
            document("how_we_measure", language),
            code_value(infos, names, has_mcp(), language),
            {"strings": texts(language)},
            gr.Tabs(selected=tab_of(query)),
        )

    def asked_by(self, query: dict, kept: str, added: dict, language: str) -> tuple:
        """Photo, truth, checkpoint list, strip of examples, and names that are not on offer, as an address asks."""
        visit, wanted = read_visit(kept), query.get("example", "")
        example = examples.find(wanted)
        if visit.expired and not example:
            warn(texts(language)["error_expired"], language)
        if wanted and not example:
            warn(in_language(Message("error_unknown_example", name=wanted), language), language)
        own = visit.photo and not example
        example = None if own else example or examples.examples()[0]
        offered = added | self.infos
        names = [name for name in ticked(query) if name]
        missing = [name for name in names if name not in offered]
        names = [name for name in names if name in offered] or self.default_names()
        photo = visit.photo if own else str(example.photo)
        strip = strip_value(example and example.name, language)
        return photo, visit.truth, self.picker(names, language, added), strip, missing

    def report(self, missing: list[str], language: str):
        """Tell the visitor of checkpoints that an address names and that are not on offer."""
        if missing:
            names = ", ".join(missing)
            warn(fill(texts(language)["warning_unknown_checkpoints"], names=names), language)

    def revisit(self, added: dict, request: gr.Request, event: gr.EventData):
        """Photo, truth, checkpoint list and strip of another step of the browser's history."""
        *compared, missing = self.asked_by(event.query, event.kept, added, language_of(request))
        self.report(missing, language_of(request))
        return compared

    def refuse_files(self, request: gr.Request, event: gr.EventData):
        """Answer files that were dropped on the page and are no images; raises the answer."""
        key = "error_document" if event.kind == "document" else "error_other_file"
        raise refuse(Message(key, name=event.name), language_of(request))

    def board_value(self, language: str) -> dict:
        """The value of the leaderboard's table."""
        return self.board | {"strings": component_texts("table", language), "locale": language}

    def relist(self, picker: dict, added: dict, missing: list[str], request: gr.Request):
        """The checkpoint list with what the Hub has answered since, the note on the Hub, and that none is missing.

        Ticks stay as they are, but for `missing` ones that the address named and the Hub has: they are ticked.
        """
        language, infos = language_of(request), self.infos
        self.report([name for name in missing if name not in infos], language)
        selected = list(dict.fromkeys([*picker["selected"], *(name for name in missing if name in infos)]))
        return self.picker(selected[:MAXIMUM_PANELS], language, added), self.note(language), []

    def rerank(self, request: gr.Request):
        """The leaderboard with the Hub's results, and the note on them."""
        language = language_of(request)
        return self.board_value(language), " ".join(in_language(note, language) for note in self.live.notes())

    def ask_hub(self, request: gr.Request) -> str:
        """Ask the Hub for its lists anew; gives the note that says so."""
        self.catalog.refresh(force=True)
        self.live.refresh(force=True)
        return self.note(language_of(request))

    async def await_hub(self):
        """Until the Hub has answered, or as long as its settings let it try; no thread is held meanwhile."""
        await self.until_renewed(self.catalog)

    async def await_results(self):
        """Until the Hub's results have been read, or as long as `await_hub` would wait."""
        await self.until_renewed(self.live)

    async def until_renewed(self, part):
        """Refresh a part of the page, catalog or leaderboard, and wait for the Hub's answer."""
        end = time.monotonic() + self.catalog.settings.list_seconds
        await asyncio.to_thread(part.refresh)
        while part.refreshing and time.monotonic() < end:
            await asyncio.sleep(0.1)

    def add(self, text: str, picker: dict, added: dict, request: gr.Request):
        """Bring in a repository for this visitor alone; yields text box, progress, checkpoint list and additions."""
        language = language_of(request)
        try:
            for step, info in bring_in(self.catalog, text, language):  # noqa: B007 - the last one counts
                yield text, step, gr.skip(), gr.skip()
        except CheckpointError as error:
            yield text, "", gr.skip(), gr.skip()
            raise refuse(error_text(error), language) from None
        added = keep_added(added, info)
        selected = [*picker["selected"], info.offered_as][:MAXIMUM_PANELS]
        yield "", step, self.picker(selected, language, added), added

    def pick_example(self, event: gr.EventData):
        """The photo of the example that was clicked; its ground truth replaces an uploaded one."""
        example = examples.find(event.name)
        return (str(example.photo), None) if example else (gr.skip(), gr.skip())

    def bring(self, strip: dict, work: Comparison | None, photo, truth):
        """No example is picked once the visitor brings an image, and ground truth of another photo goes."""
        of_another = work and photo and truth and uploaded_path(truth) == work.asked.truth
        return strip | {"selected": None}, None if of_another else gr.skip()

    def compare_from_board(self, added: dict, request: gr.Request, event: gr.EventData):
        """Tick the leaderboard's checkpoints and go to the comparison."""
        return self.picker(event.checkpoints, language_of(request), added), gr.Tabs(selected="compare")

    def row_key(self, event: gr.EventData) -> str:
        """The leaderboard row of the checkpoint that a link names, as the table's address writes it."""
        info = self.infos.get(event.name)
        row = self.scores.get(info.sha256) if info else None
        return row_key(self.board["rows"], row) if row else ""

    def download(self, work: Comparison | None, request: gr.Request) -> str:
        """The zip of the comparison as a file that is deleted after an hour."""
        language = language_of(request)
        if work is None or not (work.results or work.finished):
            raise refuse(texts(language)["error_nothing_to_download"], language)
        with self.at_hand(work, language):
            facts, masks = self.facts(work, language), work.own_masks(self.segmenter, self.turns)
            path = cached_file(zip_bytes(work, facts, masks), f"fcn-{work.name}.zip")
        work.files.append(path)
        return path

    def forget(
        self, photo, truth, work: Comparison | None, batch: Batch | Film | None, strip: dict, request: gr.Request
    ):
        """Delete what this visitor has brought, what was made of it and what is kept of it, and empty the page."""
        paths = [uploaded_path(truth)]
        if photo and not strip["selected"]:  # an example's file is everybody's
            paths.append(uploaded_path(photo))
        if work:
            paths += [*work.files, work.asked.truth, None if work.example else work.asked.photo]
            if not work.example:
                self.segmenter.forget(work.digest)
        if batch:
            batch.forgotten = True
            batch.stop()
            paths += batch.files
        delete_files(paths)
        emptied = (
            None,
            None,
            None,
            None,
            None,
            strip | {"selected": None},
            None,
            texts(language_of(request))["forgotten"],
        )
        return (None, None, None, None, *emptied, None, None, gr.DownloadButton(value=None, interactive=False))

    def image_scores(self, work: Comparison) -> dict[str, dict]:
        """Scores of each finished checkpoint on this one image, by name; only where its classes are the truth's."""
        found = {
            name: self.mask_scores(result.mask, result.info.labels, work.truth) for name, result in work.results.items()
        }
        return {name: score for name, score in found.items() if score}

    def mask_scores(self, mask: np.ndarray, labels: LabelSet, truth: Truth | None) -> dict | None:
        """Scores of a mask (H, W) against the truth; None without one, or where it has other classes."""
        if truth is None or labels.classes != truth.labels.classes:
            return None
        return self.evaluation.score_mask(mask, truth.mask, labels.classes, truth.labels.void)

    def facts(self, work: Comparison, language: str | None = None) -> dict:
        """The JSON that goes with the masks: exact versions and areas, and scores where ground truth is known."""
        return summary(work, language) | {"scores_on_this_image": self.image_scores(work)}


def has_mcp() -> bool:
    """Whether the packages for the MCP server are installed."""
    return find_spec("mcp") is not None
