"""A checked data set on one page: its splits in a table, the findings, and a sheet of the pictures that show them."""

import base64
import io
from pathlib import Path

import jinja2
import numpy as np
import pandas as pd
from PIL import Image

from evaluation.datasets.checking.findings import Check, Split
from evaluation.datasets.dataset import DatasetError
from zoo.atomic import write_text
from zoo.labels import LabelSet

THUMBNAIL = (280, 210)
PICTURES = 60
EXAMPLES = 4  # of each split, whatever was found


def split_frame(found: Check) -> pd.DataFrame:
    """One row a class: its share of the labelled pixels in per cent and its images, per split; then void."""
    columns: dict[str, dict[str, str]] = {}
    for name, split in found.splits.items():
        pixels, labels = split.pixels, split.dataset.labels
        total = max(1, int(pixels[:, : len(labels.classes)].sum()))
        share, images = columns.setdefault(f"{name} %", {}), columns.setdefault(f"{name} images", {})
        for index, one in enumerate(labels.classes):
            share[one] = f"{100 * pixels[:, index].sum() / total:.2f}"
            images[one] = str(int((pixels[:, index] > 0).sum()))
        share["(void, of all)"] = f"{100 * pixels[:, labels.void].sum() / max(1, pixels.sum()):.2f}"
        images["(void, of all)"] = str(int((pixels[:, labels.void] > 0).sum()))
        share["(all)"], images["(all)"] = "", str(sum(look is not None for look in split.looks))
    return pd.DataFrame(columns).rename_axis("class").reset_index()


def split_table(found: Check) -> str:
    """`split_frame` in aligned columns; the first column is the class."""
    if not found.splits:
        return f"{found.name}: nothing of it can be read"
    frame = split_frame(found)
    return frame.to_markdown(index=False, tablefmt="plain", disable_numparse=True,
                             colalign=["left"] + ["right"] * (len(frame.columns) - 1))  # fmt: skip


def write_page(found: Check, path: Path) -> Path:
    """Write the page, whole in one file; returns its path."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    template = environment.from_string(Path(__file__).with_name("report.html").read_text(encoding="utf-8"))
    left, shown = PICTURES, []
    for finding in found.findings:
        places = finding.pictures[:left]
        left -= len(places)
        split = found.splits.get(finding.split)
        shown.append((finding, [picture(split, place) for place in places] if split else []))
    examples = {
        name: [picture(split, place) for place in spread(split)] for name, split in found.splits.items() if split.looks
    }
    frame = split_frame(found) if found.splits else pd.DataFrame()
    page = template.render(
        title=f"{found.name} in {found.root.resolve().name}",
        columns=list(frame.columns),
        rows=frame.values.tolist(),
        findings=shown,
        examples=examples,
        legends={name: legend(split.dataset.labels) for name, split in list(found.splits.items())[:1]},
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, page)
    return path


def spread(split: Split) -> list[int]:
    """A few usable places all over a split."""
    usable = [index for index, look in enumerate(split.looks) if look]
    return [usable[place] for place in np.linspace(0, len(usable) - 1, min(EXAMPLES, len(usable))).astype(int)]


def legend(labels: LabelSet) -> list[dict]:
    """Class names and colours."""
    return [
        {"name": name, "colour": "#{:02x}{:02x}{:02x}".format(*colour)}
        for name, colour in zip(labels.classes, labels.palette, strict=True)
    ]


def picture(split: Split, index: int) -> dict:
    """Name of an image, and image and mask side by side as a data: URL; void is drawn in magenta stripes."""
    dataset = split.dataset
    try:
        image = Image.fromarray(dataset.image(index))
        ids = Image.fromarray(dataset.mask(index))
    except DatasetError as error:
        return {"name": dataset.image_ids[index], "src": "", "text": str(error)}
    image.thumbnail(THUMBNAIL)
    ids = np.asarray(ids.resize(image.size, Image.Resampling.NEAREST))
    colours = np.zeros((256, 3), np.uint8)
    colours[: len(dataset.labels.palette)] = dataset.labels.palette
    drawn = colours[ids]
    rows, columns = np.indices(ids.shape)
    drawn[(ids == dataset.labels.void) & ((rows + columns) // 4 % 2 == 0)] = (255, 0, 255)
    sheet = Image.fromarray(np.concatenate([np.asarray(image), drawn], axis=1))
    with io.BytesIO() as buffer:
        sheet.save(buffer, "PNG")
        content = base64.b64encode(buffer.getvalue()).decode("ascii")
    return {"name": dataset.image_ids[index], "src": f"data:image/png;base64,{content}", "text": ""}
