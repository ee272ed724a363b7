"""The engine of a checkpoint folder: of an FCN on a processor without torch, for which the page then has no need."""

from __future__ import annotations

from pathlib import Path

from zoo.checkpoints.activation_ranges import read_ranges
from zoo.checkpoints.folder import load_folder, read_info, read_weights
from zoo.checkpoints.information import CheckpointInfo
from zoo.checkpoints.statistics import read_domain
from zoo.config import FCNConfig
from zoo.models import compiled
from zoo.models.allocator import give_back_freed_memory
from zoo.models.engine import Engine
from zoo.models.preparation import choose_precision, prepared, threads
from zoo.models.segmentation import best_device


def prepare_folder(folder: str | Path, *, info: CheckpointInfo | None = None) -> Engine:
    """What labels photos with the checkpoint in a folder. Raises CheckpointError as `load_folder`, and ValueError for
    weights that are not finite, and where FCN_ZOO_PRECISION asks for 8 bits that it has no ranges for.
    """
    info, device = info or read_info(folder), best_device()
    precision = choose_precision("auto", device)
    if device != "cpu" or not isinstance(info.config, FCNConfig) or not compiled.can_run(precision):
        return prepared(load_folder(folder, info=info), device=device)
    facts = {"working_size": info.working_size, "domain": read_domain(folder, info), "threads": threads()}
    facts |= {"ranges": read_ranges(folder)} if precision == "int8" else {}
    engine = compiled.CompiledEngine(info.config, read_weights(folder, info), precision, **facts)
    give_back_freed_memory()  # writing and compiling a graph takes several times its weights
    return engine
