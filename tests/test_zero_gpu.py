"""ZeroGPU, played: what `spaces.GPU` decorates runs in a forked process, and all that passes the border is pickled.

The process that serves believes in a GPU, as torch does on such a Space; the one that works has this machine's cores.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent

SPACES = """
import multiprocessing, os, pickle, traceback

def GPU(function):
    def work(connection):
        import torch
        torch.cuda.is_available = lambda: False
        torch.set_num_threads(1)
        try:
            arguments, named = pickle.loads(connection.recv_bytes())
            connection.send_bytes(pickle.dumps((os.getpid(), function(*arguments, **named))))
        except BaseException:
            traceback.print_exc()
            connection.send_bytes(pickle.dumps((os.getpid(), None)))

    def call(*arguments, **named):
        ours, theirs = multiprocessing.Pipe()
        process = multiprocessing.get_context("fork").Process(target=work, args=(theirs,))
        process.start()
        ours.send_bytes(pickle.dumps((arguments, named)))
        pid, result = pickle.loads(ours.recv_bytes())
        process.join()
        assert pid != os.getpid()
        print("worked apart:", function.__name__)
        return result

    return call
"""

PROGRAM = """
import numpy as np
import torch
torch.cuda.is_available = lambda: True

import app
from zoo.hub.catalog import load
from zoo.images.examples import examples
from zoo.models.segmentation import segment

name = "fcn8s-vgg16bn-w25-ce-camvid"
page = app.make_page(app.Catalog(), dict)
work = page.prepare(str(examples()[0].photo), [name])
list(work.advance(page.segmenter))
assert not work.errors, work.errors
rungs = page.segmenter.rungs(work.infos[0], work.decoded.image)
assert [rung.name for rung in rungs][-2:] == ["fused 8", "output"]
expected = segment(load(name), work.decoded.image, precision="fp32").mask
assert work.results[name].precision == "fp32" and np.array_equal(rungs[-1].mask, work.results[name].mask)
print("agreement:", (work.results[name].mask == expected).mean())
"""


def test_masks_and_score_maps_come_from_the_other_process(tmp_path):
    (tmp_path / "spaces.py").write_text(SPACES, encoding="utf-8")
    command = [sys.executable, "-c", f"import sys; sys.path[:0] = [{str(tmp_path)!r}]\n{PROGRAM}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[:2] == ["worked apart: run", "worked apart: climb"]
    assert float(lines[2].split()[1]) > 0.999
