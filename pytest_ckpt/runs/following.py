"""Programs whose ``load`` replaces the model or the optimizer, described by a plain mapping of components."""

from __future__ import annotations

from pytest_ckpt.runs.live import LiveRun
from pytest_ckpt.state.hidden import Graph, walk_graph

__all__ = ["follow_replaced"]


def follow_replaced(run: LiveRun, twin: LiveRun) -> bool:
    """Point a loaded run's components at the objects that its ``load`` put in their place.

    A mapping was made before the load and still holds the old objects, which nothing trains any more. Where
    the functions of ``twin`` reach a component, those of ``run`` reach its successor.

    Args:
        run: The run that has loaded a checkpoint.
        twin: A run of the same ``make_run`` that has not.

    Returns:
        Whether a component was replaced.
    """
    if callable(run.definition.components):
        return False
    ours, theirs = _reached(run), _reached(twin)
    paths: dict[int, str] = {}
    for path, item in theirs.objects.items():
        paths.setdefault(id(item), path)
    components, twins = run.components, twin.components
    for name, component in components.items():
        successor = ours.objects.get(paths.get(id(twins.get(name)), ""))
        if successor is not None and successor is not component and type(successor) is type(component):
            run.replaced[name] = successor
    return bool(run.replaced)


def _reached(run: LiveRun) -> Graph:
    definition = run.definition
    return walk_graph({}, {"step": definition.step, "save": definition.save, "load": definition.load})
