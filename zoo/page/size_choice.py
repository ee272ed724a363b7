"""The choice of the size at which checkpoints see photos, which stands under one photo and under many."""

import gradio as gr

from zoo.working_size import SIZES


def size_choice(i18n: gr.I18n, elem_id: str) -> gr.Radio:
    """A Radio of `SIZES`, as trained at first, inside the Blocks that are being built."""
    sizes = [(i18n(f"size_{size}"), size) for size in SIZES]
    return gr.Radio(sizes, value=SIZES[0], label=i18n("size"), elem_id=elem_id, elem_classes="size-choice")
