"""Whether torch has a device here."""

import torch


def device_fault(device: str) -> str | None:
    """A sentence on why networks cannot work on this device (`cpu`, `cuda`, `cuda:1`), None where they can."""
    try:
        found = torch.device(device)
    except RuntimeError:
        found = None
    if found is None or found.type not in ("cpu", "cuda"):
        return f"device: {device!r} is not one of cpu, cuda, cuda:1"
    if found.type == "cuda" and not torch.cuda.is_available():
        return f"device: {device} was asked for, but there is no CUDA GPU here; use --device cpu"
    if found.type == "cuda" and (found.index or 0) >= torch.cuda.device_count():
        return f"device: there is no {device}; this machine has {torch.cuda.device_count()} GPUs, from 0"
    return None
