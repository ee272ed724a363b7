"""The web page: compare the masks of Fully Convolutional Networks side by side, and read the leaderboard.

Run `python app.py`, with --checkpoints DIR to see runs of training too. GRADIO_SERVER_NAME, GRADIO_SERVER_PORT (or
PORT) choose the address. This file puts the page together from `zoo.page` and hands it what it needs of `evaluation`;
so it does with the static page of `zoo.site`, for `python -m zoo site`.
"""

import argparse
import logging
import os
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # both are read when the libraries are imported
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

from zoo.numbers import HUB, PAGE, unreadable_number

if reason := unreadable_number(PAGE | HUB):  # in a sentence, before a library ends the import with a traceback
    sys.exit(f"python app.py: error: {reason}")

import gradio as gr

from evaluation.board.live import LiveBoard
from evaluation.board.pictures import DrillDown, Pictures, readable_splits
from evaluation.board.rows import payload
from evaluation.counting.confusion import CHANCE, count_pairs, kappa, scores_of_pairs
from evaluation.definitions import as_markdown, count_masks
from zoo.hub.catalog import Catalog
from zoo.hub.settings import HubSettings, page_port
from zoo.images import examples, workers
from zoo.models.allocator import SERVING, give_back_freed_memory, keep_freed_memory
from zoo.models.preparation import named_precision
from zoo.page.agent_files import take_lists_of_files
from zoo.page.api import Api
from zoo.page.components import FOLDER
from zoo.page.evaluation_part import Evaluation
from zoo.page.events import connect
from zoo.page.fairness import share_fairly
from zoo.page.handlers import Page, has_mcp
from zoo.page.head import HeadFirst
from zoo.page.headers import SecurityHeaders
from zoo.page.last_resort import WordedAnswers, WordedBlocks
from zoo.page.layout import I18N, build_parts
from zoo.page.lesson import Lesson
from zoo.page.links import NOTEBOOK
from zoo.page.rest import Resting
from zoo.page.sessions import bound_answers, bound_sessions
from zoo.page.sweep import FOLDER_VARIABLE, Sweeper, take_private_folder
from zoo.page.theme import theme
from zoo.page.uploads import KEPT_SECONDS, KNOWN, MADE, UPLOAD_LIMIT, give_each_upload_its_own_path
from zoo.site.build import Site, build_site
from zoo.text import texts


def make_page(catalog: Catalog, assemble: Callable[..., dict] = payload) -> Page:
    """The page over a catalog; `assemble` makes the leaderboard's payload."""

    def score_mask(mask, truth, classes, void) -> dict:
        pairs = count_pairs(mask, truth)
        agreement = kappa(pairs[: len(classes), : len(classes)])
        by_chance = agreement is not None and agreement < CHANCE
        return scores_of_pairs(pairs, classes, void).to_dict() | {"by_chance": by_chance}

    def score_counts(counts, classes, void) -> dict:
        return scores_of_pairs(counts, classes, void).to_dict()

    board = LiveBoard(catalog, assemble)
    drill = DrillDown(board.payload, Pictures(catalog.settings.images))
    scoring = score_mask, count_pairs, score_counts, count_masks, as_markdown
    return Page(catalog, Evaluation(board, *scoring, drill))


def write_static_page(out: str | Path, names: Sequence[str] = (), **options) -> Site:
    """The static page with lesson, and leaderboard of the stored results; `names`, `options` as for `build_site`."""
    page = make_page(Catalog(HubSettings()))
    return build_site(out, names, board=page.board, chance=CHANCE, lesson=Lesson(page).value, **options)


def build(page: Page) -> gr.Blocks:
    """The page with its events and API."""
    keep = (600, KEPT_SECONDS)
    with WordedBlocks(
        title=texts()["page_title"], fill_width=True, delete_cache=keep, analytics_enabled=False
    ) as blocks:
        connect(page, blocks, build_parts(page))
        Api(page).register()
    blocks.temp_file_sets.append(MADE)  # Gradio itself would keep what the API gives out for ever
    KNOWN[:] = blocks.temp_file_sets
    blocks.queue(api_open=False)
    page.turns = share_fairly(blocks)
    bound_answers(blocks, page.ledger)
    return blocks


def launch(page: Page, **options) -> gr.Blocks:
    """Serve the page; `options` go to `gr.Blocks.launch`."""
    blocks = build(page)
    give_each_upload_its_own_path()
    if has_mcp():
        take_lists_of_files()
    first = (FOLDER / "language_head.html").read_text(encoding="utf-8")
    middleware = [(SecurityHeaders, (), {}), (WordedAnswers, (), {}), (HeadFirst, (), {"content": first})]
    blocks.launch(
        theme=theme(),
        css_paths=[FOLDER / "page.css"],
        app_kwargs={"middleware": middleware},
        i18n=I18N,
        max_file_size=UPLOAD_LIMIT,
        allowed_paths=[str(examples.FOLDER), str(NOTEBOOK)],
        run_history=False,
        mcp_server=has_mcp(),
        footer_links=["api", "settings"],
        **options,
    )
    bound_sessions(blocks, page.ledger)
    return blocks


def read_settings(arguments: list[str] | None = None) -> HubSettings:
    """The settings of the environment, with the folders of checkpoints and of images that the command line names."""
    parser = argparse.ArgumentParser(prog="python app.py", description="Serve the page.")
    parser.add_argument(
        "--checkpoints", metavar="DIR", help="show the checkpoint folders in DIR too, such as the runs of training"
    )
    parser.add_argument(
        "--images",
        metavar="DIR",
        help="let the leaderboard's figures lead to images in DIR: a data set in its own layout, or a folder of such "
        "(DIR/camvid, ...); whoever reaches the page sees them",
    )
    parsed = parser.parse_args(arguments)
    try:
        settings = HubSettings.from_environment()
    except ValueError as error:
        parser.error(str(error))
    named = {name: Path(folder) for name, folder in vars(parsed).items() if folder}
    settings = replace(settings, **named)
    if settings.checkpoints and not settings.checkpoints.is_dir():
        parser.error(f"{settings.checkpoints}: no such folder; name one with checkpoint folders, such as runs")
    if settings.images and not settings.images.is_dir():
        parser.error(f"{settings.images}: no such folder; name the one that holds a data set, as for --data")
    if settings.images and not readable_splits(settings.images):
        parser.error(f"{settings.images}: no data set here can be read; python -m evaluation.datasets NAME says why")
    return settings


def stop(reason: str) -> NoReturn:
    """End with one sentence for whoever started the page, as argparse would."""
    print(f"python app.py: error: {reason}", file=sys.stderr)
    sys.exit(2)


def main(arguments: list[str] | None = None):
    """Serve the catalog's checkpoints and get the first comparison ready while visitors arrive."""
    settings = read_settings(arguments)
    try:
        port, _, _ = page_port(), workers.apart(), named_precision()  # before anything is started
        take_private_folder()
    except ValueError as error:
        stop(str(error))
    except OSError as error:
        stop(f"{FOLDER_VARIABLE}: {error.filename} cannot be written ({error.strerror}); name another folder")
    try:
        workers.start()  # while this process is small
    except workers.DecoderError as error:
        logging.getLogger("zoo").error("%s", error)
    keep_freed_memory(SERVING)
    page = make_page(Catalog(settings))
    Sweeper(settings).start()
    page.catalog.refresh()
    page.live.refresh()
    give_back_freed_memory()  # what reading the leaderboard's results has needed
    Resting(page.segmenter).start()
    try:
        blocks = launch(
            page, server_name=os.environ.get("GRADIO_SERVER_NAME"), server_port=port, prevent_thread_lock=True
        )
    except (OSError, OverflowError) as error:  # no such address of this machine, or no port that is free
        said = str(error).partition(". ")[0]
        stop(f"the page cannot be served: {said}; choose with GRADIO_SERVER_NAME and GRADIO_SERVER_PORT (or PORT)")
    threading.Thread(target=page.warm_up, daemon=True).start()
    blocks.block_thread()


if __name__ == "__main__":
    main()
