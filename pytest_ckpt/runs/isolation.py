"""Checks leave no trace: one torch thread inside, everything global as before afterwards."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch

from pytest_ckpt.state.random_state import get_random_state, set_random_state

__all__ = ["isolated"]


@contextmanager
def isolated() -> Iterator[None]:
    """Run the body on one torch thread and restore what the code under test may change globally.

    Restored are the random state, default dtype and device, deterministic flags, thread count,
    environment, working directory, warnings filters and grad mode. Bits depend on the number of
    threads, so two runs are only comparable under the same one.
    """
    with ExitStack() as stack:
        stack.callback(set_random_state, get_random_state())
        stack.callback(torch.set_num_threads, torch.get_num_threads())
        stack.callback(torch.set_default_dtype, torch.get_default_dtype())
        stack.callback(_restore_default_device, torch.get_default_device())
        stack.callback(
            torch.use_deterministic_algorithms,
            torch.are_deterministic_algorithms_enabled(),
            warn_only=torch.is_deterministic_algorithms_warn_only_enabled(),
        )
        stack.callback(_restore_environment, dict(os.environ))
        stack.callback(os.chdir, os.getcwd())
        stack.callback(_restore_cudnn, (torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark))
        stack.enter_context(warnings.catch_warnings())
        # A program is called a dozen times here; its own tests are the place for its warnings.
        warnings.simplefilter("ignore")
        stack.enter_context(torch.enable_grad())
        if torch.get_num_threads() != 1:
            torch.set_num_threads(1)
        yield


def _restore_default_device(device: torch.device) -> None:
    # A default is a mode that looks at every call of torch; the body's own must not stay behind.
    torch.set_default_device(None)
    if torch.get_default_device() != device:
        torch.set_default_device(device)


def _restore_environment(before: dict[str, str]) -> None:
    if dict(os.environ) != before:
        os.environ.clear()
        os.environ.update(before)


def _restore_cudnn(flags: tuple[bool, bool]) -> None:
    if (torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark) == flags:
        return  # torch.backends.disable_global_flags() makes setting them an error
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = flags
