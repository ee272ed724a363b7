"""A small labelme project for tests: photos of round leaves on sand, labelled with circles and polygons."""

import json
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw


def write_project(root: Path, *, photos: int = 10, size: tuple[int, int] = (96, 80)) -> Path:
    """Write photos and labelme 6 JSON files of leaves (green discs) and stones (grey squares)."""
    root.mkdir(parents=True)
    random = np.random.default_rng(0)
    for number in range(photos):
        image = Image.new("RGB", size, (205, 180, 120))
        pencil, shapes = ImageDraw.Draw(image), []
        for _ in range(3):
            x, y = (int(random.integers(14, side - 14)) for side in size)
            pencil.ellipse((x - 9, y - 9, x + 9, y + 9), fill=(40, 140, 50))
            shapes.append(shape("leaf", "circle", [[x, y], [x + 9, y]]))
        x, y = (int(random.integers(2, side - 16)) for side in size)
        pencil.rectangle((x, y, x + 12, y + 12), fill=(110, 110, 120))
        corners = [[x, y], [x + 12, y], [x + 12, y + 12], [x, y + 12]]
        shapes.append(shape("stone", "polygon", corners))
        noise = random.integers(-12, 13, (*size[::-1], 3))
        pixels = (np.asarray(image).astype(int) + noise).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(root / f"beach_{number:02d}.png")
        document = {
            "version": "6.3.1",
            "flags": {},
            "shapes": shapes,
            "imagePath": f"beach_{number:02d}.png",
            "imageData": None,
            "imageHeight": size[1],
            "imageWidth": size[0],
        }
        (root / f"beach_{number:02d}.json").write_text(json.dumps(document), encoding="utf-8")
    return root


def shape(label: str, kind: str, points: list) -> dict:
    """One shape as labelme 6 writes it."""
    common = {"group_id": None, "description": "", "flags": {}, "mask": None}
    return {"label": label, "points": points, "shape_type": kind} | common
