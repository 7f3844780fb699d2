"""A workspace saves itself: whatever it holds that has a state dict, and the plain values it names."""

from __future__ import annotations

import copy
import os
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar, Self

import dill
import torch
from omegaconf import DictConfig


class Workspace:
    """Walks its own attributes to save and to load; a new component needs no new code here.

    Attributes:
        include_keys: Attributes without a state dict that belong to the checkpoint, pickled with dill.
        exclude_keys: Attributes with a state dict that do not.
    """

    include_keys: ClassVar[tuple[str, ...]] = ("cfg", "global_step")
    exclude_keys: ClassVar[tuple[str, ...]] = ()

    def __init__(self, cfg: DictConfig, output_dir: Path = Path("outputs")) -> None:
        self.cfg = cfg
        self.output_dir = output_dir
        self.global_step = 0
        self._saving_thread: threading.Thread | None = None

    def save_checkpoint(
        self,
        path: Path | None = None,
        tag: str = "latest",
        exclude_keys: Iterable[str] | None = None,
        include_keys: Iterable[str] | None = None,
        use_thread: bool = False,
    ) -> Path:
        """Save to ``path``, or to ``checkpoints/<tag>.ckpt``; in a thread, training may go on meanwhile."""
        path = self.checkpoint_path(tag) if path is None else Path(path)
        exclude = set(self.exclude_keys if exclude_keys is None else exclude_keys)
        include = set(self.include_keys if include_keys is None else include_keys)
        payload: dict[str, Any] = {"state_dicts": {}, "pickles": {}, "metrics": self.metrics()}
        for key, value in self.__dict__.items():
            if hasattr(value, "state_dict") and hasattr(value, "load_state_dict"):
                if key not in exclude:
                    payload["state_dicts"][key] = copy_to_cpu(value.state_dict())
            elif key in include:
                payload["pickles"][key] = dill.dumps(value)
        self.wait_until_saved()
        if use_thread:
            self._saving_thread = threading.Thread(target=self.write, args=(payload, path))
            self._saving_thread.start()
        else:
            self.write(payload, path)
        return path

    def load_checkpoint(
        self,
        path: Path | None = None,
        tag: str = "latest",
        exclude_keys: Iterable[str] = (),
        include_keys: Iterable[str] | None = None,
    ) -> dict[str, Any]:
        """Load what ``save_checkpoint`` wrote, and return all of it."""
        self.wait_until_saved()
        path = self.checkpoint_path(tag) if path is None else Path(path)
        payload: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        self.load_payload(payload, exclude_keys, include_keys)
        return payload

    def load_payload(
        self,
        payload: dict[str, Any],
        exclude_keys: Iterable[str] = (),
        include_keys: Iterable[str] | None = None,
    ) -> None:
        """Put a payload into this workspace; without ``include_keys``, every value that was pickled."""
        exclude = set(exclude_keys)
        for key, state in payload["state_dicts"].items():
            if key not in exclude:
                getattr(self, key).load_state_dict(state)
        for key in payload["pickles"] if include_keys is None else include_keys:
            setattr(self, key, dill.loads(payload["pickles"][key]))

    @classmethod
    def create_from_checkpoint(cls, path: Path) -> Self:
        """Build a workspace from the configuration in a checkpoint, then load the rest of it."""
        payload: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        workspace = cls(dill.loads(payload["pickles"]["cfg"]))
        workspace.load_payload(payload)
        return workspace

    def metrics(self) -> dict[str, float]:
        """What a checkpoint says of itself, so that the best of many is found without a model."""
        return {}

    def checkpoint_path(self, tag: str) -> Path:
        return self.output_dir / "checkpoints" / f"{tag}.ckpt"

    def wait_until_saved(self) -> None:
        if self._saving_thread is not None:
            self._saving_thread.join()
            self._saving_thread = None

    def write(self, payload: dict[str, Any], path: Path) -> None:
        """Write beside the old file and then replace it: a crash leaves one of the two, whole."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(path.name + ".partial")
        torch.save(payload, partial)
        os.replace(partial, path)


def copy_to_cpu(state: Any) -> Any:
    """The same containers with copies of their tensors, which later training steps leave alone."""
    if isinstance(state, torch.Tensor):
        return state.detach().to("cpu", copy=True)
    if isinstance(state, dict):
        copied = copy.copy(state)  # not a new dict: a module's state dict has versions in _metadata
        copied.update((key, copy_to_cpu(value)) for key, value in state.items())
        return copied
    if isinstance(state, list | tuple):
        return type(state)(copy_to_cpu(value) for value in state)
    return state
