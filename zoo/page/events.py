"""The page's events: which component asks for what, and where the answer goes.

One comparison at a time: the machine's cores are one model's worth. Private events are not part of the API.
"""

import gradio as gr

from zoo.page.batch_tab import connect_batch
from zoo.page.components import script
from zoo.page.definitions_part import connect_definitions
from zoo.page.fairness import LANE
from zoo.page.handlers import Page
from zoo.page.layout import CompareParts, Parts
from zoo.page.lesson import Lesson
from zoo.page.refusal import tell

# Light work is done at once: it must not wait behind forward passes, nor be refused where their queue is full.
PRIVATE = {"api_visibility": "private", "show_progress": "hidden", "queue": False}
# What may refuse: Gradio shows no refusal of an event that is not queued. It does not wait.
REFUSING = PRIVATE | {"queue": True, "concurrency_limit": None}


def connect(page: Page, blocks: gr.Blocks, parts: Parts) -> None:
    """Tie every event of the page to its function."""
    part, tabs = parts.compare, parts.tabs
    asked = [part.photo, part.truth, part.picker, part.strip]
    restored = [*asked, part.missing, parts.board.table, parts.board.measure, parts.code, part.waiting, tabs]
    pick = part.strip.pick(page.pick_example, None, [part.photo, part.truth], **PRIVATE)
    brought = [part.strip, part.work, part.photo, part.truth]
    bring = part.photo.input(page.bring, brought, [part.strip, part.truth], preprocess=False, **PRIVATE)
    jump = parts.board.table.compare(page.compare_from_board, part.added, [part.picker, tabs], **PRIVATE)
    restore = blocks.load(page.restore, parts.kept, restored, js=script("arrive"), **PRIVATE)
    revisit = parts.visit.revisit(page.revisit, part.added, asked, **REFUSING)
    revisit.failure(None, js=script("step_failed"), **PRIVATE)
    parts.visit.refused(page.refuse_files, None, None, **REFUSING)
    runs = connect_comparison(page, part, [restore, pick, jump, revisit], bring)
    connect_inside(page, part, runs)
    stop = part.stop.click(page.stop, part.work, [part.viewer, part.status], cancels=runs, **PRIVATE)
    for link in (part.picker.details, part.viewer.leaderboard):
        named = link(page.row_key, None, part.row, **PRIVATE)
        named = named.then(None, part.row, None, js=script("board_row"), **PRIVATE)
        named.then(lambda: gr.Tabs(selected="leaderboard"), None, tabs, **PRIVATE)
    blocks.load(None, js=script("bring"), **PRIVATE)
    connect_batch(page, parts.batch, part)
    connect_definitions(page, parts.board.definitions)
    for tab in tabs.children:
        tab.select(None, js=script("tab"), **PRIVATE)
    parts.lesson.open(Lesson(page).open, None, parts.lesson, **REFUSING | {"show_progress": "minimal"})
    part.rungs.learn(lambda: gr.Tabs(selected="learn"), None, tabs, **PRIVATE)
    part.picker.change(None, [part.picker, parts.code], parts.code, js=script("ticked"), **PRIVATE)
    # Gradio's `then` does not come after a queued function that failed.
    ended = [listener for run in runs for listener in (run.then, run.failure)]
    changed = [part.picker.change, part.size.change, stop.then, *ended]
    part.save.click(None, js=script("save_view"), **PRIVATE)
    connect_forgetting(page, parts, runs)
    connect_freshness(page, part, [*changed, *connect_hub(page, parts, restore)])
    queued = {"concurrency_id": "inference", "concurrency_limit": 1}  # it may make masks at the photo's own size
    zipped = part.download.click(page.download, part.work, part.archive, **REFUSING | queued)
    zipped.success(None, part.archive, None, js=script("download"), **PRIVATE)


def connect_comparison(page: Page, part: CompareParts, after: list, bring) -> list:
    """Compare `after` these events, when a photo is brought and on request; returns the events that compare."""
    work = {
        "fn": page.compare,
        "inputs": [part.photo, part.picker, part.truth, part.added, part.size],
        "outputs": [part.viewer, part.iou, part.work, part.status],
        "preprocess": False,  # uploads are decoded by our own reader: Gradio's would decode whatever their size
        "show_progress": "minimal",
        "show_progress_on": part.status,
        "concurrency_id": LANE,
        "concurrency_limit": 1,
        "api_visibility": "private",
        "trigger_mode": "always_last",  # asked for anew while it runs: once more with what is chosen then, not dropped
    }
    runs = [event.then(**work) for event in after]
    runs.append(bring.then(**work | {"fn": page.compare_if_any}))
    asked = (part.go.click, part.stale.again, part.picker.preset, part.truth.upload, part.truth.clear)
    runs += [event(**work) for event in asked]
    for run in runs:
        js = script("arrived" if run is runs[0] else "address")
        run.then(None, part.viewer, js=js, **PRIVATE)
        run.failure(None, js=script("step_failed"), **PRIVATE)
    return runs


def connect_forgetting(page: Page, parts: Parts, runs: list) -> None:
    """Tie the button that deletes what a visitor has brought."""
    part, batch = parts.compare, parts.batch
    held = [part.photo, part.truth, part.work, batch.work]
    emptied = [part.viewer, part.iou, part.rungs, part.inside, part.stale, part.strip, part.archive, part.status]
    emptied += [batch.files, batch.table, batch.download]
    empty = {"fn": page.forget, "inputs": [*held, part.strip], "outputs": [*held, *emptied], "preprocess": False}
    forget = part.forget.click(**empty, cancels=runs, **PRIVATE)
    # Once more, for what a comparison that was about to end has put back meanwhile.
    forget.then(**empty, **PRIVATE).then(None, js=script("forget"), **PRIVATE)


def connect_freshness(page: Page, part: CompareParts, changed: list) -> None:
    """Mark the results as out of date, or as not, when one of these events may have changed that."""
    inputs = [part.work, part.photo, part.picker, part.truth, part.size]
    for event in changed:
        event(page.stale, inputs, part.stale, preprocess=False, **PRIVATE)


def connect_inside(page: Page, part: CompareParts, runs: list) -> None:
    """Show the score maps inside a checkpoint after each comparison: as a strip, and in a viewer while it is open."""
    climb = {"concurrency_id": LANE, "api_visibility": "private", "show_progress_on": part.inside}
    shown = [part.rungs, part.whose, part.inside]
    look = {"fn": page.inside, "inputs": [part.work, part.whose, part.opened], "outputs": shown}
    for run in runs:
        run.then(**look | climb)
    part.whose.input(**look | climb)
    part.fold.expand(page.open_inside, [part.work, part.whose], [part.opened, *shown], **climb)
    part.fold.collapse(lambda: False, None, part.opened, **PRIVATE)


def connect_hub(page: Page, parts: Parts, restore) -> list:
    """Tie the Hub's events: its checkpoints come after the page, and are asked for again on demand.

    Gives the listeners for what follows where ticks may have changed.
    """
    part, hub, board = parts.compare, parts.compare.hub, parts.board
    after, inputs = [], [part.picker, part.added, part.missing]
    relist = {"fn": page.relist, "inputs": inputs, "outputs": [part.picker, hub.note, part.missing], **PRIVATE}
    rerank = {"fn": page.rerank, "inputs": None, "outputs": [board.table, board.note], **PRIVATE}
    if page.catalog.settings.reads_results:
        asked = hub.refresh.click(page.ask_hub, None, hub.note, **PRIVATE)
        for event in (restore, asked):
            listed = event.then(page.await_hub, **PRIVATE).then(**relist)
            listed.then(tell, **REFUSING)
            after.append(listed.then)
            event.then(page.await_results, **PRIVATE).then(**rerank)
    inputs = [hub.repository, part.picker, part.added]
    outputs = [hub.repository, hub.adding, part.picker, part.added]
    queued = PRIVATE | {"queue": True, "concurrency_limit": 4}
    add = gr.on([hub.add.click, hub.repository.submit], page.add, inputs, outputs, **queued)
    return [*after, add.then]
