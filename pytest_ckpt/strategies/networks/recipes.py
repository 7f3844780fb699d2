"""``module_recipes()`` and ``modules()``: modules drawn layer by layer, as data and alive."""

from __future__ import annotations

from functools import lru_cache
from itertools import product, repeat

from hypothesis import event
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from pytest_ckpt.strategies.networks.calls import ModuleRecipe, in_a_row
from pytest_ckpt.strategies.networks.drawing import HALF_SIZES, SIZES, Drawing, Kind, Options, Tables, tables_of
from pytest_ckpt.strategies.networks.drawn_module import DrawnModule
from pytest_ckpt.strategies.networks.layers import BUILT_IN_KINDS
from pytest_ckpt.strategies.networks.registration import registered_kinds
from pytest_ckpt.strategies.networks.seeding import seeded
from pytest_ckpt.strategies.networks.shapes import Image, Sequence, Shape, Tokens, Vector
from pytest_ckpt.strategies.state.drawing import PROGRAM_BLOCK, AtOnce, draw_block

__all__ = ["build_module", "bytes_of_module", "draw_module", "module_recipes", "modules"]

_SEEDS = st.integers(0, 2**32 - 1)
_LAYER_BYTES = 20  # Four or five for the layer itself; most of what is inside of it finds its own in the rest.
_ABSENT = 86  # A third of all bytes is below.

# Two examples at least, for the statistics of a batch.
_BATCHES = range(2, 5)
_INPUTS: tuple[tuple[Shape, ...], ...] = (
    tuple(Vector(batch=batch, features=size) for batch, size in product(_BATCHES, SIZES)),
    tuple(
        Sequence(batch=batch, length=length, features=size)
        for batch, length, size in product(_BATCHES, HALF_SIZES, SIZES)
    ),
    tuple(
        Image(batch=batch, features=size, height=height, width=width)
        for batch, size, height, width in product(_BATCHES, *repeat(HALF_SIZES, 3))
    ),
    tuple(
        Tokens(batch=batch, length=length, features=size)
        for batch, length, size in product(_BATCHES, HALF_SIZES, SIZES)
    ),
)
"""What a module may take, the simplest first."""


def modules(
    *,
    min_layers: int = 1,
    max_layers: int = 3,
    max_nesting: int = 2,
    sparse: bool = False,
    lazy: bool = False,
    forgetful: bool = False,
    picklable: bool = False,
) -> SearchStrategy[DrawnModule]:
    """Generate modules with inputs that fit them and a loss, built without touching the global random state.

    Every one is a correct program when it is trained with AdamW: what it needs is in its state dict.
    Shrinks towards a single ``nn.Linear(2, 2)`` built under the seed 0.

    Args:
        min_layers: Layers in a row, at least 1. What makes layers fit each other is not counted.
        max_layers: Layers in a row, at most.
        max_nesting: Levels of layers within layers, at most; 0 for layers in a row only.
        sparse: Whether embeddings may have sparse gradients, which AdamW refuses.
        lazy: Whether layers may have parameters without a shape until the module is called.
        forgetful: Whether layers may lose what they learned with a checkpoint: a non-persistent buffer
            that training changes. That is a bug, and checks have to find it.
        picklable: Whether to leave out what ``torch.save(module)`` refuses: parametrizations.
    """
    recipes = module_recipes(
        min_layers=min_layers,
        max_layers=max_layers,
        max_nesting=max_nesting,
        sparse=sparse,
        lazy=lazy,
        forgetful=forgetful,
        picklable=picklable,
    )
    return st.builds(build_module, recipes, seed=_SEEDS)


def build_module(recipe: ModuleRecipe, *, seed: int) -> DrawnModule:
    """Build a module under a seed, and leave the global random state as it was."""
    with seeded(seed, torch_only=not recipe.registered):
        return recipe.build()


@st.composite
def module_recipes(
    draw: DrawFn,
    *,
    min_layers: int = 1,
    max_layers: int = 3,
    max_nesting: int = 2,
    sparse: bool = False,
    lazy: bool = False,
    forgetful: bool = False,
    picklable: bool = False,
) -> ModuleRecipe:
    """Generate recipes of modules: data from which the same module is built any number of times.

    Takes what :func:`modules` takes, and shrinks towards the recipe of a single ``nn.Linear(2, 2)``.
    """
    options = Options(sparse=sparse, lazy=lazy, forgetful=forgetful, picklable=picklable)
    return draw_module(draw, options, min_layers=min_layers, max_layers=max_layers, max_nesting=max_nesting)


def draw_module(
    draw: DrawFn | AtOnce, options: Options, *, min_layers: int, max_layers: int, max_nesting: int
) -> ModuleRecipe:
    """Draw one recipe of a module; see :func:`modules`."""
    tables = _tables(options, registered_kinds())
    decided = draw_block(draw, bytes_of_module(max_layers))[: 2 + max_layers * _LAYER_BYTES]
    drawing = Drawing(
        draw=draw, options=options, tables=tables, nesting=max_nesting, met=set(), decisions=iter(decided[:2])
    )
    inputs = shape = drawing.choose(*drawing.choose(*_INPUTS))
    calls = []
    for decisions in _layers(decided[2:], min_layers):
        drawing.decisions = iter(decisions)
        made, shape = drawing.layer(shape)
        calls.append(made)
    kinds = tuple(sorted(kind.name for kind in drawing.met))
    for name in kinds:
        event(f"layer: {name}")
    registered = any(kind.registered for kind in drawing.met)
    return ModuleRecipe(body=in_a_row(calls), inputs=inputs, kinds=kinds, registered=registered)


def bytes_of_module(max_layers: int) -> int:
    """Return how many bytes decide on a module.

    With a few layers as many as other parts of a program take, so that Hypothesis can exchange them.
    """
    return max(PROGRAM_BLOCK, 2 + max_layers * _LAYER_BYTES)


def _layers(decided: bytes, least: int) -> list[bytes]:
    """Return the decisions on each layer there is: the first byte of each says whether.

    So any of them can be left out while the others stay as they are, which is what finds a small failing example.
    """
    layers = [decided[start : start + _LAYER_BYTES] for start in range(0, len(decided), _LAYER_BYTES)]
    there = [index for index, decisions in enumerate(layers) if decisions[0] >= _ABSENT]
    absent = [index for index in range(len(layers)) if index not in there]
    return [layers[index][1:] for index in sorted(there + absent[: max(0, least - len(there))])]


@lru_cache
def _tables(options: Options, registered: tuple[Kind, ...]) -> Tables:
    return tables_of(BUILT_IN_KINDS + registered, options)
