"""Decoding apart from the page: a few small processes open uploads, so that a decoder that fails costs one request.

A worker that dies, hangs or needs too much memory is replaced, and the person gets a sentence. Pixels come back in
shared memory. `FCN_ZOO_DECODE=inside` decodes in the page's own process instead, for systems that forbid new processes;
nothing else does, and a pool that cannot start says why.
"""

import atexit
import contextlib
import json
import logging
import math
import mmap
import os
import queue
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from zoo.images import photo, truth
from zoo.images.photo import LONG_SIDE, Decoded, ImageError
from zoo.images.stored import read_stored
from zoo.labels import LabelSet
from zoo.text import Message, texts

logger = logging.getLogger("zoo")

VARIABLE = "FCN_ZOO_DECODE"
PLACES = ("apart", "inside")
WORKERS = 2
START_SECONDS = 60.0
JOB_SECONDS = 40.0  # of an upload in a worker; the processor's own limit is shorter
FILE_BYTES = 256_000_000  # the largest file or shared memory that a worker can write
LONGEST_MESSAGE = 100_000
HEAD = struct.Struct("<I")
WAIT_SECONDS = 90.0  # for a worker that is free
ROOT = Path(__file__).parent.parent.parent
# Nothing of the page's environment: it may hold tokens. One thread each: more reserve memory that the limit counts.
ENVIRONMENT = {"LANG": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}
PROGRAM = (
    "import sys; sys.path.insert(0, sys.argv[1]); from zoo.images.worker_process import main; "
    "main(int(sys.argv[2]), int(sys.argv[3]))"
)


def send(connection: socket.socket, document: dict, descriptors: tuple[int, ...] = ()) -> None:
    """Send one JSON document, with open files."""
    body = json.dumps(document).encode()
    if len(body) > LONGEST_MESSAGE:
        raise ValueError("a message between the page and its decoder is too long")
    if descriptors:
        socket.send_fds(connection, [HEAD.pack(len(body))], list(descriptors))
    else:
        connection.sendall(HEAD.pack(len(body)))
    connection.sendall(body)


def receive(connection: socket.socket) -> tuple[dict, list[int]]:
    """One JSON document and the open files that came with it. Raises EOFError when the other side is gone."""
    head, descriptors, _, _ = socket.recv_fds(connection, HEAD.size, 1)
    while head and len(head) < HEAD.size:
        head += connection.recv(HEAD.size - len(head)) or b"\0" * HEAD.size
    if len(head) != HEAD.size:
        raise EOFError
    (length,) = HEAD.unpack(head)
    if length > LONGEST_MESSAGE:
        raise ValueError("a message between the page and its decoder is too long")
    body = b""
    while len(body) < length:
        part = connection.recv(length - len(body))
        if not part:
            raise EOFError
        body += part
    return json.loads(body), descriptors


class DecoderError(RuntimeError):
    """Decoding apart is not possible on this machine; the message says why and what to do."""


class Worker:
    """One process. Raises DecoderError when it cannot be started."""

    def __init__(self):
        self.memory = _shared_memory()
        self.connection, other = socket.socketpair()
        command = [sys.executable, "-I", "-c", PROGRAM, str(ROOT), str(other.fileno()), str(self.memory)]
        null = subprocess.DEVNULL
        try:
            self.process = subprocess.Popen(
                command,
                env=ENVIRONMENT,
                cwd="/",
                pass_fds=(other.fileno(), self.memory),
                stdin=null,
                stdout=null,
                stderr=null,
            )
            self.connection.settimeout(START_SECONDS)
            self.missing_limits = receive(self.connection)[0]["missing_limits"]
        except (OSError, EOFError, ValueError, KeyError) as error:
            self.close()
            raise DecoderError(
                f"the process that decodes uploads does not start ({error!r}); {VARIABLE}=inside decodes in the page"
            ) from None
        finally:
            other.close()

    def do(self, job: dict, source: bytes | str | Path | None, take: Callable[[np.ndarray], Any]) -> tuple[dict, Any]:
        """The worker's answer to a job on file content or a path, or on what it holds, and what `take` makes of pixels.

        The pixels are the worker's own and gone after the call. OSError, EOFError or ValueError if it fails.
        """
        self.connection.settimeout(JOB_SECONDS)
        if source is None:
            send(self.connection, job)
        else:
            with _opened(source) as upload:
                send(self.connection, job, (upload.fileno(),))
        said, _ = receive(self.connection)
        if "shape" not in said:
            return said, None
        shape = tuple(int(side) for side in said["shape"])
        size = math.prod(shape)
        if min(shape) < 1 or size > FILE_BYTES or os.fstat(self.memory).st_size < size:
            raise ValueError("a decoder's answer does not fit its pixels")
        with mmap.mmap(self.memory, size, prot=mmap.PROT_READ) as shared, memoryview(shared) as view:
            pixels = np.frombuffer(view, np.uint8).reshape(shape)
            taken = take(pixels)
            del pixels
            return said, taken

    def close(self) -> None:
        """End the process, whatever it does."""
        self.connection.close()
        with contextlib.suppress(AttributeError, OSError):
            self.process.kill()
            self.process.wait(5)
        with contextlib.suppress(OSError):
            os.close(self.memory)


class Pool:
    """`WORKERS` processes, each started when it is first needed or by `start`."""

    def __init__(self, size: int = WORKERS):
        self.free: queue.LifoQueue[Worker | None] = queue.LifoQueue()
        for _ in range(size):
            self.free.put(None)
        self.size, self.closed = size, False
        atexit.register(self.close)

    def start(self) -> None:
        """Start every worker now, before other libraries make the page's process large. Raises DecoderError."""
        taken = [self.free.get() for _ in range(self.size)]
        for place, worker in enumerate(taken):
            try:
                taken[place] = worker or self.new_worker()
            except DecoderError:
                [self.free.put(other) for other in taken]
                raise
        for worker in taken:
            self.free.put(worker)

    def new_worker(self) -> Worker:
        """A started worker; the log says which limits this system does not have."""
        worker = Worker()
        if worker.missing_limits:
            logger.warning("Uploads are decoded without these limits: %s", ", ".join(worker.missing_limits))
        return worker

    @contextlib.contextmanager
    def worker(self) -> Iterator[Worker]:
        """A worker for this thread alone; one that failed is replaced."""
        try:
            worker = self.free.get(timeout=WAIT_SECONDS)
        except queue.Empty:
            raise ImageError(Message("error_decoder_busy")) from None
        try:
            worker = worker or self.new_worker()
            yield worker
        except ImageError:
            raise
        except DecoderError as error:
            logger.error("%s", error)
            raise ImageError(Message("error_decoder_died")) from None
        except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
            if worker:
                worker.close()
            worker = None
            slow = isinstance(error, TimeoutError)
            logger.warning("A decoder %s; its upload was refused", "took too long" if slow else "died")
            raise ImageError(Message("error_decoder_slow" if slow else "error_decoder_died")) from None
        finally:
            self.free.put(worker)

    def close(self) -> None:
        """End all workers."""
        while True:
            try:
                worker = self.free.get_nowait()
            except queue.Empty:
                return
            if worker:
                worker.close()


@cache
def pool() -> Pool:
    """The page's pool."""
    return Pool()


def apart() -> bool:
    """Whether uploads are decoded in processes of their own. Raises ValueError naming the variable."""
    place = os.environ.get(VARIABLE) or PLACES[0]
    if place not in PLACES:
        raise ValueError(f"{VARIABLE}: {place!r} is not one of {', '.join(PLACES)}")
    return place == "apart"


def start() -> None:
    """Start the pool, if there is to be one. Raises DecoderError where it cannot be started."""
    if apart():
        pool().start()
    else:
        logger.warning("%s=inside: uploads are decoded in the page's own process, without its limits", VARIABLE)


def decode_image(source: bytes | str | Path | None, long_side: int = LONG_SIDE) -> Decoded:
    """`zoo.images.photo.decode_image` in a worker. Raises ImageError, also where the worker fails."""
    if not source or not apart():
        return photo.decode_image(source, long_side)
    said, image = _answer({"kind": "photo", "long_side": long_side}, source, Image.fromarray)
    notes = tuple(unpack_message(note) for note in said["notes"])
    return Decoded(image, notes, tuple(int(side) for side in said["original_size"]))


def decode_truth(source: bytes | str | Path, labels: LabelSet, decoded: Decoded) -> np.ndarray:
    """`zoo.images.truth.decode_truth` in a worker. Raises ImageError, also where the worker fails."""
    if not apart():
        return truth.decode_truth(source, labels, decoded)
    job = {"kind": "truth", "labels": asdict(labels)}
    job |= {"size": list(decoded.display.size), "original_size": list(decoded.original_size)}
    mask = _answer(job, source, np.copy)[1]
    if mask.shape != decoded.display.size[::-1]:
        raise ImageError(Message("error_decoder_died"))
    return mask


def decode_mask(source: bytes | str | Path, labels: LabelSet) -> np.ndarray:
    """(H, W) ids of a label image of its own size, read in a worker. Raises ImageError, also where the worker fails."""
    if not apart():
        return truth.to_ids(read_stored(source), labels)
    return _answer({"kind": "mask", "labels": asdict(labels)}, source, np.copy)[1]


def _answer(job: dict, source: bytes | str | Path, take: Callable[[np.ndarray], Any]) -> tuple[dict, Any]:
    dimensions = 3 if job["kind"] == "photo" else 2

    def take_checked(pixels: np.ndarray) -> Any:
        if pixels.ndim != dimensions or (dimensions == 3 and pixels.shape[2] != 3):
            raise ValueError("a decoder's pixels have another form")
        return take(pixels)

    with pool().worker() as worker:
        said, taken = worker.do(job, source, take_checked)
        if taken is None and said["error"]["key"] == "error_decoder_died":
            raise EOFError  # it ran out of memory; a new one begins with all of it
    if taken is None:
        raise ImageError(unpack_message(said["error"]))
    return said, taken


def unpack_message(packed: dict) -> Message:
    """The Message that a worker packed; one that no catalogue knows is that of a worker that failed."""
    try:
        values = {
            str(name): unpack_message(value)
            if isinstance(value, dict)
            else value
            if isinstance(value, int)
            else str(value)
            for name, value in packed["values"].items()
        }
        return Message(packed["key"] if packed["key"] in texts() else "error_decoder_died", **values)
    except (KeyError, AttributeError, TypeError, ValueError, IndexError):
        return Message("error_decoder_died")


@contextlib.contextmanager
def _opened(source: bytes | str | Path) -> Iterator[BinaryIO]:
    """An open file of this content, or of the file at this path."""
    if not isinstance(source, bytes):
        try:
            file = open(source, "rb")  # noqa: SIM115 - closed below
        except FileNotFoundError:
            raise ImageError(Message("error_expired")) from None
        with file:
            yield file
        return
    with open(_shared_memory(), "r+b") as file:
        file.write(source)
        file.flush()
        file.seek(0)
        yield file


def _shared_memory() -> int:
    """A descriptor of memory that two processes see; of a file without a name where the system has no such memory."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("fcn-zoo-pixels")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
