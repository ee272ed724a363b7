"""Giving memory back while nobody wants a mask.

The pass of a network needs several times the memory of its weights, and nine networks keep as much each, so that the
next pass need not ask the kernel for it page by page. Between two visitors that is memory for nothing.
"""

import logging
import threading

from zoo.models.allocator import give_back_freed_memory
from zoo.page.comparison import Segmenter

logger = logging.getLogger("zoo")

# Shorter than people look at masks; the next request for nine networks takes a tenth of a second longer.
QUIET_SECONDS = 4.0


class Resting(threading.Thread):
    """Lets the segmenter rest each time that no engine was wanted for `quiet` seconds after one was."""

    def __init__(self, segmenter: Segmenter, quiet: float = QUIET_SECONDS):
        super().__init__(daemon=True, name="zoo-rest")
        self.segmenter, self.quiet = segmenter, quiet
        self.ended = threading.Event()

    def run(self) -> None:
        """Until `ended` is set, which is seen at the end of the next quiet time."""
        used = self.segmenter.used
        while not self.ended.is_set():
            used.wait()
            while used.is_set() and not self.ended.is_set():
                used.clear()
                self.ended.wait(self.quiet)
            try:
                self.segmenter.rest()
                give_back_freed_memory()
            except Exception as error:  # the page answers all the same
                logger.error("memory was not given back (%s); it is tried again", type(error).__name__)
