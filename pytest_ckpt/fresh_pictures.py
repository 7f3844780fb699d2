"""What a run is made of after a load, in this process and in a new one: what only memory has kept."""

from __future__ import annotations

from dataclasses import replace

from pytest_ckpt.comparison import Mismatch, compare
from pytest_ckpt.diagnosis import picture
from pytest_ckpt.fresh_party import Party, load_here, save_here
from pytest_ckpt.launchers import as_plain_data
from pytest_ckpt.trips import workspace

__all__ = ["differs_there"]


def differs_there(party: Party, at: int) -> tuple[Mismatch, ...]:
    """Return how a run that has loaded a checkpoint in a new process differs from one that has so here.

    What two new processes do not share, such as their number, is left out.

    Raises:
        CallFailed: If the run cannot be saved here.
    """
    with workspace() as folder:
        saved = save_here(replace(party.plan, at=(at,)), folder)
        task = party.picture(saved, at)
        there, again = party.call([task, task], saved.seconds).items
        if there.problem or again.problem:
            return ()
        noise = {mismatch.path for mismatch in compare(there.value, again.value, traits=False)}
        here = as_plain_data(picture(load_here(party, saved, at)))
        return tuple(m for m in compare(here, there.value, traits=False) if m.path not in noise)
