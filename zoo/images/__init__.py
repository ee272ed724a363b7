"""Photos and masks: the one reader of each, for page, API, datasets and own folders, and what writes them."""

from zoo.images.photo import Decoded, ImageError, decode_image
from zoo.images.truth import decode_truth

__all__ = ["Decoded", "ImageError", "decode_image", "decode_truth"]
