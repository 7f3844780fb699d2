"""Modules that are drawn: which kinds there are, and that every one of them is a correct program."""

# Longer than 250 lines because what is true of every kind is asserted in one place.

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample
from torch import nn
from torch.nn.utils import parametrizations

from pytest_ckpt import check_training_run, module_run
from pytest_ckpt.comparison import compare
from pytest_ckpt.runs import MakeRun
from pytest_ckpt.state import get_random_state
from pytest_ckpt.strategies import DrawnModule, modules
from pytest_ckpt.strategies.networks import parts
from pytest_ckpt.strategies.networks.calls import ModuleRecipe, in_a_row
from pytest_ckpt.strategies.networks.drawing import Drawing, Kind, Options, tables_of
from pytest_ckpt.strategies.networks.layers import BUILT_IN_KINDS
from pytest_ckpt.strategies.networks.recipes import build_module, module_recipes
from pytest_ckpt.strategies.networks.shapes import SHAPES, Image, Sequence, Tokens, Vector

EVERYTHING: dict[str, Any] = {"sparse": True, "lazy": True, "forgetful": True}
ON_REQUEST = {
    "forgetful buffer": "forgetful",
    "lazy batch norm": "lazy",
    "lazy conv": "lazy",
    "lazy linear": "lazy",
    "sparse embedding": "sparse",
    "sparse embedding bag": "sparse",
}
INPUTS = {
    Vector: Vector(batch=2, features=4),
    Sequence: Sequence(batch=3, length=3, features=4),
    Image: Image(batch=2, features=4, height=3, width=2),
    Tokens: Tokens(batch=2, length=3, features=5),
}
EXACT = settings(derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))


def drawn(count: int, **options: Any) -> list[ModuleRecipe]:
    """Return the recipes that one test would see, the same every time."""
    found: list[ModuleRecipe] = []

    @settings(EXACT, max_examples=count, phases=[Phase.generate])
    @given(module_recipes(**options))
    def collect(recipe: ModuleRecipe) -> None:
        found.append(recipe)

    collect()
    return found


@st.composite
def of_kind(draw: st.DrawFn, kind: Kind, shape: Any) -> ModuleRecipe:
    """Draw one layer of one kind; what is inside it is drawn from all."""
    options = Options()
    tables, decisions = tables_of(BUILT_IN_KINDS, options), iter(draw(st.binary(min_size=16)))
    drawing = Drawing(draw=draw, decisions=decisions, options=options, tables=tables, nesting=1, met=set())
    layer, _ = kind.draw(drawing, shape)
    return ModuleRecipe(body=in_a_row([layer]), inputs=shape, kinds=())


def run_of(recipe: ModuleRecipe) -> MakeRun:
    """Train on other inputs at each step."""
    return module_run(recipe.build, inputs=lambda: recipe.example_inputs(int(torch.randint(1000, ()))))


def train(module: DrawnModule, steps: int = 6) -> None:
    trainable = [parameter for parameter in module.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trainable or [nn.Parameter(torch.ones(()))], lr=1e-2)
    for step in range(steps):
        optimizer.zero_grad()
        loss = module.loss(step)
        assert loss.requires_grad == bool(trainable)
        if trainable:
            loss.backward()
            optimizer.step()


def is_finite(module: DrawnModule) -> bool:
    return bool(module.train().loss(7).isfinite() and module.eval().loss(7).isfinite())


RECIPES = drawn(600, **EVERYTHING)


@pytest.mark.parametrize("kind", [kind.name for kind in BUILT_IN_KINDS])
def test_every_kind_turns_up_among_some_hundreds(kind: str) -> None:
    assert sum(kind in recipe.kinds for recipe in RECIPES) >= 3


WANTED: dict[str, Callable[[nn.Module], bool]] = {
    **{
        kind.__name__: lambda module, kind=kind: isinstance(module, kind)  # type: ignore[misc]
        for kind in (
            *(nn.Linear, nn.Conv1d, nn.Conv2d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.Identity, nn.PReLU),
            *(nn.BatchNorm1d, nn.BatchNorm2d, nn.LayerNorm, nn.GroupNorm, nn.InstanceNorm1d, nn.InstanceNorm2d),
            *(nn.RMSNorm, nn.AvgPool1d, nn.MaxPool2d, nn.AdaptiveAvgPool1d, nn.AdaptiveMaxPool2d),
            *(nn.RNN, nn.GRU, nn.LSTM, nn.MultiheadAttention, nn.TransformerEncoderLayer),
            *(nn.Embedding, nn.EmbeddingBag, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d),
            *(nn.AlphaDropout, nn.FeatureAlphaDropout, nn.ModuleList, nn.ModuleDict, nn.Sequential),
            *(nn.ParameterList, nn.ParameterDict, parts.Residual, nn.LazyLinear, nn.LazyConv2d, nn.LazyBatchNorm1d),
        )
    },
    "bidirectional": lambda module: isinstance(module, nn.RNNBase) and module.bidirectional,
    "sparse": lambda module: isinstance(module, nn.Embedding | nn.EmbeddingBag) and module.sparse,
    "frozen": lambda module: any(not parameter.requires_grad for parameter in module.parameters()),
    "tied": lambda module: len(list(module.parameters())) < len(list(module.named_parameters(remove_duplicate=False))),
    "persistent buffer": lambda module: bool(module._buffers.keys() - module._non_persistent_buffers_set),
    "non-persistent buffer": lambda module: bool(module._non_persistent_buffers_set),
    "counter": lambda module: isinstance(module, parts.WarmedUp),
    "extra state": lambda module: type(module).get_extra_state is not nn.Module.get_extra_state,
    "version": lambda module: (
        getattr(module, "_version", 1) == 2 and not isinstance(module, nn.modules.batchnorm._NormBase)
    ),
    "float64": lambda module: any(parameter.dtype == torch.float64 for parameter in module.parameters()),
    "bfloat16": lambda module: any(parameter.dtype == torch.bfloat16 for parameter in module.parameters()),
    "channels last": lambda module: any(
        not parameter.is_contiguous()
        for parameter in module.parameters()
        if not isinstance(parameter, nn.UninitializedParameter)
    ),
}


@pytest.fixture(scope="module")
def built() -> list[DrawnModule]:
    return [build_module(recipe, seed=0) for recipe in RECIPES]


@pytest.mark.parametrize("what", WANTED)
def test_what_checkpoints_have_to_carry_is_in_the_modules(what: str, built: list[DrawnModule]) -> None:
    assert any(WANTED[what](part) for module in built for part in module.modules())


def test_layers_are_nested_in_each_other() -> None:
    outer = ("residual", "module list", "module dict", "sequential", "frozen")
    beside = {one: {kind for recipe in RECIPES if one in recipe.kinds for kind in recipe.kinds} for one in outer}

    assert all(len(kinds) > 15 and len(kinds & {*outer}) > 2 for kinds in beside.values()), beside


def test_a_layer_that_was_not_asked_for_is_not_drawn() -> None:
    usual = {kind for recipe in drawn(300) for kind in recipe.kinds}

    assert usual.isdisjoint(ON_REQUEST)
    assert {kind.name: kind.request for kind in BUILT_IN_KINDS if kind.request} == ON_REQUEST


def test_a_recipe_prints_the_python_that_builds_its_module() -> None:
    names = {**vars(parts), **vars(parts.foreign), "DrawnModule": DrawnModule, "nn": nn, "torch": torch}
    names |= {kind.__name__: kind for kind in SHAPES.values()}

    for recipe in RECIPES[:200]:
        module = eval(repr(recipe), {**names, "parametrizations": parametrizations})
        assert repr(module) == repr(recipe.build())


def test_a_recipe_can_be_pickled() -> None:
    for recipe in RECIPES[:200]:
        again = pickle.loads(pickle.dumps(recipe))
        assert again == recipe
        assert repr(again) == repr(recipe)


def test_a_recipe_builds_under_another_seed_another_module_and_under_the_same_the_same() -> None:
    trained = 0
    for recipe in drawn(100):
        one, same, other = (build_module(recipe, seed=seed) for seed in (1, 1, 2))
        assert not compare(one.state_dict(), same.state_dict())
        trained += bool(compare(one.state_dict(), other.state_dict()))

    assert trained > 70


@given(modules(**EVERYTHING))
@settings(EXACT, max_examples=50)
def test_building_and_inputs_leave_the_random_state_alone(module: DrawnModule) -> None:
    before = get_random_state()

    build_module(RECIPES[0], seed=3)
    module.example_inputs(3)

    assert not compare(before, get_random_state())


@given(st.data())
@settings(EXACT, max_examples=50)
def test_drawing_modules_takes_no_random_numbers_from_the_test(data: st.DataObject) -> None:
    torch.manual_seed(5)
    before = get_random_state()

    data.draw(modules(**EVERYTHING))

    assert not compare(before, get_random_state())


def test_example_inputs_depend_on_the_seed_alone() -> None:
    for recipe in RECIPES[:50]:
        one, same, other = (recipe.example_inputs(seed) for seed in (1, 1, 2))
        assert not compare(one, same)
        assert not compare(one, recipe.build().example_inputs(1))
        assert compare(one, other) or isinstance(recipe.inputs, Tokens)


@given(module_recipes(lazy=True, forgetful=True))
@settings(EXACT, max_examples=150)
def test_a_module_trains_and_stays_finite(recipe: ModuleRecipe) -> None:
    module = build_module(recipe, seed=11)
    output = module(*module.example_inputs())

    assert output.shape[0] == recipe.inputs.batch
    assert output.dtype == torch.float32
    assert is_finite(module)
    train(module.train())
    assert is_finite(module)


def test_sparse_gradients_on_request() -> None:
    recipe = next(recipe for recipe in RECIPES if "sparse embedding" in recipe.kinds)
    module = build_module(recipe, seed=1)

    module.loss().backward()

    assert any(parameter.grad is not None and parameter.grad.is_sparse for parameter in module.parameters())


# Each with one of what it takes, in turn: all of them would take a minute.
CASES = [(kind, kind.takes[number % len(kind.takes)]) for number, kind in enumerate(BUILT_IN_KINDS) if not kind.request]


@pytest.mark.parametrize(("kind", "shape"), CASES, ids=lambda case: getattr(case, "name", None) or case.__name__)
def test_a_kind_is_a_correct_program_whatever_it_takes(kind: Kind, shape: type) -> None:
    recipe = find(of_kind(kind, INPUTS[shape]), lambda recipe: True, settings=EXACT)

    check_training_run(run_of(recipe), steps=3, at=[0, 2])


@given(module_recipes(lazy=True))
@settings(EXACT, max_examples=10, phases=[Phase.generate])
def test_a_drawn_module_is_a_correct_program(recipe: ModuleRecipe) -> None:
    check_training_run(run_of(recipe), steps=3)


def test_a_forgetful_module_is_none() -> None:
    kind = next(kind for kind in BUILT_IN_KINDS if kind.name == "forgetful buffer")
    recipe = find(of_kind(kind, INPUTS[Sequence]), lambda recipe: True, settings=EXACT)

    outcomes = check_training_run(run_of(recipe), steps=3, raise_on_failure=False)

    assert "resume_is_exact" in {outcome.check for outcome in outcomes.failures}


def test_whole_modules_can_be_pickled_on_request() -> None:
    recipes = drawn(200, picklable=True)

    for recipe in recipes:
        module = build_module(recipe, seed=1)
        module.loss()
        again = pickle.loads(pickle.dumps(module))
        assert not compare(module.state_dict(), again.state_dict())
        assert not compare(module.eval()(*module.example_inputs()), again.eval()(*again.example_inputs()))
    met = {kind for recipe in recipes for kind in recipe.kinds}
    assert met.isdisjoint({"weight norm", "spectral norm", "orthogonal"})
    assert met > {"old weight norm", "old spectral norm"}


def test_modules_shrink_to_one_linear_layer() -> None:
    smallest = find(module_recipes(), lambda recipe: True, settings=EXACT)

    assert repr(smallest) == "DrawnModule(nn.Linear(2, 2), inputs=Vector(batch=2, features=2))"


SMALLEST = {
    "gru": "DrawnModule(OutputsOnly(nn.GRU(2, 2, batch_first=True)), inputs=Sequence(batch=2, length=2, features=2))",
    "residual": "DrawnModule(Residual(nn.Linear(2, 2)), inputs=Vector(batch=2, features=2))",
    "versioned": "DrawnModule(Versioned(2), inputs=Vector(batch=2, features=2))",
}


@pytest.mark.parametrize("kind", SMALLEST)
def test_a_module_with_one_kind_of_layer_shrinks_to_that_layer(kind: str) -> None:
    smallest = find(module_recipes(), lambda recipe: kind in recipe.kinds, settings=settings(EXACT, max_examples=2000))

    assert repr(smallest) == SMALLEST[kind]


def test_layers_are_counted_and_nested_as_asked() -> None:
    for recipe in drawn(100, min_layers=2, max_layers=2, max_nesting=0):
        assert recipe.body.make is nn.Sequential
        assert len(recipe.body.arguments) == 2
        assert not any(kind.nests for kind in BUILT_IN_KINDS if kind.name in recipe.kinds)


def test_deeper_nesting_on_request() -> None:
    def depth(module: nn.Module) -> int:
        return max((name.count(".") for name, _ in module.named_modules()), default=0)

    flat, deep = (max(depth(recipe.build()) for recipe in drawn(300, max_nesting=levels)) for levels in (0, 3))

    assert deep > flat + 2


def test_no_example_is_discarded(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from hypothesis import given, settings
        from pytest_ckpt.strategies import modules

        @settings(max_examples=200, deadline=None, database=None)
        @given(modules())
        def test_it(module):
            module.loss()
        """
    )

    result = pytester.runpytest("--hypothesis-show-statistics", "-p", "no:randomly")

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*200 passing, 0 failing, and 0 invalid test cases"])
    result.stdout.fnmatch_lines(["*layer: linear*"])


def test_a_failing_test_prints_what_to_build(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from hypothesis import given, settings
        from pytest_ckpt.strategies import modules

        @settings(deadline=None, database=None)
        @given(modules())
        def test_it(module):
            assert False
        """
    )

    result = pytester.runpytest()

    result.stdout.fnmatch_lines(
        [
            "*module=build_module(*",
            "*DrawnModule(nn.Linear(2, 2), inputs=Vector(batch=2, features=2)),*",
            "*seed=0,*",
        ]
    )


def test_an_impossible_module_is_not_found() -> None:
    with pytest.raises(NoSuchExample):
        find(module_recipes(), lambda recipe: "forgetful buffer" in recipe.kinds, settings=EXACT)


def test_hooks_that_torch_no_longer_has_are_left_out() -> None:
    kept = parts.reparametrised._those_left(
        {"weight_norm": parts.old_weight_norm, "gone_norm": parts.old_spectral_norm}, torch.nn.utils
    )

    assert kept == (parts.old_weight_norm,)
