"""Which engine a network gets, at which precision: made once for a network, and again when its weights have changed."""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from zoo.models import compiled
from zoo.models.engine import Engine
from zoo.working_size import working_size_of

if TYPE_CHECKING:
    import torch

    from zoo.models.fcn import FCN

PRECISIONS = ("auto", "fp32", "bf16", "int8")
VARIABLE = "FCN_ZOO_PRECISION"


def choose_precision(precision: str, device: str | torch.device = "cpu") -> str:
    """'fp32', 'bf16' or 'int8'; 'auto' is bf16 on a processor with AVX512-BF16 or AMX and float32 everywhere else.

    On a processor, FCN_ZOO_PRECISION says what 'auto' is. Raises ValueError for what is not one of `PRECISIONS`.
    """
    on_processor = str(device).partition(":")[0] == "cpu"
    chosen = known_precision("precision", precision)
    if chosen == "auto" and on_processor:
        chosen = named_precision()
    if chosen != "auto":
        return chosen
    return "bf16" if on_processor and multiplies_bfloat16() else "fp32"


def named_precision() -> str:
    """The one of `PRECISIONS` that FCN_ZOO_PRECISION names, 'auto' where it is not set; ValueError for another."""
    return known_precision(VARIABLE, os.environ.get(VARIABLE) or "auto")


def known_precision(name: str, given: str) -> str:
    """`given`; ValueError naming where it came from if it is none of `PRECISIONS`."""
    if given not in PRECISIONS:
        raise ValueError(f"{name} is {given!r}; it must be one of {', '.join(PRECISIONS)}")
    return given


def multiplies_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 natively, and the library that does it is allowed to."""
    if compiled.is_available():
        return compiled.multiplies_bfloat16()
    from zoo.models import torch_engine

    return torch_engine.multiplies_bfloat16()


ENGINES: WeakKeyDictionary[FCN, tuple[tuple, Engine]] = WeakKeyDictionary()
MAKING = threading.Lock()


def engine_of(model: Any, precision: str = "auto") -> Engine:
    """The engine of a network, of an FCN made once and again after its weights have changed or moved.

    An engine is its own. It uses as many threads as torch, as the network does.
    A change that goes around autograd's version counter (`parameter.data`) in place is not noticed.
    """
    if isinstance(model, Engine):
        return model
    import torch

    from zoo.models.fcn import FCN

    chosen = choose_precision(precision, next(model.parameters()).device)
    state = [*model.parameters(), *model.buffers()]
    if not isinstance(model, FCN) or any(tensor.is_inference() for tensor in state):  # such tensors count no changes
        return prepared(model, chosen)
    stamp = (chosen, torch.get_num_threads(), *((tensor.data_ptr(), tensor._version) for tensor in state))
    with MAKING:
        known = ENGINES.get(model)
        if known is None or known[0] != stamp:
            known = ENGINES[model] = (stamp, prepared(model, chosen))
    return known[1]


def prepared(model: Any, precision: str = "auto", device: str | torch.device | None = None) -> Engine:
    """A new engine of a network, for work on `device`, by default where it is.

    Raises ValueError for weights of an FCN that are not finite, and where 8 bits are asked for that it cannot have.
    """
    import torch

    from zoo.models.fcn import FCN
    from zoo.models.torch_engine import FCNEngine, TorchEngine

    device = torch.device(device or next(model.parameters()).device)
    precision = choose_precision(precision, device)
    if precision == "int8" and not (isinstance(model, FCN) and device.type == "cpu" and compiled.is_available()):
        raise ValueError("8 bits are for FCNs on a processor, run by OpenVINO; choose another precision")
    if not isinstance(model, FCN):
        return TorchEngine(model, precision)
    if device.type != "cpu" or not compiled.can_run(precision):
        return FCNEngine(model, precision)
    weights = {name: value.detach().float().numpy() for name, value in model.state_dict().items()}
    facts = {"working_size": working_size_of(model), "domain": getattr(model, "domain", None)}
    facts |= {"ranges": getattr(model, "ranges", None)}
    return compiled.CompiledEngine(model.config, weights, precision, threads=threads(), **facts)


def threads() -> int:
    """As many as torch uses, where it has been imported; otherwise 0, which leaves their number to the library."""
    return sys.modules["torch"].get_num_threads() if "torch" in sys.modules else 0
