"""The size at which a checkpoint works: its long side, which belongs to the checkpoint, and photos brought to it.

A network knows objects at the size that they had in its training images. Of the rules that were measured (long side,
short side, area), the long side keeps that size best where a photo is upright or a panorama: one lens sees as wide
along it whichever way the camera is held, and cropping a photo's height leaves it as it was.
"""

from PIL import Image

SIZES = ("trained", "larger", "full")
LARGER = 4 / 3  # of the working size: the bundled checkpoints gain about half a point, beyond that they lose


def network_side(trained: int | None, photo: tuple[int, int], size: str | int = "trained") -> int:
    """Long side in pixels at which a network sees a photo of (width, height).

    `trained` is the working size of its checkpoint, None where that is unknown: then the photo's own size stands for
    it. `size` is one of `SIZES` ('larger' is `LARGER` times the trained size, but no more than the photo has) or a
    number of pixels. Raises ValueError for anything else.
    """
    own = max(photo)
    if type(size) is int and size >= 1:
        return size
    if size not in SIZES:
        raise ValueError(f"size is {size!r}; it must be one of {', '.join(SIZES)}, or a number of pixels from 1 on")
    if size == "full" or trained is None:
        return own
    return trained if size == "trained" else max(trained, min(own, round(LARGER * trained)))


def scaled(photo: tuple[int, int], long_side: int) -> tuple[int, int]:
    """(width, height) of a photo whose long side becomes `long_side`; no side below one pixel."""
    scale = long_side / max(photo)
    return tuple(max(1, round(side * scale)) for side in photo)


def resize_photo(image: Image.Image, long_side: int) -> Image.Image:
    """The image with a long side of `long_side` pixels, antialiased where it is made smaller."""
    size = scaled(image.size, long_side)
    return image if image.size == size else image.resize(size, Image.Resampling.BICUBIC)


def working_size_of(model: object) -> int | None:
    """The working size of the checkpoint that a network is of; None for a network of none."""
    return getattr(getattr(model, "info", None), "working_size", None)
