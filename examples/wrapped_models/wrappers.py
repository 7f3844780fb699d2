"""What wrappers do to the names in a state dict, and how to keep that out of the file.

=================  ============================================
wrapper            names in its own state dict
=================  ============================================
none               ``embed.weight``
DataParallel       ``module.embed.weight``
torch.compile      ``_orig_mod.embed.weight``
both               ``_orig_mod.module.embed.weight``
AveragedModel      ``module.embed.weight``, and ``n_averaged``
=================  ============================================
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.modules.utils import consume_prefix_in_state_dict_if_present
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel


def distribute(model: nn.Module) -> nn.Module:
    """Wrap as one rank of one, which needs neither a launcher nor another process."""
    if not dist.is_initialized():
        dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    return DistributedDataParallel(model)


WRAPPERS: dict[str, Callable[[nn.Module], nn.Module]] = {
    "bare": lambda model: model,
    "DataParallel": nn.DataParallel,  # without a GPU it only passes its input on
    "DistributedDataParallel": distribute,
    "compile": lambda model: torch.compile(model, backend="eager"),
    "compile of DistributedDataParallel": lambda model: torch.compile(distribute(model), backend="eager"),
}


def unwrap(model: nn.Module) -> nn.Module:
    """The model inside. Its parameters are those of the wrapper, so one may load into it at any time."""
    if hasattr(model, "_orig_mod"):
        return unwrap(model._orig_mod)
    if isinstance(model, nn.DataParallel | DistributedDataParallel | AveragedModel):
        return unwrap(model.module)
    return model


def without_prefixes(state: dict[str, Any]) -> dict[str, Any]:
    """The same state under the names of the model inside, if it was written under those of a wrapper."""
    for prefix in ("_orig_mod.", "module."):
        consume_prefix_in_state_dict_if_present(state, prefix)
    return state
