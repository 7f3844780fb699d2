"""One change of a payload, made in a copy: a bit of a tensor, a leaf, a key, a container."""

from __future__ import annotations

import copy
import io
import struct
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping
from types import FunctionType, SimpleNamespace
from typing import Any

import dill
import numpy as np
import torch
from hypothesis import strategies as st

Keys = tuple[Any, ...]


def rebuilt(value: Any) -> Any:
    """Return an equal value that was put together anew, as loading does."""
    buffer = io.BytesIO()
    torch.save(value, buffer, pickle_module=dill)
    buffer.seek(0)
    return torch.load(buffer, pickle_module=dill, weights_only=False)
