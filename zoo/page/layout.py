"""The components of the page, tab by tab; `events.py` ties them to what they do."""

from dataclasses import dataclass

import gradio as gr

from zoo.page.batch_tab import BatchParts, build_batch_tab
from zoo.page.components import component_files
from zoo.page.controls import language_value
from zoo.page.definitions_part import DefinitionsParts, build_definitions
from zoo.page.handlers import Page
from zoo.page.links import links
from zoo.page.size_choice import size_choice
from zoo.page.uploads import KEPT_SECONDS
from zoo.page.visitors import may_add
from zoo.text import languages, texts


def translations() -> gr.I18n:
    """Every text of the page in every language, for Gradio's own switch; plain 'pt' gets the Brazilian texts."""
    by_language = {name: texts(name) | {"links": links(name)} for name in languages()}
    short = {name.split("-")[0]: found for name, found in by_language.items()}
    return gr.I18n(**(short | by_language))


I18N = translations()


@dataclass(frozen=True)
class HubParts:
    """The fold of the Hub: text box with its button and progress, refresh button, note."""

    add: gr.Button
    repository: gr.Textbox
    adding: gr.Markdown
    refresh: gr.Button
    note: gr.Markdown


@dataclass(frozen=True)
class CompareParts:
    """The first tab.

    work: the visitor's comparison; opened: whether its inside is shown; added: own checkpoints; missing: names in the
    address that are not on offer so far.
    """

    photo: gr.Image
    strip: gr.HTML
    picker: gr.HTML
    hub: HubParts
    waiting: gr.HTML
    status: gr.Markdown
    go: gr.Button
    stop: gr.Button
    size: gr.Radio
    truth: gr.File
    stale: gr.HTML
    viewer: gr.HTML
    save: gr.Button
    forget: gr.Button
    download: gr.Button
    iou: gr.HTML
    rungs: gr.HTML
    fold: gr.Accordion
    whose: gr.Dropdown
    inside: gr.HTML
    archive: gr.File
    row: gr.Textbox
    work: gr.State
    opened: gr.State
    added: gr.State
    missing: gr.State


@dataclass(frozen=True)
class BoardParts:
    """The leaderboard's tab."""

    note: gr.Markdown
    table: gr.HTML
    definitions: DefinitionsParts
    measure: gr.Markdown


@dataclass(frozen=True)
class Parts:
    """Every component of the page that takes part in an event."""

    tabs: gr.Tabs
    compare: CompareParts
    batch: BatchParts
    board: BoardParts
    lesson: gr.HTML
    code: gr.HTML
    visit: gr.HTML
    kept: gr.Textbox


def html(files: dict[str, str], name: str, **options) -> gr.HTML:
    """One of our components, empty, under the element id `name`."""
    return gr.HTML(None, **files, apply_default_css=False, elem_id=name, **options)


def build_parts(page: Page) -> Parts:
    """All components, inside the Blocks that are being built."""
    gr.HTML(language_value(), **component_files("language"), apply_default_css=False, elem_id="language")
    gr.Markdown(I18N("headline"), elem_id="headline")
    visit, kept = html(component_files("visit"), "visit"), gr.Textbox(visible="hidden")
    with gr.Tabs(selected="compare") as tabs:
        with gr.Tab(I18N("tab_compare"), id="compare"):
            compare = build_compare_tab(page)
        with gr.Tab(I18N("tab_batch"), id="batch"):
            batch = build_batch_tab(I18N)
        with gr.Tab(I18N("tab_leaderboard"), id="leaderboard"):
            board = build_board_tab(page)
        with gr.Tab(I18N("tab_learn"), id="learn"):
            lesson = html(component_files("lesson"), "lesson")
        with gr.Tab(I18N("tab_code"), id="code"):
            code = html(component_files("code"), "code")
    gr.Markdown(I18N("links"), elem_id="links")
    gr.Markdown(I18N("privacy"), elem_id="privacy")
    return Parts(tabs, compare, batch, board, lesson, code, visit, kept)


def build_compare_tab(page: Page) -> CompareParts:
    """Controls on the left, results on the right."""
    with gr.Row(elem_id="compare"):
        with gr.Column(scale=0, min_width=320, elem_id="controls"):
            controls = build_controls(page)
        with gr.Column(scale=1, min_width=300, elem_id="results"):
            results = build_results()
    states = {"work": gr.State(None, time_to_live=KEPT_SECONDS), "opened": gr.State(False), "added": gr.State({})}
    states["missing"] = gr.State([])
    return CompareParts(**controls, **results, **states)


def build_controls(page: Page) -> dict:
    """Photo, examples, checkpoints, and what is done with them, by the names of `CompareParts`."""
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
    strip = html(component_files("examples"), "examples")
    picker = html(component_files("picker"), "picker")
    hub = build_hub(page)
    with gr.Column(elem_id="actions"):
        waiting = html(component_files("waiting"), "waiting")
        status = gr.Markdown("", elem_id="status")
        with gr.Row():
            go = gr.Button(I18N("compare"), variant="primary", elem_id="go")
            stop = gr.Button(I18N("stop"), variant="secondary", elem_id="stop", min_width=80)
    with gr.Column(elem_id="size-fold"):
        size = size_choice(I18N, "size")
        gr.Markdown(I18N("size_help"), elem_id="size-help")
    with gr.Accordion(I18N("truth"), open=False, elem_id="truth-fold"):
        gr.Markdown(I18N("truth_help"))
        truth = gr.File(label=I18N("truth_file"), file_types=[".png"], height=110, elem_id="truth")
    named = {"photo": photo, "strip": strip, "picker": picker, "hub": hub, "waiting": waiting, "status": status}
    return named | {"go": go, "stop": stop, "size": size, "truth": truth}


def build_results() -> dict:
    """Viewer, IoU table, strip of score maps and the fold of the network's inside, by the names of `CompareParts`."""
    stale = html(component_files("stale"), "stale")
    shown = html(component_files("viewer"), "viewer")
    with gr.Row(elem_id="after"):
        save = gr.Button(I18N("save_view"), elem_id="save-view", size="md")
        forget = gr.Button(I18N("forget"), elem_id="forget", size="md")
        download = gr.Button(I18N("download"), elem_id="download", size="md")
    iou = html(component_files("iou"), "iou")
    rungs = html(component_files("rungs"), "rungs")
    with gr.Accordion(I18N("inside"), open=False, elem_id="inside") as fold:
        gr.Markdown(I18N("inside_help"), elem_id="inside-help")
        whose = gr.Dropdown(label=I18N("inside_whose"), elem_id="inside-whose")
        inside = html(component_files("viewer"), "inside-viewer")
    archive = gr.File(visible="hidden")
    row = gr.Textbox(visible="hidden")  # key of the leaderboard row that was asked for
    named = {"stale": stale, "viewer": shown, "save": save, "forget": forget, "download": download, "iou": iou}
    return named | {"rungs": rungs, "fold": fold, "whose": whose, "inside": inside, "archive": archive, "row": row}


def build_hub(page: Page) -> HubParts:
    """The fold of the Hub, hidden where it would have no use."""
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
    return HubParts(add, name, progress, refresh, note)


def build_board_tab(page: Page) -> BoardParts:
    """The note on the Hub's results, the table, and how it is measured."""
    note = gr.Markdown("", visible=page.live.settings.reads_results, elem_id="results-note")

    # Gradio marks what the script may call, which it cannot do with methods.
    def images_of(asked: dict) -> dict:
        return page.drilled.images(asked)

    def picture_of(asked: dict) -> dict:
        return page.drilled.picture(asked)

    table = html(component_files("table"), "leaderboard", server_functions=[images_of, picture_of])
    definitions = build_definitions(I18N)
    with gr.Accordion(I18N("how_we_measure"), open=False):
        measure = gr.Markdown()
    return BoardParts(note, table, definitions, measure)
