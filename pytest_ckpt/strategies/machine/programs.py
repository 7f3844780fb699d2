"""Executing a whole program, one process after another."""

from __future__ import annotations

from pytest_ckpt.strategies.machine.events import Load, Moment, Program, Restart, StartOver, moments
from pytest_ckpt.strategies.machine.executing import Abandoned, Execution
from pytest_ckpt.strategies.machine.finding import Finding
from pytest_ckpt.strategies.machine.histories import Histories
from pytest_ckpt.strategies.machine.manner import Manner
from pytest_ckpt.trips import Plan, workspace

__all__ = ["execute", "passes"]


def execute(plan: Plan, histories: Histories, program: Program, manner: Manner) -> Finding | None:
    """Execute a program and return where it first went another way than a run that never stopped.

    A program that such a run cannot follow either says nothing of a checkpoint.
    """
    try:
        return _execute(plan, histories, program, manner)
    except Abandoned:
        return None


def passes(plan: Plan, histories: Histories, program: Program, manner: Manner) -> bool:
    """Execute a program; say whether it came to its end and lost nothing on the way."""
    try:
        return _execute(plan, histories, program, manner) is None
    except Abandoned:
        return False


def _execute(plan: Plan, histories: Histories, program: Program, manner: Manner) -> Finding | None:
    behind = list(moments(program))
    histories.make_room()
    # To the end before the program starts: the random state is global.
    for moment in behind:
        if moment.exact and not histories.knows(moment.lineage) and not histories.train(moment.lineage):
            raise Abandoned
    for number, moment in enumerate(behind):
        if moment.exact and _ends_a_process(program, number):
            if not histories.train(moment.lineage):
                raise Abandoned
            if manner.closely:
                histories.save_on_the_way(moment.history)
    with workspace() as directory:
        execution = Execution(plan, histories, manner, directory)
        try:
            return _happen(execution, program, behind)
        finally:
            execution.background.wait(directory)


def _happen(execution: Execution, program: Program, behind: list[Moment]) -> Finding | None:
    for position, event in enumerate(program):
        finding = execution.do(event, behind[position])
        if finding is None and _ends_a_process(program, position):
            finding = execution.compare_the_end()
        if finding is not None:
            return finding
    return None


def _ends_a_process(program: Program, number: int) -> bool:
    return number + 1 == len(program) or isinstance(program[number + 1], Restart | Load | StartOver)
