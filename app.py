"""The web page: compare the masks of Fully Convolutional Networks side by side, and read the leaderboard.

Run `python app.py`. GRADIO_SERVER_NAME, GRADIO_SERVER_PORT (or PORT) choose the address. This file holds the page, its
events and the names of the API; what they do is in `zoo` and `evaluation`.
"""

import hashlib
import logging
import os
import threading
import time
import uuid
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # both are read when the libraries are imported
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

import gradio as gr
from gradio.route_utils import API_PREFIX, get_root_url
from gradio.utils import get_upload_folder

import evaluation.table
import zoo.viewer
from evaluation import leaderboard, metrics
from evaluation.live import LiveBoard
from zoo import examples
from zoo.additions import bring_in, keep_added, may_add
from zoo.allocator import SERVING, keep_freed_memory
from zoo.catalog import Catalog, name_of
from zoo.checkpoint_info import CheckpointError
from zoo.comparison import MAXIMUM_PANELS, Comparison, Truth, error_text
from zoo.controls import code_value, strip_value
from zoo.labels import LabelSet
from zoo.offer import Offer
from zoo.page import DEFAULT_LANGUAGE, Message, choose_language, component_files, script, texts, translate
from zoo.page.address import row_key, tab_of, ticked
from zoo.page.head import HeadFirst
from zoo.presentation import has_ladder, inside_choices, inside_value, iou_value, summary, viewer_value, zip_bytes
from zoo.segment import ImageError, best_device, segment
from zoo.stages import stages

try:  # present on Hugging Face Spaces with ZeroGPU; anywhere else the processor of this machine does the work
    from spaces import GPU as on_gpu
except ImportError:

    def on_gpu(function):
        return function


logger = logging.getLogger("zoo")

UPLOAD_LIMIT = "20mb"
KEPT_SECONDS = 3600  # uploads and downloads are deleted after this time
I18N = gr.I18n(en=texts("en"), pt=texts("pt-BR"), **{"pt-BR": texts("pt-BR")})


@on_gpu
def run(model, image):
    """`zoo.segment.segment` on the accelerator, if this process may use one."""
    return segment(model.to(best_device()), image)


@on_gpu
def climb(model, image):
    """`zoo.stages.stages` where `run` works."""
    return stages(model.to(best_device()), image)


def language_of(request: gr.Request | None) -> str:
    """The visitor's language, 'en' or 'pt-BR': the one in the page's address, else the browser's."""
    if request is None:
        return DEFAULT_LANGUAGE
    return choose_language(request.query_params.get("lang") or request.headers.get("accept-language"))


def refuse(message: str, language: str) -> gr.Error:
    """The error that shows `message` to the visitor and leaves no trace in the log."""
    title = texts(language)["error_title"]
    return gr.Error(translate(message, language), title=title, duration=12, print_exception=False)


def uploaded_path(payload) -> str | None:
    """The uploaded file itself, in place of what Gradio's components would make of it.

    `gr.Image` would decode it, whatever its size, and report bad files as bugs. A request may name any path of this
    machine, and Gradio checks only those marked as files: what does not lie in the folder of uploads is refused here.
    """
    if not payload:
        return None
    path = payload["path"] if isinstance(payload, dict) else payload.path
    if not Path(path).resolve().is_relative_to(Path(get_upload_folder()).resolve()):
        raise refuse(Message("error_not_uploaded"), DEFAULT_LANGUAGE)
    return path


class Page(Offer):
    """What happens on an event of the page or a call of the API."""

    def __init__(self, catalog: Catalog, board: Callable[..., dict]):
        self.live = LiveBoard(catalog, board)
        super().__init__(catalog, self.live.payload, run, climb)

    def compare(self, path, picker, truth_path, added, full_resolution: bool, request: gr.Request):
        """Segment the photo with every ticked checkpoint; yields viewer, IoU table, comparison and status each time."""
        language = language_of(request)
        try:
            work = self.prepare(path, picker["selected"], truth_path, added, full_resolution)
        except ImageError as error:
            raise refuse(error.args[0], language) from None
        begin = time.perf_counter()
        yield self.shown(work, language)
        for _ in work.advance(self.segmenter):
            yield self.shown(work, language, time.perf_counter() - begin)

    def compare_if_any(self, path, picker, truth_path, added, full_resolution: bool, request: gr.Request):
        """`compare`, or nothing when the visitor has removed the photo."""
        if path:
            yield from self.compare(path, picker, truth_path, added, full_resolution, request)
        else:
            yield gr.skip()

    def shown(self, work: Comparison, language: str, seconds: float = 0.0) -> tuple:
        """Viewer, IoU table, comparison and status line for the present state of `work`."""
        viewer = viewer_value(work, self.scores, language)
        finished, total = len(work.results) + len(work.errors), len(work.infos)
        done = "status_done" if total > 1 else "status_done_one"
        key = done if finished == total else "status_running"
        decimals = f"{seconds:.1f}".replace(".", "," if language == "pt-BR" else ".")
        status = texts(language)[key].format(finished=finished, total=total, seconds=decimals)
        return viewer, iou_value(work, image_scores(work), language), work, status

    def stop(self, work: Comparison | None, request: gr.Request):
        """Viewer and status after the visitor stopped the work."""
        strings = texts(language_of(request))
        if work is None:
            return gr.skip(), strings["status_stopped"]
        work.stop(strings["status_stopped"])
        return self.shown(work, language_of(request))[0], strings["status_stopped"]

    def inside(self, work: Comparison | None, name: str | None, opened: bool, request: gr.Request):
        """Choice of checkpoint and viewer of 'Inside the network'; the score maps are made only while it is open."""
        if work is None:
            return gr.skip(), None
        infos = {name_of(info): info for info in work.infos if has_ladder(info)}
        if not infos:
            return gr.Dropdown(choices=[], value=None), None
        name = name if name in infos else list(infos)[-1]
        choice = gr.Dropdown(choices=inside_choices(work), value=name)
        if not opened:
            return choice, None
        try:
            rungs = self.segmenter.rungs(infos[name], work.decoded.image)
        except Exception as error:  # the checkpoint's own panel above says the same; the log holds the rest
            logger.exception("inside of checkpoint %s failed", name)
            raise refuse(error_text(error), language_of(request)) from None
        scores = {rung.name: mask_scores(rung.mask, infos[name].labels, work.truth) for rung in rungs}
        mious = {rung: score["miou"] for rung, score in scores.items() if score}
        return choice, inside_value(work, infos[name], rungs, mious, language_of(request))

    def open_inside(self, work: Comparison | None, name: str | None, request: gr.Request):
        """`inside` once it has been opened, and that it is open."""
        return True, *self.inside(work, name, True, request)

    def restore(self, request: gr.Request):
        """The page as the address describes it: photo, checkpoints, examples, leaderboard, snippets, tab."""
        language, query = language_of(request), dict(request.query_params)
        example = examples.find(query.get("example", "")) or examples.examples()[0]
        infos = self.infos
        names = [name for name in ticked(query) if name in infos] or self.default_names()
        return (
            str(example.photo),
            self.picker(names, language),
            strip_value(example.name, language),
            self.board_value(language),
            evaluation.table.how_we_measure(language),
            code_value(list(infos), names, has_mcp(), language),
            {"strings": texts(language)},
            gr.Tabs(selected=tab_of(query)),
        )

    def board_value(self, language: str) -> dict:
        """The value of the leaderboard's table."""
        return self.board | {"strings": evaluation.table.strings(language), "locale": language}

    def relist(self, picker: dict, added: dict, request: gr.Request):
        """The checkpoint list with what the Hub has answered since, ticks unchanged, and the note on the Hub."""
        language = language_of(request)
        return self.picker(picker["selected"], language, added), self.note(language)

    def rerank(self, request: gr.Request):
        """The leaderboard with the Hub's results, and the note on them."""
        language = language_of(request)
        return self.board_value(language), " ".join(translate(note, language) for note in self.live.notes())

    def ask_hub(self, request: gr.Request) -> str:
        """Ask the Hub for its lists anew; gives the note that says so."""
        self.catalog.refresh(force=True)
        self.live.refresh(force=True)
        return self.note(language_of(request))

    def await_hub(self):
        """Until the Hub has answered, or as long as its settings let it try; the page is in use meanwhile."""
        self.catalog.refresh(wait=self.catalog.settings.list_seconds)

    def await_results(self):
        """Until the Hub's results have been read, or as long as `await_hub` would wait."""
        self.live.refresh(wait=self.catalog.settings.list_seconds)

    def add(self, text: str, picker: dict, added: dict, request: gr.Request):
        """Bring in a repository for this visitor alone; yields text box, progress, checkpoint list and additions."""
        language = language_of(request)
        try:
            for step, info in bring_in(self.catalog, text, language):  # noqa: B007 - the last one counts
                yield text, step, gr.skip(), gr.skip()
        except CheckpointError as error:
            yield text, "", gr.skip(), gr.skip()
            raise refuse(error.args[0], language) from None
        added = keep_added(added, info)
        selected = [*picker["selected"], name_of(info)][:MAXIMUM_PANELS]
        yield "", step, self.picker(selected, language, added), added

    def pick_example(self, event: gr.EventData):
        """The photo of the example that was clicked; its ground truth replaces an uploaded one."""
        example = examples.find(event.name)
        return (str(example.photo), None) if example else (gr.skip(), gr.skip())

    def leave_example(self, strip: dict):
        """No example is picked once the visitor brings an image."""
        return strip | {"selected": None}

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
        if work is None or not work.results:
            raise refuse(texts(language_of(request))["error_nothing_to_download"], language_of(request))
        return cached_file(zip_bytes(work, facts(work)), f"fcn-{work.name}.zip")

    def segment(
        self, image: gr.FileData, checkpoints: list[str], request: gr.Request = None
    ) -> tuple[list[gr.FileData], dict]:
        """Label every pixel of an image (street scenes above all) with one or more Fully Convolutional Networks.

        Args:
            image: PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF of at most 64 megapixels; reduced to 1024 a side.
            checkpoints: 1 to 9 names that "checkpoints" lists, such as ["fcn8s-vgg16bn-w25-ce-camvid"].

        Returns:
            Masks: one indexed PNG with a url per checkpoint (pixel value = class id), kept for about an hour
            JSON summary: version, milliseconds, mean confidence and share of every class for each checkpoint
        """
        return self.answer(image, checkpoints, request, full_resolution=False)

    def segment_full_resolution(
        self, image: gr.FileData, checkpoints: list[str], request: gr.Request = None
    ) -> tuple[list[gr.FileData], dict]:
        """Label every pixel of an image at its own size, which takes longer than "segment" for a large one.

        Args:
            image: as for "segment", but kept at up to 8192 pixels a side and 16 megapixels.
            checkpoints: 1 to 9 names that "checkpoints" lists, such as ["fcn8s-vgg16bn-w25-ce-camvid"].

        Returns:
            Masks: one indexed PNG with a url per checkpoint (pixel value = class id), kept for about an hour
            JSON summary: version, milliseconds, mean confidence and share of every class for each checkpoint
        """
        return self.answer(image, checkpoints, request, full_resolution=True)

    def answer(self, image, checkpoints: list[str], request: gr.Request | None, *, full_resolution: bool) -> tuple:
        """The masks as files and the JSON summary that both ways to segment give."""
        try:
            work = self.prepare(uploaded_path(image), checkpoints, full_resolution=full_resolution)
        except ImageError as error:
            raise refuse(error.args[0], "en") from None
        for _ in work.advance(self.segmenter):
            pass
        files = [cached_file(result.mask_png, f"{name}.png") for name, result in work.results.items()]
        return [file_data(path, request) for path in files], facts(work)


def image_scores(work: Comparison) -> dict[str, dict]:
    """Scores of each finished checkpoint on this one image, by name; only where its classes are those of the truth."""
    found = {name: mask_scores(result.mask, result.info.labels, work.truth) for name, result in work.results.items()}
    return {name: score for name, score in found.items() if score}


def mask_scores(mask, labels: LabelSet, truth: Truth | None) -> dict | None:
    """Scores of a mask (H, W) against the truth; None without one, or where it has other classes."""
    if truth is None or labels.classes != truth.labels.classes:
        return None
    return metrics.mask_scores(mask, truth.mask, labels.classes, truth.labels.void).to_dict()


def facts(work: Comparison) -> dict:
    """The JSON that goes with the masks: exact versions and areas, and scores where ground truth is known."""
    return summary(work) | {"scores_on_this_image": image_scores(work)}


def cached_file(content: bytes, name: str) -> str:
    """Path of a file with this content that Gradio may serve and deletes after `KEPT_SECONDS`.

    Equal content has one path. It is renamed into place, so that a visitor who is reading it gets the whole of it.
    """
    folder = Path(get_upload_folder()).resolve() / hashlib.sha256(content).hexdigest()
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{uuid.uuid4().hex}"
    temporary.write_bytes(content)
    path = folder / Path(name).name  # a checkpoint of the Hub is called OWNER/NAME
    os.replace(temporary, path)
    return str(path)


def file_data(path: str, request: gr.Request) -> gr.FileData:
    """A file with its whole address, which Gradio itself gives to its own clients alone."""
    http = request.request
    root = get_root_url(http, http.url.path, http.app.root_path)
    return gr.FileData(path=path, orig_name=Path(path).name, url=f"{root}{API_PREFIX}/file={path}")


def build(page: Page) -> gr.Blocks:
    """The page with its events and API."""
    keep = (600, KEPT_SECONDS)
    with gr.Blocks(title=texts()["page_title"], fill_width=True, delete_cache=keep, analytics_enabled=False) as blocks:
        gr.HTML(None, **component_files("language"), apply_default_css=False, elem_id="language")
        gr.Markdown(I18N("headline"), elem_id="headline")
        with gr.Tabs(selected="compare") as tabs:
            with gr.Tab(I18N("tab_compare"), id="compare"):
                parts = build_compare_tab(page)
            with gr.Tab(I18N("tab_leaderboard"), id="leaderboard"):
                results_note = gr.Markdown("", visible=page.live.settings.reads_results, elem_id="results-note")
                board = gr.HTML(**evaluation.table.component_files(), apply_default_css=False, elem_id="leaderboard")
                with gr.Accordion(I18N("how_we_measure"), open=False):
                    measure = gr.Markdown()
            with gr.Tab(I18N("tab_code"), id="code"):
                code = gr.HTML(None, **component_files("code"), apply_default_css=False, elem_id="code")
        gr.Markdown(I18N("privacy"), elem_id="privacy")
        parts.board, parts.measure, parts.results_note, parts.code = board, measure, results_note, code
        connect(page, blocks, tabs, parts)
        for work in (page.segment, page.segment_full_resolution):
            gr.api(work, api_name=work.__name__, concurrency_id="inference", concurrency_limit=1)
        # No parameter has a default: plain HTTP would have to give it all the same.
        for read in (page.checkpoints, page.leaderboard, page.leaderboard_details):
            gr.api(read, api_name=read.__name__)
    return blocks.queue(max_size=32, api_open=False)


def build_compare_tab(page: Page) -> SimpleNamespace:
    """The components of the first tab, by name."""
    with gr.Row(elem_id="compare"):
        with gr.Column(scale=0, min_width=320, elem_id="controls"):
            photo = gr.Image(
                label=I18N("photo"),
                sources=["upload", "webcam", "clipboard"],
                type="filepath",
                image_mode=None,
                buttons=["fullscreen"],
                height=200,
                webcam_options=gr.WebcamOptions(mirror=False),
                elem_id="photo",
            )
            photo.preprocess = uploaded_path
            strip = gr.HTML(None, **component_files("examples"), apply_default_css=False, elem_id="examples")
            picker = gr.HTML(None, **component_files("picker"), apply_default_css=False, elem_id="picker")
            add, repository, adding, refresh, note = build_hub(page)
            with gr.Column(elem_id="actions"):
                waiting = gr.HTML(None, **component_files("waiting"), apply_default_css=False, elem_id="waiting")
                status = gr.Markdown("", elem_id="status")
                with gr.Row():
                    go = gr.Button(I18N("compare"), variant="primary", elem_id="go")
                    stop = gr.Button(I18N("stop"), variant="secondary", elem_id="stop", min_width=80)
            full = gr.Checkbox(label=I18N("full"), info=I18N("full_help"), container=False, elem_id="full")
            with gr.Accordion(I18N("truth"), open=False, elem_id="truth-fold"):
                gr.Markdown(I18N("truth_help"))
                truth = gr.File(label=I18N("truth_file"), file_types=[".png"], height=110, elem_id="truth")
                truth.preprocess = uploaded_path
        with gr.Column(scale=1, min_width=300, elem_id="results"):
            viewer = gr.HTML(None, **zoo.viewer.component_files(), apply_default_css=False, elem_id="viewer")
            with gr.Row(elem_id="after"):
                download = gr.Button(I18N("download"), elem_id="download", size="md")
            iou = gr.HTML(None, **component_files("iou"), apply_default_css=False, elem_id="iou")
            with gr.Accordion(I18N("inside"), open=False, elem_id="inside") as fold:
                gr.Markdown(I18N("inside_help"), elem_id="inside-help")
                whose = gr.Dropdown(label=I18N("inside_whose"), elem_id="inside-whose")
                inside = gr.HTML(None, **zoo.viewer.component_files(), apply_default_css=False, elem_id="inside-viewer")
            archive = gr.File(visible="hidden")
            row = gr.Textbox(visible="hidden")  # key of the leaderboard row that was asked for
    work = gr.State(None, time_to_live=KEPT_SECONDS)
    opened, added = gr.State(False), gr.State({})
    return SimpleNamespace(**{name: part for name, part in locals().items() if isinstance(part, gr.blocks.Block)})


def build_hub(page: Page) -> tuple:
    """The accordion of the Hub: text box with its button and progress, refresh button, note. Hidden without a use."""
    listing, adding = page.catalog.settings.reads_results, may_add(page.catalog)
    with gr.Accordion(I18N("hub"), open=False, visible=listing or adding, elem_id="hub"):
        with gr.Column(visible=adding):
            gr.Markdown(I18N("hub_help"), elem_id="hub-help")
            name = gr.Textbox(label=I18N("hub_name"), placeholder="OWNER/NAME", max_lines=1, elem_id="hub-name")
            add = gr.Button(I18N("hub_add"), size="md", elem_id="hub-add")
            progress = gr.Markdown("", elem_id="hub-progress")
        with gr.Column(visible=listing):
            note = gr.Markdown("", elem_id="hub-note")
            refresh = gr.Button(I18N("hub_refresh"), size="md", elem_id="hub-refresh")
    return add, name, progress, refresh, note


def connect_hub(page: Page, part: SimpleNamespace, restore):
    """Tie the Hub's events: its checkpoints come after the page, and are asked for again on demand."""
    private = {"api_visibility": "private", "show_progress": "hidden"}
    relist = {"fn": page.relist, "inputs": [part.picker, part.added], "outputs": [part.picker, part.note], **private}
    rerank = {"fn": page.rerank, "inputs": None, "outputs": [part.board, part.results_note], **private}
    if page.catalog.settings.reads_results:
        asked = part.refresh.click(page.ask_hub, None, part.note, **private)
        for event in (restore, asked):
            event.then(page.await_hub, concurrency_limit=None, **private).then(**relist)
            event.then(page.await_results, concurrency_limit=None, **private).then(**rerank)
    inputs = [part.repository, part.picker, part.added]
    outputs = [part.repository, part.adding, part.picker, part.added]
    gr.on([part.add.click, part.repository.submit], page.add, inputs, outputs, concurrency_limit=4, **private)


def connect(page: Page, blocks: gr.Blocks, tabs: gr.Tabs, part: SimpleNamespace):
    """Tie the events to the page's functions. One job at a time: the machine's cores are one model's worth."""
    private = {"api_visibility": "private", "show_progress": "hidden"}
    work = {
        "fn": page.compare,
        "inputs": [part.photo, part.picker, part.truth, part.added, part.full],
        "outputs": [part.viewer, part.iou, part.work, part.status],
        "show_progress": "minimal",
        "show_progress_on": part.status,
        "concurrency_id": "inference",
        "concurrency_limit": 1,
        "api_visibility": "private",
    }
    page_parts = [part.photo, part.picker, part.strip, part.board, part.measure, part.code, part.waiting, tabs]
    pick = part.strip.pick(page.pick_example, None, [part.photo, part.truth], **private)
    bring = part.photo.input(page.leave_example, part.strip, part.strip, **private)
    jump = part.board.compare(page.compare_from_board, part.added, [part.picker, tabs], **private)
    restore = blocks.load(page.restore, None, page_parts, **private)
    runs = [event.then(**work) for event in (restore, pick, jump)]
    runs.append(bring.then(**work | {"fn": page.compare_if_any}))
    runs += [event(**work) for event in (part.go.click, part.picker.preset, part.truth.upload)]
    address = {"fn": None, "inputs": [part.strip, part.picker], "js": script("address"), **private}
    for run in runs[1:]:
        run.then(**address)
    climb = {"concurrency_id": "inference", "api_visibility": "private", "show_progress_on": part.inside}
    look = {"fn": page.inside, "inputs": [part.work, part.whose, part.opened], "outputs": [part.whose, part.inside]}
    for run in runs:
        run.then(**look | climb)
    part.whose.input(**look | climb)
    part.fold.expand(page.open_inside, [part.work, part.whose], [part.opened, part.whose, part.inside], **climb)
    part.fold.collapse(lambda: False, None, part.opened, **private)
    part.stop.click(page.stop, part.work, [part.viewer, part.status], cancels=runs, **private)
    for link in (part.picker.details, part.viewer.leaderboard):
        named = link(page.row_key, None, part.row, **private)
        named = named.then(None, part.row, None, js=script("board_row"), **private)
        named.then(lambda: gr.Tabs(selected="leaderboard"), None, tabs, **private)
    blocks.load(None, js=script("bring"), **private)
    for tab in tabs.children:
        tab.select(None, js=script("tab"), **private)
    part.picker.change(None, [part.picker, part.code], part.code, js=script("ticked"), **private)
    connect_hub(page, part, restore)
    zipped = part.download.click(page.download, part.work, part.archive, **private)
    zipped.success(None, part.archive, None, js=script("download"), **private)


def has_mcp() -> bool:
    """Whether the packages for the MCP server are installed."""
    return find_spec("mcp") is not None


def theme() -> gr.themes.Base:
    """System fonts, so that nothing is fetched from elsewhere; colours with enough contrast in light and dark."""
    fonts = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"]
    return gr.themes.Default(
        primary_hue="teal", neutral_hue="slate", radius_size="md", font=fonts, font_mono=["ui-monospace", "monospace"]
    ).set(
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover_dark="*primary_600",
    )


def launch(page: Page, **options) -> gr.Blocks:
    """Serve the page; `options` go to `gr.Blocks.launch`."""
    blocks = build(page)
    first = (zoo.page.FOLDER / "language_head.html").read_text(encoding="utf-8")
    blocks.launch(
        theme=theme(),
        css_paths=[zoo.page.FOLDER / "page.css"],
        app_kwargs={"middleware": [(HeadFirst, (), {"content": first})]},
        i18n=I18N,
        max_file_size=UPLOAD_LIMIT,
        allowed_paths=[str(examples.FOLDER)],
        run_history=False,
        mcp_server=has_mcp(),
        footer_links=["api", "settings"],
        **options,
    )
    return blocks


def main():
    """Serve the catalog's checkpoints and get the first comparison ready while visitors arrive."""
    keep_freed_memory(SERVING)
    page = Page(Catalog(), leaderboard.payload)
    page.catalog.refresh()
    page.live.refresh()
    blocks = launch(
        page,
        server_name=os.environ.get("GRADIO_SERVER_NAME"),
        server_port=int(os.environ["PORT"]) if "PORT" in os.environ else None,
        prevent_thread_lock=True,
    )
    threading.Thread(target=page.warm_up, daemon=True).start()
    blocks.block_thread()


if __name__ == "__main__":
    main()
