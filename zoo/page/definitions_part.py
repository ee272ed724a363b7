"""'Check my number': two zips of masks in, out what they score by every definition that goes by the name of mIoU.

The zips are deleted as soon as they are counted; the counts are kept for the visitor's next figure.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import gradio as gr
import numpy as np

from zoo.images.photo import ImageError
from zoo.labels import LABEL_SETS
from zoo.page.comparison import error_text
from zoo.page.refusal import language_of, refuse
from zoo.page.uploads import KEPT_SECONDS, delete_files, uploaded_path
from zoo.text import Message

if TYPE_CHECKING:
    from zoo.page.handlers import Page


@dataclass(frozen=True)
class DefinitionsParts:
    """The fold. counted: per-image counts of the last zips."""

    predictions: gr.File
    truth: gr.File
    dataset: gr.Dropdown
    claimed: gr.Textbox
    go: gr.Button
    answer: gr.Markdown
    counted: gr.State


def build_definitions(i18n) -> DefinitionsParts:
    """The fold, in what is being built; `i18n(key)` gives a text in the visitor's language."""
    with gr.Accordion(i18n("definitions"), open=False, elem_id="definitions"):
        gr.Markdown(i18n("definitions_help"), elem_id="definitions-help")
        with gr.Row():
            zips = {"file_types": [".zip"], "height": 120}
            predictions = gr.File(label=i18n("definitions_predictions"), elem_id="definitions-predictions", **zips)
            truth = gr.File(label=i18n("definitions_truth"), elem_id="definitions-truth", **zips)
        with gr.Row():
            known = [(labels.title, name) for name, labels in LABEL_SETS.items()]
            dataset = gr.Dropdown(known, value=known[0][1], label=i18n("definitions_dataset"))
            claimed = gr.Textbox(label=i18n("definitions_claimed"), placeholder="63.7", max_lines=1)
        go = gr.Button(i18n("definitions_go"), size="md", elem_id="definitions-go")
        answer = gr.Markdown("", elem_id="definitions-answer")
        counted = gr.State(None, time_to_live=KEPT_SECONDS)
    return DefinitionsParts(predictions, truth, dataset, claimed, go, answer, counted)


def check_number(page: Page, predictions, truth, dataset: str, claimed: str, counted, request: gr.Request) -> tuple:
    """Table and answer as Markdown, two emptied uploads, and the counts for the next figure."""
    language, paths = language_of(request), [uploaded_path(predictions), uploaded_path(truth)]
    if not all(Path(path).is_file() for path in paths if path):
        raise refuse(Message("error_definitions_expired"), language)
    try:
        if all(paths):
            counted = page.evaluation.count_masks(paths[0], paths[1], LABEL_SETS[dataset])
        elif any(paths) or not isinstance(counted, np.ndarray):
            raise ImageError(Message("error_definitions_missing"))
        return page.evaluation.definitions(counted, claimed or "", language), None, None, counted
    except (ImageError, ValueError) as error:
        raise refuse(error_text(error), language) from None
    finally:
        if all(paths):
            delete_files(paths)


def connect_definitions(page: Page, part: DefinitionsParts) -> None:
    """Tie the button. It waits for batches, with which it shares the processor."""

    def run(predictions, truth, dataset, claimed, counted, request: gr.Request):
        return check_number(page, predictions, truth, dataset, claimed, counted, request)

    part.go.click(
        run,
        [part.predictions, part.truth, part.dataset, part.claimed, part.counted],
        [part.answer, part.predictions, part.truth, part.counted],
        preprocess=False,
        concurrency_id="batch",
        concurrency_limit=1,
        api_visibility="private",
        show_progress_on=part.answer,
    )
