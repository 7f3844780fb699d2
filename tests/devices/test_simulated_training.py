"""Programs on simulated devices train with the bits of the CPU, save, load and go on as they would there."""

from __future__ import annotations

import io
import time

import pytest
import torch
from device_programs import MODELS, OPTIMIZERS, program

from pytest_ckpt.devices import world

# Each model with the two most used optimizers, and each optimizer on one model.
PAIRS = [(m, o) for m in MODELS for o in ("AdamW", "SGD")] + [
    ("mlp", o) for o in OPTIMIZERS if o not in ("AdamW", "SGD")
]
STEPS = 3


def devices_of(model: torch.nn.Module) -> set[str]:
    return {str(tensor.device) for tensor in [*model.parameters(), *model.buffers()]}


@pytest.mark.parametrize(("model", "optimizer"), PAIRS)
def test_training_has_the_bits_of_the_cpu(model: str, optimizer: str) -> None:
    plain = program(model, optimizer, "cpu")
    expected = [plain.step() for _ in range(STEPS)]

    with world("cuda:1"):
        simulated = program(model, optimizer, "cuda:1")
        losses = [simulated.step() for _ in range(STEPS)]
        places = devices_of(simulated.model)
        gradients = {str(p.grad.device) for p in simulated.model.parameters() if p.grad is not None}

    assert losses == expected
    assert len(set(losses)) == STEPS, "nothing was trained"
    assert places == ({"cpu", "cuda:1"} if model == "split" else {"cuda:1"})
    assert gradients == places


@pytest.mark.parametrize(("model", "optimizer"), PAIRS)
def test_a_run_goes_on_from_its_file(model: str, optimizer: str) -> None:
    file = io.BytesIO()
    with world("cuda:1"):
        first = program(model, optimizer, "cuda:1")
        first.step()
        torch.save({"model": first.model.state_dict(), "optimizer": first.optimizer.state_dict()}, file)
        expected = [first.step() for _ in range(STEPS)]
        second = program(model, optimizer, "cuda:1", seed=4)
        second.inputs = first.inputs
        file.seek(0)
        loaded = torch.load(file)
        second.model.load_state_dict(loaded["model"])
        second.optimizer.load_state_dict(loaded["optimizer"])
        resumed = [second.step() for _ in range(STEPS)]

    assert resumed == expected


def test_dropout_draws_from_the_device() -> None:
    with world("cuda:1"):
        torch.manual_seed(1)
        host, other = torch.get_rng_state(), torch.cuda.get_rng_state(0)
        first = torch.nn.functional.dropout(torch.ones(64, device="cuda:1"))
        torch.cuda.manual_seed_all(1)
        again = torch.nn.functional.dropout(torch.ones(64, device="cuda:1"))

        assert torch.equal(first, again)
        assert torch.equal(torch.get_rng_state(), host)
        assert not torch.equal(torch.cuda.get_rng_state(1), other)


def test_capturable_state_is_with_its_parameter() -> None:
    with world("cuda:1"):
        parameter = torch.nn.Parameter(torch.ones(2, device="cuda:1"))
        optimizer = torch.optim.AdamW([parameter], capturable=True)
        parameter.sum().backward()
        optimizer.step()
        copy = torch.optim.AdamW([parameter], capturable=True)
        copy.load_state_dict(torch.load(_saved(optimizer.state_dict()), map_location="cpu"))

        assert str(optimizer.state[parameter]["step"].device) == "cuda:1"
        assert str(copy.state[parameter]["step"].device) == "cuda:1", "torch's own rule of loading"


def _saved(state: object) -> io.BytesIO:
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return file


def test_a_simulated_step_takes_less_than_ten_times_as_long() -> None:
    def fastest(device: str) -> float:
        made, taken = program("transformer", "AdamW", device), []
        for _ in range(12):
            start = time.process_time()
            made.step()
            taken.append(time.process_time() - start)
        return min(taken)

    plain = fastest("cpu")
    with world("cuda:1"):
        assert fastest("cuda:1") < 10 * plain
