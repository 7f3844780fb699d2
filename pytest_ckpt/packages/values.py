"""Small values for the parameters that constructors ask for, by name and by annotation."""

from __future__ import annotations

import enum
import inspect
import re
import types
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin

import torch

__all__ = ["DIM", "Value", "values_for"]

DIM = 8
"""The width of what is built, unless a name or the class asks for another one."""

_TOKENS, _CLASSES, _LENGTH, _IMAGE = 16, 3, 16, 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Value:
    """One value for one parameter.

    Attributes:
        make: Makes it, anew for each run.
        shown: How it is called in a report.
    """

    make: Callable[[], Any]
    shown: str

    @classmethod
    def of(cls, value: Any) -> Value:
        """Return a value that can stand in every run: a number, a string, a tuple of them, a class."""
        shown = value.__name__ if isinstance(value, type | types.FunctionType) else repr(value)
        return cls(make=lambda: list(value) if isinstance(value, list) else value, shown=shown)


def _linear() -> torch.nn.Module:
    return torch.nn.Linear(DIM, DIM)


_MODEL = Value(make=_linear, shown=f"Linear({DIM}, {DIM})")
_MODELS = Value(make=lambda: [_linear(), _linear()], shown=f"[Linear({DIM}, {DIM}), Linear({DIM}, {DIM})]")
_ACTIVATION = Value(make=torch.nn.ReLU, shown="ReLU()")
_DECAY = Value(make=lambda: lambda step: 1.0 / (1.0 + step), shown="lambda step: 1 / (1 + step)")


def _plain(*values: Any) -> tuple[Value, ...]:
    return tuple(map(Value.of, values))


# The first pattern that is found in the name of a parameter decides; sizes fit each other.
_BY_NAME: tuple[tuple[str, tuple[Value, ...]], ...] = tuple(
    (pattern, tuple(item if isinstance(item, Value) else Value.of(item) for item in values))
    for pattern, values in (
        # Parts
        (r"^(fns|nets|models|modules|layers_list|branches)$", (_MODELS,)),
        (r"^(base_)?optimizer(_cls|_class|_type)?$", (torch.optim.SGD,)),
        (r"lambda|_fn$|_func$|^fn$|^func$", (_MODEL, _DECAY)),
        (
            r"^(?!dim_|d_|num_|n_|max_)(.*_)?(model|net|network|module|backbone|encoder|decoder|layer|branch|transformer|block)$",
            (_MODEL,),
        ),
        (r"^(act|activation|nonlinearity|act_layer)$", (_ACTIVATION, torch.nn.ReLU, "relu")),
        (r"^norm(_layer)?$", (torch.nn.LayerNorm,)),
        (r"(^|_)(ind(ex)?|id|idx|layer_num)$", (0, 1)),
        (r"num_(classes|labels|outputs|groups|tasks)|n_class|^classes$|nb_classes", (_CLASSES, 2)),
        # Attention
        (r"dim_?heads?$|head_dim$|heads?_dim$|d_head|dim_(key|value)$|d_[kv]$", (4,)),
        (r"heads?$", (2, 1)),
        # Lengths and pictures
        (r"image_size|img_size|resolution|height|width|^size$", (_IMAGE, 64)),
        (r"patch_size|window|bucket_size|block_size|segment|chunk_size", (4, 8)),
        (r"seq_?len|_len$|length|max_pos|max_len|context_size|^n_ctx$|num_positions", (_LENGTH, 64)),
        (r"kernel_?size", (3, 1)),
        (r"stride|padding|dilation|groups?$|upscale|downscale|scale_factor", (1, 2)),
        (r"shape$", ((4, 2), (DIM,))),
        # Vocabularies
        (r"codebook_size|num_codes|num_embeddings|vocab|num_tokens|n_vocab|num_bins|^n_e$|entry", (_TOKENS, 64)),
        (r"codebook_dim", (DIM,)),
        (r"^levels$", ([8, 5, 5],)),
        (r"num_quantizers|num_codebooks|num_experts|num_(streams|residual)|num_", (2, 4)),
        # Widths and depths
        (r"depth|(num|n)_?layers?|num_blocks|n_blocks|layers$", (1, 2)),
        (r"channels?(_\w+)?$|^ch$|^in_ch$|^out_ch$|chans?$", (DIM, 3, 1)),
        (r"dims$|hidden_sizes|widths", ([DIM, DIM], (DIM, DIM))),
        (r"dim|features?|hidden|embed|d_model|n_embd|units|width|(in|out)put_size|^(in|out)_?size$", (DIM, 32, 64)),
        # Schedules
        (r"milestones|boundaries", ([2, 4],)),
        (r"warm_?up", (2, 0.5)),
        (r"(max|init|start|end|base|peak|initial|final|total|^)_?lrs?$|learning_rate", (0.01, 1.0)),
        (r"total|t_max|t_0|max_(steps|iters?|epochs?)|steps|iters?|epochs?|period|cycle", (10, 4)),
        # Numbers
        (r"eps(ilon)?$", (1e-6,)),
        (r"dropout|^p$|prob", (0.1, 2)),
        (r"decay|momentum|beta|gamma|factor|smooth|ratio|min_|quantile|percent", (0.9, 0.5)),
        (r"margin|temperature|^tau$|scale|alpha|sigma|std|threshold|weight|power|min_|reg", (0.5, 1.0, 2)),
        (r"(sample|sampling)_?rate|^fs$|freq", (8000, 16000)),
        (r"^(max_)?(k|top_?k|n|order|degree|rank|bits|ratio)$|factor", (2, 1)),
        (r"mode|reduction|type", ("mean", "nb", "wb")),
    )
)


def values_for(parameter: inspect.Parameter) -> tuple[Value, ...]:
    """Return what may be given for a parameter, the likeliest first; nothing where no rule knows it."""
    annotation = parameter.annotation
    by_annotation = _by_annotation(annotation)
    if _closed(annotation):
        return by_annotation
    named = next((found for pattern, found in _BY_NAME if re.search(pattern, parameter.name.lower())), ())
    fitting = tuple(value for value in named if _fits(value, annotation))
    return fitting or by_annotation or (named if annotation is inspect.Parameter.empty else ())


def _closed(annotation: Any) -> bool:
    """Whether an annotation lists the values itself."""
    if get_origin(annotation) in (Union, types.UnionType):
        return any(map(_closed, get_args(annotation)))
    return get_origin(annotation) is Literal or (isinstance(annotation, type) and issubclass(annotation, enum.Enum))


def _by_annotation(annotation: Any) -> tuple[Value, ...]:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return tuple(value for item in arguments if item is not type(None) for value in _by_annotation(item))
    if origin is Literal:
        return _plain(*arguments)
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return _plain(*annotation)
    if isinstance(annotation, type) and issubclass(annotation, torch.nn.Module):
        return (_MODEL,) if annotation is torch.nn.Module else ()
    if origin in (list, Sequence) and torch.nn.Module in arguments:
        return (_MODELS,)
    if origin in (list, tuple) and arguments and arguments[0] in (int, float):
        number = DIM if arguments[0] is int else 0.5
        return _plain([number, number]) if origin is list else _plain((number, number))
    if annotation in (Callable, typing.Callable) or origin is Callable:
        return (_MODEL, _DECAY)
    return _TYPES.get(annotation, ()) if isinstance(annotation, type) else ()


_TYPES: dict[type, tuple[Value, ...]] = {
    bool: _plain(False, True),
    int: _plain(2, DIM, 1),
    float: _plain(0.5, 1.0, 0.01),
}


def _fits(value: Value, annotation: Any) -> bool:
    """Whether an annotation allows a value, as far as it can be said."""
    if annotation is inspect.Parameter.empty or annotation is Any or isinstance(annotation, str):
        return True
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return any(_fits(value, item) for item in arguments if item is not type(None))
    kind = origin or annotation
    if not isinstance(kind, type):
        return True
    made = value.make()
    if kind is float:
        return isinstance(made, int | float) and not isinstance(made, bool)
    try:
        return isinstance(made, kind)
    except TypeError:  # a protocol that cannot be asked
        return True
