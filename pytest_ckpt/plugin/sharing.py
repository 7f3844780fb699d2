"""Keeps what was seen of a run for its other checks, and lets go of it after the last one."""

from __future__ import annotations

from collections import Counter

import pytest

from pytest_ckpt.plugin.check_group import CheckGroup, group_of

__all__ = ["EvidenceKeeper"]

_MOST_KEPT = 4


class EvidenceKeeper:
    """Counts the checks that are still to come, run by run.

    Under xdist a worker is not told which tests are left to it, so at most four runs are kept; a run that
    was let go of too early is made again, which costs time and changes no outcome.
    """

    def __init__(self) -> None:
        self._waiting: Counter[CheckGroup] = Counter()
        self._kept: list[CheckGroup] = []

    def expect(self, items: list[pytest.Item]) -> None:
        """Note the checks among the items that will run."""
        self._waiting = Counter(group for item in items if (group := group_of(item)) is not None)

    def ran(self, group: CheckGroup, *, last: bool) -> None:
        """Note that a check of this group ran, and let go of what is not needed any more."""
        self._waiting[group] -= 1
        self._kept = [kept for kept in self._kept if kept is not group]
        self._kept.append(group)
        done = [kept for kept in self._kept if last or self._waiting[kept] <= 0]
        done += [kept for kept in self._kept if kept not in done][:-_MOST_KEPT]
        for kept in done:
            kept.release()
            self._kept.remove(kept)


KEEPER = pytest.StashKey[EvidenceKeeper]()


def pytest_collection_finish(session: pytest.Session) -> None:
    keeper = session.config.stash.setdefault(KEEPER, EvidenceKeeper())
    keeper.expect(session.items)


def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    if (group := group_of(item)) is not None:
        item.config.stash[KEEPER].ran(group, last=nextitem is None)
