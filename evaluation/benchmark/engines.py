"""The engine behind `zoo.segment` against OpenVINO and ONNX Runtime on the portable graph, side by side.

Milliseconds in turns at one thread and at two, for the bundled network and for FCN-8s on the whole VGG-16, and the
resident memory of a process that has labelled one photo with each. OpenVINO is left out where it is not installed.
"""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec

import numpy as np

from evaluation.benchmark.measure import Row, Settings
from evaluation.measuring.evaluate import intra_op_threads
from zoo.checkpoints.export import onnx_runtime
from zoo.checkpoints.folder import bundled_folder
from zoo.labels import PASCAL_VOC
from zoo.models.compiled import runtime
from zoo.models.fcn import FCN, FCNConfig
from zoo.models.graph import build_graph, score_map_outputs
from zoo.models.segmentation import segment
from zoo.models.timing import in_turns
from zoo.places import REPOSITORY

HEIGHT, WIDTH = 360, 480
START = """
import sys
import numpy
folder, pixels = sys.argv[1], numpy.zeros((360, 480, 3), numpy.uint8)
"""
GRAPH = """
from safetensors.numpy import load_file
from zoo.checkpoints.folder import read_info
from zoo.models.graph import build_graph
graph = build_graph(read_info(folder).config, load_file(folder + "/model.safetensors")).SerializeToString()
"""
OPENVINO = """
from zoo.models.compiled import runtime
core = runtime()
core.compile_model(core.read_model(graph), "CPU")(pixels)
"""
ONNX_RUNTIME = """
from zoo.checkpoints.export import onnx_runtime
onnx_runtime().InferenceSession(graph).run(None, {"photo": pixels})
"""
PROCESSES = {"zoo.segment": "import zoo\nzoo.segment(zoo.load(folder), pixels)"}
PROCESSES |= {"openvino": GRAPH + OPENVINO, "onnxruntime": GRAPH + ONNX_RUNTIME}
END = """
status = open("/proc/self/status").read()
print(next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")) / 1024)
"""


def engines(settings: Settings) -> list[Row]:
    """Milliseconds and megabytes of every engine that is installed."""
    size = {"width": 0.0625, "head_channels": 16} if settings.quick else {}
    whole = FCN(FCNConfig(classes=PASCAL_VOC.classes, **size)).eval()
    pixels = np.random.default_rng(0).integers(0, 256, (HEIGHT // 8, WIDTH // 8, 3), dtype=np.uint8)
    pixels = pixels if settings.quick else pixels.repeat(8, 0).repeat(8, 1)
    rows = []
    for name, model in (("bundled", settings.model), ("VGG-16", whole)):
        for threads in (1,) if settings.quick else (1, 2):
            found = timed(model, pixels, threads, settings.rounds)
            rows += [replace(row, what=f"{name}, {threads} threads, {row.what}") for row in found]
    return rows + memory_rows(settings.checkpoint)


def timed(model: FCN, pixels: np.ndarray, threads: int, rounds: int) -> list[Row]:
    """Milliseconds of one network on so many threads, and what OpenVINO takes of ours."""
    arrays = {name: value.numpy() for name, value in model.state_dict().items()}
    runs: dict[str, Callable[[], object]] = {"zoo.segment": lambda: segment(model, pixels, size="full")}
    last = score_map_outputs(model.config)[-1]
    for what, outputs in {"mask": ("mask", "confidence"), "scores": (last,)}.items():
        graph = build_graph(model.config, arrays, outputs=outputs).SerializeToString()
        runs |= {f"{engine}, {what}": run for engine, run in runners(graph, pixels, threads).items()}
    with intra_op_threads(threads):
        seconds = in_turns(runs, rounds)
    rows = [Row(what, 1000 * value, "ms") for what, value in seconds.items()]
    for what in [what for what in seconds if what.endswith("mask")]:
        ratio = seconds[what] / seconds["zoo.segment"]
        rows.append(Row(f"{what} / zoo.segment", ratio, goal="<= 0.6 to replace it"))
    return rows


def runners(graph: bytes, pixels: np.ndarray, threads: int) -> dict[str, Callable[[], object]]:
    """Functions that run a serialised graph on the pixels, by engine."""
    onnxruntime = onnx_runtime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # it would take the others' turns
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    found: dict[str, Callable[[], object]] = {"ONNX Runtime": lambda: session.run(None, {"photo": pixels})}
    settings = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
    network = runtime().compile_model(runtime().read_model(graph), "CPU", settings)
    found["OpenVINO"] = lambda: network(pixels)
    return found


def memory_rows(checkpoint: str) -> list[Row]:
    """Resident megabytes of a fresh process that has labelled one photo, engine by engine."""
    rows = []
    for engine, code in PROCESSES.items():
        if engine == "zoo.segment" or find_spec(engine):
            command = [sys.executable, "-c", START + code + END, str(bundled_folder() / checkpoint)]
            done = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True)
            rows.append(Row(f"memory of a process with {engine}", float(done.stdout), "MB"))
    return rows
