"""Checks leave no trace: one torch thread inside, everything global as before afterwards."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from pytest_ckpt.state.random_state import keep_random_state

__all__ = ["isolated"]


@contextmanager
def isolated() -> Iterator[None]:
    """Run the body on one torch thread and restore what the code under test may change globally.

    Restored are the random state, default dtype and device, deterministic flags, thread count,
    environment, working directory, warnings filters and grad mode. Bits depend on the number of
    threads, so two runs are only comparable under the same one.
    """
    put_back = _keep_globals()
    try:
        with warnings.catch_warnings(), torch.enable_grad():
            # A program is called a dozen times here; its own tests are the place for its warnings.
            warnings.simplefilter("ignore")
            if torch.get_num_threads() != 1:
                torch.set_num_threads(1)
            yield
    finally:
        put_back()


def _keep_globals() -> Callable[[], None]:
    """Return a function that puts back what is global as it is now."""
    put_back_random_state = keep_random_state()
    threads, dtype, device = torch.get_num_threads(), torch.get_default_dtype(), torch.get_default_device()
    deterministic = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    cudnn = torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark
    environment, directory = _environment(), os.getcwd()

    def put_back() -> None:
        _restore_cudnn(cudnn)
        _restore_environment(environment)
        torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)
        _restore_default_device(device)
        torch.set_default_dtype(dtype)
        torch.set_num_threads(threads)
        put_back_random_state()
        os.chdir(directory)  # last, because it alone can fail: if the directory is gone

    return put_back


def _restore_default_device(device: torch.device) -> None:
    # A default is a mode that looks at every call of torch; the body's own must not stay behind.
    torch.set_default_device(None)
    if torch.get_default_device() != device:
        torch.set_default_device(device)


def _environment() -> dict[Any, Any]:
    # The mapping behind os.environ, which decodes every name and value whenever it is read.
    return dict(getattr(os.environ, "_data", os.environ))


def _restore_environment(before: dict[Any, Any]) -> None:
    if _environment() != before:
        os.environ.clear()
        os.environ.update({os.fsdecode(name): os.fsdecode(value) for name, value in before.items()})


def _restore_cudnn(flags: tuple[bool, bool]) -> None:
    cudnn = torch.backends.cudnn
    # After torch.backends.disable_global_flags() every assignment raises, even one that changes nothing.
    if (cudnn.deterministic, cudnn.benchmark) != flags:
        cudnn.deterministic, cudnn.benchmark = flags
