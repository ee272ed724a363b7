"""Which images were counted: told by what they hold, not by what they are called.

Hashed is what networks see and are scored against: upright RGB pixels as they are decoded, and class ids. So names,
folders, order, lossless compression and the way in which masks store their ids leave the hash alone, and where two
decoders disagree on a JPEG's pixels, the results are not ranked together.
"""

import hashlib
from collections.abc import Iterable

import numpy as np

VOID_IN_HASH = 255  # data sets differ in the number that stands for it


def image_digest(image: np.ndarray, mask: np.ndarray, void: int) -> str:
    """SHA-256 of an image (H, W, 3) uint8 and its mask (H, W) uint8, in which `void` marks unlabelled pixels."""
    ids = np.where(mask == void, VOID_IN_HASH, mask).astype(np.uint8)
    found = hashlib.sha256(f"{mask.shape[0]}x{mask.shape[1]}\n".encode())
    found.update(np.ascontiguousarray(image).data)
    found.update(np.ascontiguousarray(ids).data)
    return found.hexdigest()


def content_sha256(digests: Iterable[str]) -> str:
    """SHA-256 of the digests of all images, sorted, one a line: the identity of a split."""
    return hashlib.sha256("".join(f"{digest}\n" for digest in sorted(digests)).encode()).hexdigest()


def images_of(document: dict) -> tuple:
    """The images and classes that a result was measured on, equal for results that may be ranked together.

    Results from before images were hashed are told by the names of their images, and equal only one another.
    """
    dataset = document["dataset"]
    classes = tuple(dataset["classes"])
    if dataset.get("content_sha256"):
        return dataset["content_sha256"], classes
    return dataset["name"], dataset["split"], dataset.get("image_list_sha256"), classes
