"""Executing a whole program, one process after another."""

from __future__ import annotations

from pytest_ckpt.strategies.machine.events import Load, Moment, Program, Restart, StartOver, moments
from pytest_ckpt.strategies.machine.executing import Abandoned, Execution
from pytest_ckpt.strategies.machine.finding import Finding
from pytest_ckpt.strategies.machine.histories import Histories
from pytest_ckpt.strategies.machine.manner import Manner
from pytest_ckpt.trips import Plan, workspace

__all__ = ["execute"]


def execute(plan: Plan, histories: Histories, program: Program, manner: Manner) -> Finding | None:
    """Execute a program and return where it first went another way than a run that never stopped.

    A program that such a run cannot follow either says nothing of a checkpoint.
    """
    behind = list(moments(program))
    histories.make_room()
    # To the end before the program starts: the random state is global.
    for moment in behind:
        if moment.exact and not histories.knows(moment.lineage) and not histories.train(moment.lineage):
            return None
    for number, moment in enumerate(behind):
        if _ends_a_process(program, number) and not _is_compared(histories, moment, manner):
            return None
    with workspace() as directory:
        execution = Execution(plan, histories, manner, directory)
        try:
            for position, event in enumerate(program):
                finding = execution.do(event, behind[position])
                if finding is None and _ends_a_process(program, position):
                    finding = execution.compare_the_end()
                if finding is not None:
                    return finding
            return None
        except Abandoned:
            return None
        finally:
            execution.background.wait(directory)


def _ends_a_process(program: Program, number: int) -> bool:
    return number + 1 == len(program) or isinstance(program[number + 1], Restart | Load | StartOver)


def _is_compared(histories: Histories, moment: Moment, manner: Manner) -> bool:
    """Train the runs whose ends are compared with the program's at a moment; say whether they could be."""
    if not moment.exact:
        return True
    return histories.train(moment.lineage) and (not manner.closely or histories.save_on_the_way(moment.history))
