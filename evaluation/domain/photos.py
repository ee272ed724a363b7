"""The pictures that the command shows: streets by walk, ordinary photos that packages carry, drawings and noise."""

import hashlib
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from zoo.images.photo import decode_image

HELD_OUT = (0, 1)  # sha256 of a walk's name, modulo 5: its photos never become statistics
# Photos that come with packages, by package. Pictures of anything but streets, some of them through a microscope.
CARRIED = {
    "skimage": (
        "data",
        "astronaut.png brick.png camera.png cell.png chelsea.png clock_motion.png coffee.png coins.png grass.png "
        "gravel.png hubble_deep_field.jpg ihc.png microaneurysms.png moon.png motorcycle_left.png motorcycle_right.png "
        "page.png retina.jpg rocket.jpg",
    ),
    "sklearn": ("datasets/images", "china.jpg flower.jpg"),
    "matplotlib": ("mpl-data/sample_data", "grace_hopper.jpg"),
    "gradio": (
        ".",
        "media_assets/images/cheetah.jpg media_assets/images/cheetah1.jpg media_assets/images/groot.jpeg "
        "media_assets/images/lion.jpg media_assets/images/tower.jpg test_data/cheetah2.jpg",
    ),
}


def walk_of(path: Path) -> str:
    """The walk that a street photo was taken on: what its name says before the last double underscore."""
    return path.stem.rsplit("__", 1)[0]


def is_held_out(path: Path) -> bool:
    """Whether the photo's walk is kept from the statistics."""
    return int(hashlib.sha256(walk_of(path).encode()).hexdigest(), 16) % 5 in HELD_OUT


def images_in(folder: Path) -> list[Path]:
    """PNG and JPEG files of a folder, sorted, hidden ones left out; of its `images` folders where it has splits."""
    found = (path for path in folder.rglob("*") if path.suffix.lower() in (".png", ".jpg", ".jpeg"))
    found = sorted(path for path in found if not path.name.startswith("."))
    return [path for path in found if path.parent.name == "images"] or found


def carried_photos() -> list[Path]:
    """The photos of `CARRIED` whose packages are installed here."""
    found = []
    for package, (folder, names) in CARRIED.items():
        if (spec := find_spec(package)) and spec.origin:
            places = [Path(spec.origin).parent / folder / name for name in names.split()]
            found += [place for place in places if place.is_file()]
    return found


def drawing(seed: int) -> Image.Image:
    """Shapes, lines and words on white, as from a drawing program: 640 x 480."""
    random = np.random.default_rng(seed)
    image = Image.new("RGB", (640, 480), "white")
    pen = ImageDraw.Draw(image)
    for _ in range(int(random.integers(3, 25))):
        (left, right), (top, bottom) = (sorted(random.integers(0, side, 2).tolist()) for side in (640, 480))
        colour, width = tuple(random.integers(0, 256, 3).tolist()), int(random.integers(1, 8))
        kind = random.integers(0, 4)
        if kind == 0:
            pen.rectangle((left, top, right, bottom), outline=colour, width=width)
        elif kind == 1:
            pen.ellipse((left, top, right, bottom), outline=colour, fill=colour if width > 4 else None, width=width)
        elif kind == 2:
            pen.line((left, top, right, bottom), fill=colour, width=width)
        else:
            pen.text((left, top), "one two three", fill=colour)
    return image


def noise(seed: int) -> Image.Image:
    """Uniform, coarse or Gaussian noise: 480 x 360."""
    random, kind = np.random.default_rng(seed), seed % 3
    if kind == 2:
        return Image.fromarray((128 + 40 * random.standard_normal((360, 480, 3))).clip(0, 255).astype(np.uint8))
    size = (36, 48, 3) if kind else (360, 480, 3)
    return Image.fromarray(random.integers(0, 256, size, np.uint8)).resize((480, 360), Image.Resampling.BICUBIC)


def read(photo: Path | Image.Image) -> Image.Image:
    """A file as the page reads it, or the picture itself."""
    return decode_image(photo).image if isinstance(photo, Path) else photo
