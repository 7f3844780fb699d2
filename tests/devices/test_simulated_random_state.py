"""Each simulated device draws from a random state of its own, as real ones do."""

from __future__ import annotations

import pytest
import torch

from pytest_ckpt.devices import world
from pytest_ckpt.state import get_random_state, seed_everything, set_random_state


def draw(device: str) -> list[float]:
    found: list[float] = torch.rand(3, device=device).tolist()
    return found


def test_a_draw_moves_only_its_own_device() -> None:
    with world("cuda:1"):
        torch.manual_seed(1)
        host, devices = torch.get_rng_state(), torch.cuda.get_rng_state_all()
        draw("cuda:1")

        assert torch.equal(torch.get_rng_state(), host)
        assert [torch.equal(a, b) for a, b in zip(torch.cuda.get_rng_state_all(), devices, strict=True)] == [
            True,
            False,
        ]


def test_one_seed_for_all() -> None:
    with world("cuda:1"):
        torch.manual_seed(1)
        first = [draw("cuda:0"), draw("cuda:1")]
        torch.manual_seed(1)

        assert [draw("cuda:0"), draw("cuda:1")] == first
        assert first[0] == first[1]


def test_all_states_are_saved_and_set() -> None:
    with world("cuda:1"):
        states = torch.cuda.get_rng_state_all()
        first = [draw("cuda:0"), draw("cuda:1")]
        torch.cuda.set_rng_state_all(states)

        assert [draw("cuda:0"), draw("cuda:1")] == first


@pytest.mark.parametrize("kind", ["cuda", "xpu"])
def test_the_random_state_of_a_run_includes_its_devices(kind: str) -> None:
    with world(f"{kind}:1"):
        seed_everything(1)
        state = get_random_state()
        first = draw(f"{kind}:1")
        set_random_state(state)

        assert {f"{kind}:0", f"{kind}:1"} <= state.keys()
        assert draw(f"{kind}:1") == first


def test_the_state_of_the_cpu_alone_does_not_bring_a_device_back() -> None:
    with world("cuda:1"):
        host = torch.get_rng_state()
        first = draw("cuda:1")
        torch.set_rng_state(host)

        assert draw("cuda:1") != first


@pytest.mark.parametrize("kind", ["mps", "xpu:0"])
def test_other_kinds_have_a_state_too(kind: str) -> None:
    with world(kind):
        torch.manual_seed(1)
        module = torch.mps if kind == "mps" else torch.xpu
        state = module.get_rng_state()
        first = draw(kind)
        module.set_rng_state(state)

        assert draw(kind) == first


def test_a_generator_of_a_device() -> None:
    with world("cuda:1"):
        generator = torch.Generator(device="cuda:1").manual_seed(5)
        first = torch.rand(3, device="cuda:1", generator=generator).tolist()
        generator.manual_seed(5)

        assert torch.rand(3, device="cuda:1", generator=generator).tolist() == first
        assert str(generator.device) == "cuda:1"
        assert isinstance(generator, torch.Generator)
        assert isinstance(torch.default_generator, torch.Generator)


def test_a_generator_of_the_cpu_is_refused_on_a_device() -> None:
    with (
        world("cuda:1"),
        pytest.raises(RuntimeError, match="Expected a 'cuda' device type for generator but found 'cpu'"),
    ):
        torch.rand(3, device="cuda:1", generator=torch.Generator())


@pytest.mark.parametrize("setter", [lambda s: torch.set_rng_state(s), lambda s: torch.cuda.set_rng_state(s, 1)])
def test_a_state_on_the_device_is_refused(setter: object) -> None:
    """What ``torch.load(path, map_location="cuda")`` makes of a saved random state."""
    with world("cuda:1"):
        state = torch.get_rng_state().to("cuda:1")
        with pytest.raises(TypeError, match=r"^RNG state must be a torch\.ByteTensor$"):
            setter(state)  # type: ignore[operator]


def test_fork_rng_brings_a_device_back() -> None:
    with world("cuda:1"):
        torch.manual_seed(1)
        expected = draw("cuda:1")
        torch.manual_seed(1)
        with torch.random.fork_rng(devices=[1]):
            draw("cuda:1")

        assert draw("cuda:1") == expected


def test_the_world_leaves_the_random_state_of_the_cpu_alone() -> None:
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    with world("cuda:1"):
        draw("cuda:1")

    assert torch.equal(torch.rand(1), expected)
