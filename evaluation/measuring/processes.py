"""Several processes of one command, as torchrun starts them: one says what is wrong, once, and all end."""

import os
from datetime import timedelta

import torch.distributed as distributed

SECONDS = 5  # for the launcher to answer


def is_first_to_speak() -> bool:
    """Whether no other process of this start has asked this before; True where there is one process.

    The launcher keeps count, which outlives the processes. True too where it cannot be asked: better twice than never.
    """
    host, port = os.environ.get("MASTER_ADDR"), os.environ.get("MASTER_PORT")
    if os.environ.get("WORLD_SIZE", "1") == "1" or not host or not port:
        return True
    start = f"{os.environ.get('TORCHELASTIC_RUN_ID')}/{os.environ.get('TORCHELASTIC_RESTART_COUNT')}"
    try:
        store = distributed.TCPStore(host, int(port), is_master=False, timeout=timedelta(seconds=SECONDS))
        return store.add(f"fcn-zoo/spoken/{start}", 1) == 1
    except (RuntimeError, ValueError):  # torch's own are RuntimeErrors
        return True


def has_lost_another(error: RuntimeError) -> bool:
    """Whether an error is no more than that another process of the group has ended."""
    several = distributed.is_initialized() and distributed.get_world_size() > 1
    return several and (isinstance(error, distributed.DistError) or "peer" in str(error))


def pass_on(error: RuntimeError) -> None:
    """Raise an error again, as what is said of this start, unless it is no more than that another process has ended."""
    if not has_lost_another(error):
        is_first_to_speak()  # in a traceback
        raise error
