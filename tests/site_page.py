"""A server that does nothing but hand out the files of a static page, and what tests ask of the page."""

import base64
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from PIL import Image

from zoo.checkpoints.web_runtime import cache_folder, is_complete
from zoo.page.components import FOLDER

needs_engine = pytest.mark.skipif(not is_complete(cache_folder()), reason="`make test` fetches onnxruntime-web")
NETWORKS = ["fcn32s-vgg16bn-w25-ce-camvid", "fcn8s-vgg16bn-w25-ce-camvid"]
TIMEOUT = 120_000  # milliseconds; the machine may be busy
# Keeps what the page makes pictures of, in order: every mask is among it, exactly.
RECORD = """
  window.made = [];
  const create = URL.createObjectURL;
  URL.createObjectURL = (blob) => {
    window.made.push(blob);
    return create(blob);
  };
"""
READ = """async () => {
  const read = (blob) => new Promise((done) => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result.split(",")[1]);
    reader.readAsDataURL(blob);
  });
  return Promise.all(window.made.map(read));
}"""


@pytest.fixture(scope="session")
def site_folder(tmp_path_factory) -> Path:
    """A static page of two networks."""
    from app import write_static_page

    return write_static_page(tmp_path_factory.mktemp("site") / "out", NETWORKS).folder


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of the folder on the loopback, as `python -m http.server` serves it; gone when the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


def wait_until_done(page, masks: int) -> None:
    """Until so many masks are there; the ground truth is one more card."""
    page.wait_for_selector(f"#status[data-done='{masks}']", timeout=TIMEOUT, state="attached")


def pictures(page) -> list[Image.Image]:
    """What the page has made pictures of since it was loaded."""
    return [Image.open(io.BytesIO(base64.b64decode(content))) for content in page.evaluate(READ)]


def masks(page, count: int) -> list[np.ndarray]:
    """The last masks that were made, (H, W) uint8: of each network a palette image, and after it a grey one."""
    made = pictures(page)
    pairs = [image for image, after in pairwise(made) if (image.mode, after.mode) == ("P", "L")]
    return [np.array(image) for image in pairs[-count:]]


RESAMPLE = {"site/resample.js": "* as resample"}


def in_node(code: str, content: bytes, imports: dict[str, str] = RESAMPLE) -> bytes:
    """What code that imports modules of the page writes for some input; `imports` are their names by file."""
    node = Path(sys.executable).with_name("node")
    lines = [f"import {names} from {json.dumps((FOLDER / path).as_uri())};" for path, names in imports.items()]
    program = "\n".join([*lines, code])
    command = [str(node) if node.is_file() else "node", "--input-type=module", "--eval", program]
    return subprocess.run(command, input=content, capture_output=True, check=True).stdout
