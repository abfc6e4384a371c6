"""One file format for everything that is saved: plain JSON with arrays, no code, no pickle.

A *state* is a nested dict or list whose leaves are JSON values, numpy arrays (numbers or booleans)
or bytes.  On disk it is one safetensors file: the arrays as tensors, the rest as JSON in its header.
Writing is atomic (a temporary file, then a rename), so a killed process leaves no half file.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from autonas.errors import ModelError

__all__ = ["save_state", "load_state"]

_ARRAY, _BYTES = "$array", "$bytes"


def _pack(node: Any, path: str, arrays: dict[str, np.ndarray]) -> Any:
    if isinstance(node, np.ndarray | bytes):
        path = f"{len(arrays)}{path}"  # the number keeps {"a/b": x} and {"a": {"b": y}} apart
    if isinstance(node, np.ndarray):
        arrays[path] = np.ascontiguousarray(node)
        return {_ARRAY: path, "shape": list(node.shape)}
    if isinstance(node, bytes):
        arrays[path] = np.frombuffer(node, dtype=np.uint8)
        return {_BYTES: path}
    if isinstance(node, dict):
        return {str(k): _pack(v, f"{path}/{k}", arrays) for k, v in node.items()}
    if isinstance(node, list | tuple):
        return [_pack(v, f"{path}/{i}", arrays) for i, v in enumerate(node)]
    if isinstance(node, np.generic):
        return node.item()
    return node


def _unpack(node: Any, arrays: dict[str, np.ndarray]) -> Any:
    if isinstance(node, dict):
        if _ARRAY in node:
            return arrays[node[_ARRAY]].reshape(node["shape"])
        if _BYTES in node:
            return arrays[node[_BYTES]].tobytes()
        return {k: _unpack(v, arrays) for k, v in node.items()}
    if isinstance(node, list):
        return [_unpack(v, arrays) for v in node]
    return node


def save_state(path: str | Path, state: Any) -> None:
    """Write a state to one file, atomically.

    Parameters
    ----------
    path : path
        The file; its folder must exist.
    state : nested dict or list
        Leaves: JSON values, numeric or boolean numpy arrays, bytes.
    """
    from safetensors.numpy import save

    arrays: dict[str, np.ndarray] = {}
    plain = json.dumps(_pack(state, "", arrays))
    temporary = Path(f"{path}.{os.getpid()}.tmp")
    temporary.write_bytes(save(arrays, metadata={"state": plain}))
    os.replace(temporary, path)


def load_state(path: str | Path) -> Any:
    """Read a state back.

    Raises
    ------
    ModelError
        If the file is missing or damaged.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="numpy") as file:
            plain = json.loads((file.metadata() or {})["state"])
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return _unpack(plain, arrays)
    except FileNotFoundError as error:
        raise ModelError(
            f"{path} is missing. The folder it belongs to is not complete: save the model again."
        ) from error
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise ModelError(f"{path} is damaged ({error}). Use another copy, or fit and save the model again.") from error
