"""Runs around one custom part: a module, an optimizer or a scheduler with small real companions."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch.nn.parameter import is_lazy

from pytest_ckpt.errors import UsageError
from pytest_ckpt.runs.training_run import MakeRun, TrainingRun
from pytest_ckpt.state.random_state import get_random_state, seed_everything, set_random_state

__all__ = ["call_module", "inputs_of_step", "module_run", "optimizer_run", "scheduler_run", "training_with"]

_DATA_SEED = 1234


def module_run(make_module: Callable[[], torch.nn.Module], *, inputs: Any) -> MakeRun:
    """Return a ``make_run`` that trains one module with AdamW on the mean square of its outputs.

    Args:
        make_module: Makes the module: its class, or a function without arguments. Called for each run.
        inputs: What ``forward`` is called with: a tensor, a tuple of positional arguments, a mapping of
            keyword arguments, or a function that returns one of these. The function is called at each
            step, under a seed that depends on the step alone.
    """

    def make_run() -> TrainingRun:
        module = make_module()
        if not isinstance(module, torch.nn.Module):
            raise UsageError(f"module_run() got a factory of {type(module).__qualname__}, not of a module.")
        if any(is_lazy(tensor) for tensor in (*module.parameters(), *module.buffers())):
            call_module(module, inputs_of_step(inputs, -1))
        parameters = [p for p in module.parameters() if p.requires_grad]
        components: dict[str, Any] = {"model": module}
        optimizer = torch.optim.AdamW(parameters, lr=1e-2) if parameters else None
        if optimizer is not None:
            components["optimizer"] = optimizer

        def step(number: int) -> torch.Tensor:
            module.train()
            loss = _loss_of(call_module(module, inputs_of_step(inputs, number)))
            _optimize(optimizer, loss)
            return loss

        return TrainingRun(
            components=components,
            step=step,
            predict=lambda: call_module(module, inputs_of_step(inputs, -1)),
            name=type(module).__qualname__,
        )

    return make_run


def optimizer_run(make_optimizer: Callable[[list[torch.nn.Parameter]], Any]) -> MakeRun:
    """Return a ``make_run`` that trains a small network with one optimizer.

    Args:
        make_optimizer: Makes the optimizer from a list of parameters. Its ``step`` gets a closure where it
            cannot be called without one, as that of ``torch.optim.LBFGS``.
    """
    return training_with(make_optimizer)


def training_with(
    make_optimizer: Callable[[list[torch.nn.Parameter]], Any], *, closure: bool = False, create_graph: bool = False
) -> MakeRun:
    """Return the run of :func:`optimizer_run` for an optimizer that says more of how it is to be used.

    Args:
        make_optimizer: Makes the optimizer from a list of parameters.
        closure: Whether ``step`` gets a closure although it can be called without one.
        create_graph: Whether the gradients are to be differentiated again, as methods of second order ask for.
    """

    def make_run() -> TrainingRun:
        model = _small_network()
        optimizer = make_optimizer(list(model.parameters()))

        def step(number: int) -> torch.Tensor:
            def evaluate() -> torch.Tensor:
                optimizer.zero_grad()
                loss = _loss_of(model(_batch(number)))
                loss.backward(create_graph=create_graph)
                return loss

            loss = evaluate()
            optimizer.step(evaluate) if closure or _needs_argument(optimizer.step) else optimizer.step()
            return loss

        return TrainingRun(
            components={"model": model, "optimizer": optimizer},
            step=step,
            predict=lambda: model(_batch(-1)),
            name=type(optimizer).__qualname__,
        )

    return make_run


def scheduler_run(make_scheduler: Callable[[torch.optim.Optimizer], Any]) -> MakeRun:
    """Return a ``make_run`` that trains a small network with AdamW and one scheduler.

    Args:
        make_scheduler: Makes the scheduler from the optimizer. Its ``step`` gets the loss where it cannot be
            called without an argument, as that of ``torch.optim.lr_scheduler.ReduceLROnPlateau``.
    """

    def make_run() -> TrainingRun:
        model = _small_network()
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
        scheduler = make_scheduler(optimizer)

        def step(number: int) -> torch.Tensor:
            loss = _loss_of(model(_batch(number)))
            _optimize(optimizer, loss)
            scheduler.step(loss.item()) if _needs_argument(scheduler.step) else scheduler.step()
            return loss

        return TrainingRun(
            components={"model": model, "optimizer": optimizer, "scheduler": scheduler},
            step=step,
            predict=lambda: model(_batch(-1)),
            name=type(scheduler).__qualname__,
        )

    return make_run


def _small_network() -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3))


def _batch(number: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(_DATA_SEED + number)
    return torch.randn(4, 6, generator=generator)


def _optimize(optimizer: torch.optim.Optimizer | None, loss: torch.Tensor) -> None:
    if optimizer is None or not loss.requires_grad:
        return
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def _needs_argument(function: Callable[..., Any]) -> bool:
    try:
        inspect.signature(function).bind()
    except TypeError:
        return True
    return False


def inputs_of_step(inputs: Any, number: int) -> Any:
    """Return the inputs of one step: what :func:`module_run` was given, or what that makes under the step's seed."""
    if not callable(inputs) or isinstance(inputs, torch.Tensor):
        return inputs
    # The module may draw from the global generators; its inputs must not depend on that.
    before = get_random_state()
    seed_everything(_DATA_SEED + number)
    try:
        return inputs()
    finally:
        set_random_state(before)


def call_module(module: Callable[..., Any], inputs: Any) -> Any:
    """Call a module with what :func:`inputs_of_step` returned."""
    if isinstance(inputs, Mapping):
        return module(**inputs)
    return module(*inputs) if isinstance(inputs, tuple) else module(inputs)


def _loss_of(output: Any) -> torch.Tensor:
    """Return the sum of the mean squares of all floating-point tensors in a module's output."""
    tensors = [t for t in _tensors_in(output) if t.is_floating_point() or t.is_complex()]
    if not tensors:
        return torch.zeros(())
    return torch.stack([t.abs().pow(2).float().mean() for t in tensors]).sum()


def _tensors_in(value: Any) -> Iterable[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _tensors_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _tensors_in(item)
