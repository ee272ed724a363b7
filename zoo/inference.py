"""Pixels in, class of every pixel out: the part of `zoo.segment` that needs torch."""

import time
from contextlib import nullcontext

import numpy as np
import torch

from zoo.fcn import FCN


@torch.inference_mode()
def label(model: FCN, pixels: np.ndarray, precision: str) -> tuple[np.ndarray, np.ndarray, float]:
    """Mask (H, W) uint8, confidence (H, W) float32 and milliseconds of the forward pass for (H, W, 3) uint8 pixels."""
    if precision not in ("fp32", "bf16"):
        raise ValueError(f"precision is {precision!r}; it must be 'fp32' or 'bf16'")
    device = next(model.parameters()).device
    images = torch.from_numpy(pixels).to(device).permute(2, 0, 1)[None].float() / 255
    images = images.contiguous(memory_format=torch.channels_last)
    reduced = torch.autocast(device.type, dtype=torch.bfloat16) if precision == "bf16" else nullcontext()
    begin = time.perf_counter()
    with reduced:
        logits = model(images)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    milliseconds = 1000 * (time.perf_counter() - begin)
    logits = logits.float()
    best, mask = logits.max(1)
    confidence = (best - logits.logsumexp(1)).exp().clamp(max=1)
    if not bool(confidence.isfinite().all()):
        raise ValueError("the model returned logits that are not finite; the checkpoint is unusable")
    return mask[0].to(torch.uint8).cpu().numpy(), confidence[0].cpu().numpy(), milliseconds
