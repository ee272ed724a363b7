"""From score maps to masks, in NumPy: bilinear upsampling as matrices, and the class that wins at every pixel.

Bilinear upsampling works on rows and columns by themselves, and so does resizing what it gives: for each size the
matrices of both are multiplied once, and a strip of the photo is the score map between two of them. Every engine ends
with this, whatever ran its network.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache, lru_cache

import numpy as np
from threadpoolctl import ThreadpoolController

from zoo.config import OUTPUT_STRIDE, FCNConfig
from zoo.models.architecture import PAPER_OUTPUT_OFFSET

STRIP_VALUES = 2**18  # logits that exist at once; more would not stay in a processor's cache
BLOCK_COLUMNS = 512  # columns of a photo that are made at once: they need few columns of a large score map
Size = tuple[int, int]  # height, width


class Output:
    """How the logits of a network that is no FCN become a mask: they have the photo's size already.

    threads: how many label a photo's strips; 0 are as many as the process may use.
    """

    def __init__(self, threads: int = 1):
        self.threads = threads or available_processors()

    def label(self, scores: np.ndarray, seen: Size, size: Size) -> tuple[np.ndarray, np.ndarray]:
        """Mask (H, W) uint8 and confidence (H, W) float32 at `size` from the last score map (C, h, w) of a photo.

        seen: the photo's size for the network. Raises ValueError for scores that are not finite.
        """
        sides = zip(seen, size, strict=True)
        rows, columns = (upsampling_matrix(had, 1, 0, had, wanted) for had, wanted in sides)
        return winners(scores, rows, columns, self.threads)


class Ladder(Output):
    """The upsampling of an FCN, from its configuration and its state dict as arrays: see `zoo.models.fcn`.

    strides: of the score maps that are added up, coarse to fine. kernels: {stride: (C, C, k, k) float32} of the learned
    transposed convolutions that start there.
    """

    def __init__(self, config: FCNConfig, weights: Mapping[str, np.ndarray], threads: int = 1):
        super().__init__(threads)
        self.config, self.padded = config, config.padding != "paper"
        self.stride = OUTPUT_STRIDE[config.variant]
        self.strides = tuple(stride for stride in (32, 16, 8) if stride >= self.stride)
        names = {stride: f"upsample.{stride}.weight" for stride in self.strides[:-1]}
        names |= {self.stride: "upsample_output.weight"}
        found = {stride: weights[name] for stride, name in names.items() if name in weights}
        self.kernels = {stride: np.asarray(kernel, np.float32) for stride, kernel in found.items()}

    def offset(self, stride: int) -> int:
        """`grid_offset` of this network."""
        return grid_offset(self.config, stride)

    def label(self, scores: np.ndarray, seen: Size, size: Size) -> tuple[np.ndarray, np.ndarray]:
        """As `Output.label`, the scores upsampled to the photo first."""
        if self.stride in self.kernels:
            first = self.config.phase if self.padded else PAPER_OUTPUT_OFFSET[self.stride]
            logits = transposed_convolution(scores, self.kernels[self.stride], padded=self.padded)
            return super().label(logits[:, first : first + seen[0], first : first + seen[1]], seen, size)
        offset, edges = self.offset(self.stride), self.padded
        sides = zip(scores.shape[1:], seen, size, strict=True)
        rows, columns = (
            upsampling_matrix(side, self.stride, offset, had, wanted, edges=edges) for side, had, wanted in sides
        )
        return winners(scores, rows, columns, self.threads)

    def blocks(self, scores: np.ndarray, stride: int, seen: Size, size: Size) -> tuple[np.ndarray, np.ndarray]:
        """As `label`, of the score map (C, h, w) at any stride, each score shown as it is by a block of pixels."""
        mask, confidence = top_class(scores.copy())
        rows, columns = (self.cells(wanted, had, stride) for wanted, had in zip(size, seen, strict=True))
        return mask[rows][:, columns], confidence[rows][:, columns]

    def cells(self, size: int, seen: int, stride: int) -> np.ndarray:
        """Index of the score nearest to each of `size` pixels, of a side that the network sees with `seen` pixels."""
        places = (2 * np.arange(size) + 1) * seen // (2 * size)
        return (places + self.offset(stride)) // stride

    def own_kernels(self, stride: int) -> np.ndarray:
        """(C, 4, 4) float32: how the upsampling after a stride, x2, carries each class to itself."""
        kernel = self.kernels.get(stride)
        if kernel is None:
            line = np.array([0.25, 0.75, 0.75, 0.25], np.float32)
            return np.broadcast_to(np.outer(line, line), (len(self.config.classes), 4, 4))
        return np.einsum("cckl->ckl", kernel)

    def twice(self, scores: np.ndarray, stride: int) -> np.ndarray:
        """Scores (C, h, w) at `stride` as the ladder has them at half of it."""
        if stride in self.kernels:
            return transposed_convolution(scores, self.kernels[stride], padded=self.padded)
        # Without padding, a transposed convolution gives one block more than there are scores.
        wide = [2 * (side if self.padded else side + 1) for side in scores.shape[1:]]
        offset = 0 if self.padded else -1
        sides = zip(scores.shape[1:], wide, strict=True)
        rows, columns = (upsampling_matrix(had, 2, offset, more, more, edges=self.padded) for had, more in sides)
        return rows @ scores @ columns.T


def grid_offset(config: FCNConfig, stride: int) -> int:
    """Pixels by which the grid of a stride begins before the photo."""
    return config.phase if config.padding != "paper" else PAPER_OUTPUT_OFFSET[stride] - stride // 2


@lru_cache(maxsize=64)
def upsampling_matrix(
    scores: int, stride: int, offset: int, seen: int, target: int, *, edges: bool = True
) -> np.ndarray:
    """(target, scores) float32: one side of the logits at `target` pixels, from a side of `scores` scores.

    The scores are upsampled by `stride` as a transposed convolution with a bilinear kernel does it, `seen` pixels from
    `offset` on are kept, and resized to `target` bilinearly, as `F.interpolate` does it without aligned corners.
    edges: scores beyond the border are equal to those at it; otherwise they are zero.
    """
    places = (np.arange(seen) + 0.5 + offset) / stride - 0.5
    below = np.floor(places).astype(int)
    matrix = np.zeros((seen, scores))
    for index, share in ((below, 1 - (places - below)), (below + 1, places - below)):
        inside = np.flatnonzero(edges | ((index >= 0) & (index < scores)))
        matrix[inside, index.clip(0, scores - 1)[inside]] += share[inside]
    if target != seen:
        places = ((np.arange(target) + 0.5) * (seen / target) - 0.5).clip(0, seen - 1)
        above = places.astype(int)
        share = (places - above)[:, None]
        matrix = (1 - share) * matrix[above] + share * matrix[(above + 1).clip(max=seen - 1)]
    matrix = matrix.astype(np.float32)
    matrix.flags.writeable = False  # it is kept
    return matrix


def winners(
    scores: np.ndarray, rows: np.ndarray, columns: np.ndarray, threads: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """`top_class` of the logits that scores (C, h, w) are between matrices (H, h) and (W, w); a strip at a time.

    Each of `threads` takes the next strip; the numbers are the same.
    """
    classes, height, width = len(scores), len(rows), len(columns)
    mask, confidence = np.empty((height, width), np.uint8), np.empty((height, width), np.float32)
    count = max(1, STRIP_VALUES // (classes * min(width, BLOCK_COLUMNS)))

    def strip(top: int, left: int, wide: np.ndarray) -> None:
        part = rows[top : top + count]
        used = _used(part)  # few: that is why the columns, of which a strip has all, are made before
        place = slice(top, top + count), slice(left, left + BLOCK_COLUMNS)
        mask[place], confidence[place] = top_class(np.matmul(part[:, used], wide[:, used]))

    with one_blas_thread():
        for left in range(0, width, BLOCK_COLUMNS):
            block = columns[left : left + BLOCK_COLUMNS]
            used = _used(block)
            wide = scores[..., used] @ block[:, used].T  # (C, h, columns of the block)
            strips = [(top, left, wide) for top in range(0, height, count)]
            each = map if threads == 1 or len(strips) == 1 else labellers(threads, os.getpid()).map
            for _ in each(strip, *zip(*strips, strict=True)):
                pass
    return mask, confidence


def available_processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def labellers(threads: int, process: int) -> ThreadPoolExecutor:
    """Threads that label strips, kept from one photo to the next; a forked process, to which none came, has its own."""
    return ThreadPoolExecutor(threads, "labelling")


@cache
def blas() -> ThreadpoolController:
    """What multiplies NumPy's matrices. Its threads spin for a while after a product, beside the next network's."""
    return ThreadpoolController().select(user_api="blas")


_limited = threading.Lock()
_limits: list = []  # the limiter, once for each thread that is inside


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Keep NumPy's products to one thread; the number is the process's, so the last to leave restores it."""
    with _limited:
        _limits.append(_limits[0] if _limits else blas().limit(limits=1))
    try:
        yield
    finally:
        with _limited:
            limiter = _limits.pop()
            if not _limits:
                limiter.restore_original_limits()


def _used(matrix: np.ndarray) -> slice:
    """The columns of a matrix from the first to the last that is not all zero."""
    found = np.flatnonzero(matrix.any(0))
    return slice(int(found[0]), int(found[-1]) + 1) if len(found) else slice(0, 1)


def top_class(logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Winning class (H, W) uint8, the first of equals, and its softmax probability (H, W) float32, of logits (C, H, W).

    The logits are used up. Raises ValueError for some that are not finite.
    """
    classes = len(logits)
    np.subtract(logits, logits.max(0), out=logits)
    countdown = np.arange(classes, 0, -1, dtype=np.uint8)[:, None, None]
    mask = classes - ((logits == 0).view(np.uint8) * countdown).max(0)
    confidence = 1 / np.exp(logits, out=logits).sum(0)
    if not np.isfinite(confidence.sum()):  # a NaN anywhere is one in the sum
        raise ValueError("the model returned logits that are not finite; the checkpoint is unusable")
    return mask.astype(np.uint8, copy=False), confidence


def transposed_convolution(scores: np.ndarray, kernel: np.ndarray, *, padded: bool) -> np.ndarray:
    """Scores (C, h, w) after a transposed convolution with `kernel` (C, C, 2 * factor, 2 * factor) and stride `factor`.

    padded: edges are replicated and the result is (C, h * factor, w * factor); otherwise it is one block larger.
    """
    factor = kernel.shape[-1] // 2
    if padded:
        scores = np.pad(scores, ((0, 0), (1, 1), (1, 1)), mode="edge")
    classes, height, width = scores.shape
    blocks = np.zeros((kernel.shape[1], height + 1, factor, width + 1, factor), np.float32)
    flat = scores.reshape(classes, -1)
    for row in range(2 * factor):
        for column in range(2 * factor):
            part = (kernel[:, :, row, column].T @ flat).reshape(-1, height, width)
            down, right = row // factor, column // factor
            blocks[:, down : down + height, row % factor, right : right + width, column % factor] += part
    found = blocks.reshape(len(blocks), (height + 1) * factor, (width + 1) * factor)
    margin = factor + factor // 2
    return found[:, margin:-margin, margin:-margin] if padded else found
