"""Whether devices can be simulated is tried, and a torch that cannot is told apart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from pytest_ckpt.devices import machine, private, self_test, tensor_patches, world
from pytest_ckpt.devices.modes import Operators
from pytest_ckpt.devices.simulation import _patches


@pytest.fixture(autouse=True)
def _asked_anew() -> Iterator[None]:
    self_test.why_unsupported.cache_clear()
    yield
    self_test.why_unsupported.cache_clear()
    _patches.cache_clear()


def test_this_torch_lets_devices_be_simulated() -> None:
    assert self_test.why_unsupported() == ""


def test_a_name_that_is_gone_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    missing: list[str] = []
    monkeypatch.setattr(private, "MISSING", missing)
    monkeypatch.setattr(self_test, "MISSING", missing)

    assert private._find("torch._C._no_such_name") is None
    assert self_test.why_unsupported() == f"torch {torch.__version__} has no torch._C._no_such_name"


@pytest.mark.parametrize(
    ("owner", "name", "broken", "reason"),
    [
        (Operators, "__torch_dispatch__", lambda self, f, t, a=(), k=None: f(*a, **(k or {})), "NotImplementedError"),
        (machine.LABELS, "put", lambda storage, device: None, "tensors are not where they were put"),
    ],
)
def test_a_simulation_that_does_not_hold_is_not_used(
    owner: Any, name: str, broken: Any, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, name, broken)

    assert reason in self_test.why_unsupported()


def test_gradients_that_do_not_come_back_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    _patches.cache_clear()
    monkeypatch.setattr(tensor_patches, "_carried", lambda tensor, source, moved: moved)

    assert "failed the trial" in self_test.why_unsupported()


def test_a_torch_without_a_function_that_is_replaced_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    _patches.cache_clear()
    monkeypatch.delattr(torch._C, "_group_tensors_by_device_and_dtype")

    assert "_group_tensors_by_device_and_dtype" in self_test.why_unsupported()
    with world("cuda:1") as found:
        assert found.kind == "tags"
    with world("cpu") as found:
        assert (found.kind, str(torch.ones(1).device)) == ("cpu", "cpu")


def test_the_trial_leaves_no_trace() -> None:
    before = torch.get_rng_state()
    self_test.why_unsupported()

    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.cuda.is_available()
