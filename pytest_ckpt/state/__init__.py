"""What a run is made of."""

from pytest_ckpt.state.capture import StateTree, capture, is_stateful
from pytest_ckpt.state.freezing import ObjectPicture, freeze
from pytest_ckpt.state.random_state import get_random_state, seed_everything, set_random_state

__all__ = [
    "ObjectPicture",
    "StateTree",
    "capture",
    "freeze",
    "get_random_state",
    "is_stateful",
    "seed_everything",
    "set_random_state",
]
