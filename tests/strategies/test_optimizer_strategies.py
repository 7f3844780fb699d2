"""Drawn optimizers are valid, varied, train, and come back from a checkpoint as they were."""

# Longer than 250 lines because the recipes and the optimizers built of them are one thing to a reader.

from __future__ import annotations

import inspect
import pickle
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, find, given, settings
from hypothesis import strategies as st
from hypothesis.vendor.pretty import pretty
from optimizer_draws import many, network, run_of
from torch.nn import Parameter

from pytest_ckpt import UsageError, check_training_run, optimizer_run
from pytest_ckpt.strategies import optimizers
from pytest_ckpt.strategies.optimization import optimizer_kinds
from pytest_ckpt.strategies.optimization.optimizer_kinds import torch_optimizers
from pytest_ckpt.strategies.optimization.optimizer_recipes import OptimizerRecipe, optimizer_recipes

NAMED = list(network().named_parameters())
QUICK = settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))


def test_every_optimizer_of_torch_turns_up_with_every_hyper_parameter() -> None:
    recipes = many(optimizer_recipes(), 800) + many(optimizer_recipes(gradients="sparse"), 60)

    assert {recipe.cls for recipe in recipes} == set(torch_optimizers())
    assert {recipe.cls.__name__ for recipe in recipes} >= {"SGD", "Adam", "AdamW", "LBFGS", "SparseAdam", "Adafactor"}
    drawn = {name for recipe in recipes for name in recipe.options}
    assert drawn >= {"amsgrad", "betas", "centered", "dampening", "decoupled_weight_decay", "etas", "foreach", "fused"}
    assert drawn >= {"history_size", "line_search_fn", "lr", "maximize", "momentum", "nesterov", "rho", "t0"}
    assert not drawn & {"capturable", "differentiable"}
    values = {repr(option) for recipe in recipes for option in recipe.options.items()}
    assert values >= {"('foreach', True)", "('foreach', False)", "('fused', True)", "('lr', torch.tensor(0.01))"}
    assert {len(recipe.groups) for recipe in recipes} == {0, 2, 3}
    assert {recipe.named for recipe in recipes} == {False, True}
    in_groups = {name for recipe in recipes for group in recipe.groups for name in group}
    assert in_groups == {"betas", "lr", "momentum", "weight_decay"}


@pytest.mark.parametrize("flag", ["capturable", "differentiable"])
def test_what_is_never_drawn_cannot_train_parameters_on_a_cpu(flag: str) -> None:
    classes = [cls for cls in torch_optimizers() if flag in inspect.signature(cls).parameters]
    assert len(classes) > 5
    for cls in classes:
        parameter = Parameter(torch.ones(2, 2))
        options: dict[str, Any] = {flag: True}
        optimizer = cls([parameter], **options)
        parameter.grad = torch.ones(2, 2)
        with pytest.raises((AssertionError, RuntimeError)):
            optimizer.step()


def test_what_torch_refuses_together_is_not_drawn_together() -> None:
    of_complex = many(optimizer_recipes(complex_parameters=True), 400)
    of_sparse = many(optimizer_recipes(gradients="sparse"), 100)

    assert not any("fused" in recipe.options for recipe in of_complex)
    assert not {"Adafactor", "Muon", "SparseAdam"} & {recipe.cls.__name__ for recipe in of_complex}
    assert {"SGD", "Adam", "LBFGS"} <= {recipe.cls.__name__ for recipe in of_complex}
    said = [option for recipe in of_sparse for option in (recipe.options, *recipe.groups)]
    assert not any({"fused", "weight_decay"} & option.keys() for option in said)
    assert {len(recipe.groups) for recipe in of_sparse} == {0, 2, 3}
    assert {recipe.cls.__name__ for recipe in of_sparse} == {"SGD", "Adagrad", "SparseAdam"}


@pytest.mark.parametrize("gradients", ["dense", "sparse"])
def test_drawn_optimizers_come_back_from_a_checkpoint(gradients: str) -> None:
    for recipe in many(optimizer_recipes(gradients=gradients), 12):  # type: ignore[arg-type]
        check_training_run(run_of(recipe), formats=["torch"])


def test_drawn_optimizers_pass_as_one_custom_part() -> None:
    names = [name for name, _ in NAMED]
    for recipe in many(optimizer_recipes(), 6):
        check_training_run(optimizer_run(lambda p, recipe=recipe: recipe.build(list(zip(names, p, strict=True)))))  # type: ignore[misc]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64, torch.complex64], ids=str)
def test_six_steps_stay_finite_in_every_dtype(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    for recipe in many(optimizer_recipes(complex_parameters=dtype.is_complex), 30):
        model = torch.nn.Linear(4, 3, dtype=dtype)
        optimizer = recipe.build(list(model.named_parameters()))

        def closure(model: torch.nn.Module = model, optimizer: torch.optim.Optimizer = optimizer) -> Any:
            optimizer.zero_grad()
            loss = model(torch.ones(2, 4, dtype=dtype)).abs().square().mean()
            loss.backward()
            return loss

        for _ in range(6):
            closure()
            optimizer.step(closure) if recipe.needs_closure else optimizer.step()
        assert all(parameter.isfinite().all() for parameter in model.parameters()), recipe


@pytest.mark.parametrize(
    ("wanted", "shrunk"),
    [
        (lambda r: True, "torch.optim.SGD(parameters)"),
        (lambda r: r.named, "torch.optim.SGD(named_parameters)"),
        (lambda r: r.options.get("nesterov"), "torch.optim.SGD(parameters, momentum=0.9, nesterov=True)"),
        (lambda r: r.needs_closure, "torch.optim.LBFGS(parameters)"),
        (lambda r: r.matrices_only, "torch.optim.Muon(matrices)"),
        (lambda r: len(r.groups) > 1, "torch.optim.SGD([{'params': parameters[0::2]}, {'params': parameters[1::2]}])"),
        (
            lambda r: any("lr" in g for g in r.groups) and "amsgrad" in r.options,
            "torch.optim.Adam([{'params': parameters[0::2]}, {'params': parameters[1::2], 'lr': 0.01}], amsgrad=True)",
        ),
    ],
)
def test_recipes_shrink_to_the_python_that_shows_it(wanted: object, shrunk: str) -> None:
    found = find(optimizer_recipes(), wanted, settings=settings(max_examples=2000, database=None, derandomize=True))  # type: ignore[arg-type]

    assert repr(found) == shrunk


def test_a_recipe_builds_what_its_repr_says_any_number_of_times() -> None:
    matrices = [pair for pair in NAMED if pair[1].ndim == 2]
    names = {
        "torch": torch,
        "parameters": [parameter for _, parameter in NAMED],
        "named_parameters": NAMED,
        "matrices": [parameter for _, parameter in matrices],
        "named_matrices": matrices,
    }
    # Over three groups Muon has as many as it has matrices, which its repr cannot know.
    for recipe in many(optimizer_recipes(max_groups=2), 150):
        written = eval(repr(recipe), names)
        for _ in range(2):
            built = recipe.build(NAMED)
            assert type(built) is type(written)
            assert built.param_groups == written.param_groups
            assert built.defaults == written.defaults


def test_hypothesis_prints_a_recipe_as_python() -> None:
    assert pretty(OptimizerRecipe(cls=torch.optim.Adam, options={"lr": 0.1})) == "torch.optim.Adam(parameters, lr=0.1)"


def test_recipes_are_data() -> None:
    for recipe in many(optimizer_recipes(), 60):
        assert pickle.loads(pickle.dumps(recipe)) == recipe
        with pytest.raises(AttributeError):
            recipe.named = True  # type: ignore[misc]


def test_a_learning_rate_in_a_tensor_is_shared_by_nobody() -> None:
    tensors = 0
    for recipe in many(optimizer_recipes(min_groups=2), 200):
        rates = [group["lr"] for _ in range(2) for group in recipe.build(NAMED).param_groups]
        if isinstance(rates[0], torch.Tensor):
            tensors += 1
            assert len({rate.data_ptr() for rate in rates}) == len(rates) >= 4
    assert tensors > 5


@pytest.mark.parametrize("strategy", [optimizer_recipes(), optimizers(NAMED)], ids=["recipes", "optimizers"])
def test_what_is_drawn_is_kept(strategy: st.SearchStrategy[object]) -> None:
    begun = 0

    @st.composite
    def counted(draw: st.DrawFn) -> object:
        nonlocal begun
        begun += 1
        return draw(strategy)

    assert len(many(counted(), 400)) == 400
    assert begun < 1.05 * 400


@QUICK
@given(st.data())
def test_drawing_leaves_the_random_state_alone(data: st.DataObject) -> None:
    before = torch.get_rng_state(), random.getstate()

    data.draw(optimizers([parameter for _, parameter in NAMED]))

    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1]


def test_parameters_are_kept_in_order_and_dealt_out_to_the_groups() -> None:
    recipe = OptimizerRecipe(cls=torch.optim.SGD, options={}, groups=({}, {"lr": 0.1}), named=True)

    first, second = recipe.build(NAMED).param_groups

    assert (first["param_names"], second["param_names"]) == (["0.weight", "2.weight"], ["0.bias", "2.bias"])
    assert (first["lr"], second["lr"]) == (0.001, 0.1)
    assert [id(p) for p in second["params"]] == [id(NAMED[1][1]), id(NAMED[3][1])]


def test_there_are_never_more_groups_than_parameters() -> None:
    recipe = OptimizerRecipe(cls=torch.optim.SGD, options={}, groups=({}, {}, {}))

    assert len(recipe.build(NAMED[:2]).param_groups) == 2
    drawn = many(optimizers([NAMED[0][1]], min_groups=2, max_groups=2), 10)
    assert {len(optimizer.param_groups) for optimizer in drawn} == {1}


def test_an_iterator_of_parameters_lasts_for_every_example() -> None:
    model = network()

    drawn = many(optimizers(model.parameters(), min_groups=2), 20)
    with_names = many(optimizers(model.named_parameters(), classes=[torch.optim.SGD]), 20)

    assert all(optimizer.param_groups[0]["params"] for optimizer in drawn)
    assert not any("param_names" in optimizer.param_groups[0] for optimizer in drawn)
    assert all("param_names" in optimizer.param_groups[0] for optimizer in with_names)


def test_parameters_can_be_drawn_too() -> None:
    parameters = st.integers(1, 3).map(lambda n: [Parameter(torch.ones(n)) for _ in range(n)])

    counts = Counter(sum(len(g["params"]) for g in made.param_groups) for made in many(optimizers(parameters), 60))

    assert counts.keys() == {1, 2, 3}


def test_muon_is_drawn_where_there_are_matrices() -> None:
    vectors, both = [NAMED[1][1]], [NAMED[0][1], NAMED[1][1]]

    assert not [made for made in many(optimizers(vectors), 200) if isinstance(made, torch.optim.Muon)]
    muons = many(optimizers(both, classes=[torch.optim.Muon]), 10)
    assert {len(made.param_groups[0]["params"]) for made in muons} == {1}


@pytest.fixture
def novel_optimizers(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Another torch, with two optimizers more."""

    class Novel(torch.optim.SGD):
        pass

    class Demanding(torch.optim.SGD):
        def __init__(self, params: list[Parameter], temperature: float) -> None:
            super().__init__(params)

    monkeypatch.setattr(torch.optim, "Novel", Novel, raising=False)
    monkeypatch.setattr(torch.optim, "Demanding", Demanding, raising=False)
    optimizer_kinds._torch_kinds.cache_clear()
    yield ["Novel"]
    optimizer_kinds._torch_kinds.cache_clear()


def test_an_optimizer_of_another_torch_turns_up_unless_it_asks_for_the_unknown(novel_optimizers: list[str]) -> None:
    drawn = {recipe.cls.__name__ for recipe in many(optimizer_recipes(), 800)}

    assert drawn & {"Novel", "Demanding"} == set(novel_optimizers)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_groups": 0}, "min_groups=0, max_groups=3; they are at least 1 and ascend."),
        ({"min_groups": 4}, "min_groups=4, max_groups=3; they are at least 1 and ascend."),
        (
            {"classes": [torch.optim.LBFGS], "min_groups": 2},
            "No optimizer is left to draw with classes=[LBFGS], gradients='dense', complex_parameters=False, "
            "matrices=True and several param groups. Ask for less.",
        ),
        (
            {"classes": [torch.optim.Adam], "gradients": "sparse"},
            "No optimizer is left to draw with classes=[Adam], gradients='sparse', complex_parameters=False, "
            "matrices=True and one param group. Ask for less.",
        ),
        (
            {"classes": [Counter]},
            "There is no optimizer Counter to draw. Make it known first: register_optimizer(Counter).",
        ),
    ],
)
def test_what_cannot_be_drawn_is_told(options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError) as raised:
        many(optimizer_recipes(**options), 1)  # type: ignore[arg-type]

    assert str(raised.value) == message


def test_no_parameters_are_told() -> None:
    with pytest.raises(UsageError) as raised:
        many(optimizers([]), 1)
    assert str(raised.value) == "optimizers() got no parameters. Give it at least one."

    muon = OptimizerRecipe(cls=torch.optim.Muon, options={}, matrices_only=True)
    with pytest.raises(UsageError) as raised:
        muon.build([NAMED[1]])
    assert str(raised.value) == (
        "torch.optim.Muon(matrices) takes none of the parameters (0.bias (8,)). Give it at least one of two dimensions."
    )
