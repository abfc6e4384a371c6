"""Where the data of a training lies, and how finely it is computed with."""

from __future__ import annotations

import functools
import time

import numpy as np
import torch
from torch import Tensor

__all__ = ["bfloat16_is_faster", "place"]

_placed: dict[str, tuple[np.ndarray, Tensor]] = {}


def place(array: np.ndarray, name: str, device: str) -> Tensor:
    """A view on the device: shared memory on the CPU, else the last copy of that view if it is still the same array."""
    if device == "cpu":
        return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))
    if name not in _placed or _placed[name][0] is not array:
        _placed[name] = (array, torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32)).to(device))
    return _placed[name][1]


@functools.cache
def bfloat16_is_faster() -> bool:
    """Whether a small convolution on this CPU is more than 1.4 times as fast in bfloat16 (it has AMX or the like)."""

    def seconds(kind: torch.dtype) -> float:
        x = torch.ones(32, 64, 14, 14, dtype=kind).contiguous(memory_format=torch.channels_last)
        weight = torch.ones(64, 64, 3, 3, dtype=kind).contiguous(memory_format=torch.channels_last)
        torch.conv2d(x, weight)
        start = time.perf_counter()
        torch.conv2d(x, weight)
        return time.perf_counter() - start

    with torch.no_grad():
        return seconds(torch.float32) > 1.4 * seconds(torch.bfloat16)
