"""Worlds: which machine a program is on, and that nothing of it stays behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
import torch._dynamo  # as the first world does: it looks at functions of torch and must see the real ones

from pytest_ckpt import UsageError
from pytest_ckpt.devices import world, worlds
from pytest_ckpt.devices.simulation import _patches


def fingerprint() -> list[int]:
    """Return the identities of everything that a world replaces."""
    return [id(vars(patch.owner).get(patch.name)) for patch in _patches()]


@pytest.fixture(autouse=True)
def untouched() -> Iterator[None]:
    before, compiled = fingerprint(), torch._dynamo.config.disable
    yield
    assert fingerprint() == before
    assert torch._dynamo.config.disable == compiled
    assert torch.overrides._get_current_function_mode_stack() == []
    assert torch._C._len_torch_dispatch_stack() == 0


def test_a_simulated_device_says_so() -> None:
    with world("cuda:1") as found:
        name, text, runs_on = found.name, repr(found), found.runs_on
        device = torch.cuda.get_device_name(1)

    assert (name, text, runs_on) == ("simulated cuda:1 (of 2)", "<World: simulated cuda:1 (of 2)>", "cuda:1")
    assert device == "simulated cuda:1"
    assert "gpu" not in (name + text + device).lower()


@pytest.mark.parametrize(
    ("device", "count", "kind"), [("cuda", 2, "cuda"), ("cuda:3", 4, "cuda"), ("xpu:1", 2, "xpu"), ("mps", 1, "mps")]
)
def test_torch_sees_the_devices(device: str, count: int, kind: str) -> None:
    with world(device):
        module = torch.get_device_module(kind)

        assert module.is_available()
        assert module.device_count() == torch.accelerator.device_count() == count
        assert torch.accelerator.current_accelerator() == torch.device(kind)
        assert torch.ones(2, device=device).device.type == kind
        assert [k for k in ("cuda", "xpu") if getattr(torch, k).is_available()] == [kind] * (kind != "mps")


def test_the_count_is_a_parameter() -> None:
    with world("cuda", count=5):
        assert torch.cuda.device_count() == 5


@pytest.mark.parametrize(
    ("device", "count", "message"),
    [
        ("cuda:2", 2, "world('cuda:2') with 2 devices has no cuda:2: give count=3 or more, or another index."),
        ("mps:1", None, "world('mps:1') with 1 device has no mps:1: there is one mps device."),
        ("cpu", 2, "world('cpu', count=2): a machine without accelerators has none of them."),
        ("gpu", None, "world('gpu'): Expected one of"),
        ("meta", None, "There is no world for 'meta'. Known kinds of devices: cpu, cuda, mps, xpu."),
    ],
)
def test_a_world_that_cannot_be_is_refused(device: str, count: int | None, message: str) -> None:
    with pytest.raises(UsageError) as caught, world(device, count=count):
        pass

    assert str(caught.value).startswith(message)


def test_the_current_device() -> None:
    with world("cuda:1"):
        torch.cuda.set_device(1)
        assert torch.ones(1, device="cuda").get_device() == torch.cuda.current_device() == 1
        with torch.cuda.device(0):
            assert torch.ones(1).cuda().get_device() == 0
        torch.accelerator.set_device_index(0)
        assert torch.cuda.current_device() == torch.accelerator.current_device_index() == 0


def test_the_default_device() -> None:
    with world("cuda:1"):
        with torch.device("cuda:1"):
            places = [torch.ones(1), torch.tensor(1.0), torch.nn.Linear(1, 1).weight]

        assert {str(tensor.device) for tensor in places} == {"cuda:1"}


def test_a_default_device_outside_is_what_it_was() -> None:
    """Torch keeps a table of its functions that make tensors, and fills it when it is first asked."""
    with world("cuda:1"), torch.device("cuda:1"):
        torch.tensor(1.0)
    with torch.device("meta"):
        assert str(torch.tensor(1.0).device) == str(torch.ones(1).device) == "meta"


def test_everything_is_put_back_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError), world("cuda:1"), world("mps"):
        raise ZeroDivisionError

    assert not torch.cuda.is_available()


def test_everything_is_put_back_when_a_world_cannot_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(machine: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("pytest_ckpt.devices.simulation.enter", refuse)
    with pytest.raises(ZeroDivisionError), world("cuda:1"):
        pass


def test_the_inner_world_is_the_machine() -> None:
    with world("cuda:1"):
        tensor = torch.ones(1, device="cuda:1")
        with world("mps"):
            assert not torch.cuda.is_available()
            assert str(torch.ones(1, device="mps").device) == "mps:0"
            assert str(tensor.device) == "cuda:1"
        with world("cpu"):
            assert not torch.accelerator.is_available()
            with pytest.raises(AssertionError, match="Torch not compiled with CUDA enabled"):
                torch.ones(1).cuda()
        assert torch.cuda.device_count() == 2


def test_a_tensor_is_cpu_memory_outside_and_knows_its_place_inside_again() -> None:
    with world("cuda:1"):
        tensor = torch.ones(2, device="cuda:1")

    assert str(tensor.device) == "cpu"
    assert (tensor + torch.ones(2)).tolist() == [2.0, 2.0]
    assert tensor.numpy().tolist() == [1.0, 1.0]
    with world("cuda:1"):
        assert str(tensor.device) == "cuda:1"


def test_a_real_device_is_not_simulated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)

    with world("cuda:1") as found:
        assert (found.kind, found.name, found.count) == ("real", "cuda:1", 2)
    with world("cuda:2") as found:
        assert found.kind == "simulated"


def test_without_simulation_only_the_location_tags_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worlds, "why_unsupported", lambda: "torch 9 has no such thing")

    with world("cuda:1") as found:
        assert (found.kind, found.runs_on) == ("tags", "cpu")
        assert found.name == "cpu, saved with the location tags of cuda:1 (not simulated: torch 9 has no such thing)"
        assert torch.serialization.location_tag(torch.ones(1).untyped_storage()) == "cuda:1"
        assert not torch.cuda.is_available()


def in_thread(function: Callable[[], Any]) -> Any:
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    thread.join()
    return found[0]


def in_pool(function: Callable[[], Any]) -> Any:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()


@pytest.mark.parametrize("elsewhere", [in_thread, in_pool])
def test_threads_are_in_the_world_that_starts_them(elsewhere: Callable[[Callable[[], Any]], Any]) -> None:
    """A program that saves in the background copies its tensors there."""
    with world("cuda:1"):
        tensor = torch.ones(2, device="cuda:1")

        assert str(elsewhere(lambda: tensor.clone()).device) == "cuda:1"


def test_a_thread_that_outlives_its_world_goes_on_outside() -> None:
    leave, found = threading.Event(), []

    def work() -> None:
        leave.wait(10)
        found.append(str(torch.ones(1).device))

    with world("cuda:1"):
        thread = threading.Thread(target=work)
        thread.start()
    leave.set()
    thread.join()

    assert found == ["cpu"]


def test_compiled_functions_run_eagerly() -> None:
    with world("cuda:1"):
        module: Any = torch.compile(torch.nn.Linear(2, 2).to("cuda:1"), mode="reduce-overhead")

        assert str(module(torch.ones(1, 2, device="cuda:1")).device) == "cuda:1"
        assert "_orig_mod.weight" in module.state_dict(), "wrapped as always: the keys of checkpoints depend on it"


def test_pinned_memory_and_streams_are_there_and_do_nothing() -> None:
    with world("cuda:1"):
        stream, event = torch.cuda.Stream(), torch.cuda.Event(enable_timing=True)
        event.record()
        with torch.cuda.stream(stream):
            moved = torch.ones(2).pin_memory().to("cuda:1", non_blocking=True)
        torch.cuda.current_stream().wait_stream(stream)
        moved.record_stream(stream)
        torch.cuda.synchronize()

        assert event.elapsed_time(event) == 0.0
        assert str(moved.device) == "cuda:1"
        assert torch.cuda.memory_allocated() == 0


def test_entering_is_cheap_after_the_first_time() -> None:
    with world("cuda:1"):
        pass
    taken = []
    for _ in range(20):
        start = time.perf_counter()
        with world("cuda:1"):
            pass
        taken.append(time.perf_counter() - start)

    assert min(taken) < 0.001
