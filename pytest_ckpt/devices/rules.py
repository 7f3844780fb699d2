"""What each operator of aten asks of the devices of its tensors; most ask that they agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

__all__ = ["RULES", "Rule", "rule_of"]

# They copy from one device to another; where the result is was settled before.
_CROSSING = frozenset(
    {"_foreach_copy_", "_has_compatible_shallow_copy_type", "copy_", "is_set_to", "resize_as_", "set_"}
)
# Index tensors may stay on the CPU: "indices should be either on cpu or on the same device as the indexed tensor".
_INDEXING = frozenset({"index", "_unsafe_index", "index_put", "index_put_", "_index_put_impl_", "_unsafe_index_put"})
# Lengths are read on the CPU wherever the data is.
_HOST_ARGUMENTS = {"_pack_padded_sequence": (1,), "_ctc_loss": (2, 3), "_ctc_loss_backward": (3, 4)}
_HOST_RESULTS = {"_pack_padded_sequence": (1,)}
# They have kernels of their own, which do not take a number from the CPU in place of a tensor.
_STRICT = frozenset({"cat", "stack", "embedding", "gather", "index_select", "scatter", "scatter_", "scatter_add"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """What one operator asks.

    Attributes:
        name: Its name without the overload.
        random: It draws from the device's random generator unless it is given one.
        crossing: Its tensors may be on different devices; the first keeps its own.
        indexing: Indices may be on the CPU.
        each: It works on lists of tensors, which must agree by position.
        writes_first: Its first argument is written to.
        strict: A tensor without dimensions on the CPU is not taken as a number.
        factory: It has no tensor among its parameters.
        foreign: It is not one of torch's own operators, and may be written in Python.
        host_arguments: Positions of arguments that stay on the CPU.
        host_results: Positions of results that stay on the CPU.
    """

    name: str
    random: bool
    crossing: bool
    indexing: bool
    each: bool
    writes_first: bool
    strict: bool
    factory: bool
    foreign: bool
    host_arguments: tuple[int, ...]
    host_results: tuple[int, ...]


RULES: dict[Any, Rule] = {}


def rule_of(operator: Any) -> Rule:
    """Return what an operator asks."""
    if operator not in RULES:
        RULES[operator] = _make(operator)
    return RULES[operator]


def _make(operator: Any) -> Rule:
    schema = operator._schema
    name = schema.name.partition("::")[2]
    first = schema.arguments[0] if schema.arguments else None
    written = first is not None and first.alias_info is not None and first.alias_info.is_write
    return Rule(
        name=name,
        random=torch.Tag.nondeterministic_seeded in operator.tags,
        crossing=name in _CROSSING,
        indexing=name in _INDEXING,
        each=name.startswith(("_foreach_", "_fused_")),
        writes_first=bool(written),
        strict=name in _STRICT or name.startswith("_fused_"),
        factory=not any("Tensor" in str(argument.type) for argument in schema.arguments),
        foreign=operator.namespace not in ("aten", "prims"),
        host_arguments=_HOST_ARGUMENTS.get(name, ()),
        host_results=_HOST_RESULTS.get(name, ()),
    )
