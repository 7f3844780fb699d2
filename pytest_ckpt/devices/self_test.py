"""Whether this torch lets devices be simulated: found by trying, at first use."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import cache

import torch

from pytest_ckpt.devices.private import MISSING
from pytest_ckpt.devices.simulation import simulated

__all__ = ["why_unsupported"]


@cache
def why_unsupported() -> str:
    """Return why devices cannot be simulated with this torch; empty if they can."""
    if MISSING:
        return f"torch {torch.__version__} has no {', '.join(MISSING)}"
    state = torch.get_rng_state()
    try:
        with simulated({"cuda": 2}):
            for trial in _TRIALS:
                trial()
    except Exception as error:  # whatever it is, a simulation that fails this would accuse correct programs
        return f"torch {torch.__version__} failed the trial: {type(error).__name__}: {str(error).splitlines()[0]}"
    finally:
        torch.set_rng_state(state)
    return "" if torch.ones(1).device.type == "cpu" else "tensors are not on the CPU afterwards"


def _expect(condition: bool, what: str) -> None:
    if not condition:
        raise RuntimeError(what)


def _try_places() -> None:
    made = [torch.ones(2, device="cuda:1"), torch.tensor([1.0], device="cuda:1"), torch.ones(2).to("cuda:1")]
    _expect(all(tensor.device == torch.device("cuda", 1) for tensor in made), "tensors are not where they were put")
    _expect(torch.cuda.is_available() and torch.cuda.device_count() == 2, "torch.cuda does not see the devices")


def _try_mixing() -> None:
    try:
        torch.ones(2, device="cuda:1") + torch.ones(2)
    except RuntimeError:
        return
    raise RuntimeError("tensors of two devices were added")


def _try_training() -> None:
    lower, upper = torch.nn.Linear(2, 2), torch.nn.Linear(2, 1).to("cuda:1")
    optimizer = torch.optim.Adam([*lower.parameters(), *upper.parameters()])
    upper(lower(torch.ones(1, 2)).to("cuda:1")).sum().backward()
    optimizer.step()
    gradients = [module.weight.grad for module in (lower, upper)]
    _expect([str(g.device) for g in gradients if g is not None] == ["cpu", "cuda:1"], "gradients are elsewhere")


def _try_saving() -> None:
    file = io.BytesIO()
    torch.save(torch.ones(2, device="cuda:1"), file)
    for location, expected in ((None, "cuda:1"), ("cpu", "cpu"), ("cuda:0", "cuda:0")):
        file.seek(0)
        loaded = torch.load(file, map_location=location, weights_only=True)
        _expect(str(loaded.device) == expected, f"map_location={location} led to {loaded.device}")


def _try_random_state() -> None:
    before = torch.get_rng_state()
    torch.cuda.manual_seed_all(1)
    first = torch.rand(2, device="cuda:1").tolist()
    torch.cuda.manual_seed_all(1)
    _expect(torch.rand(2, device="cuda:1").tolist() == first, "a device's random state does not repeat")
    _expect(torch.equal(before, torch.get_rng_state()), "a device draws from the random state of the CPU")


_TRIALS: tuple[Callable[[], None], ...] = (_try_places, _try_mixing, _try_training, _try_saving, _try_random_state)
