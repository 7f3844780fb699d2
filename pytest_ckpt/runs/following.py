"""Programs whose ``load`` replaces the model or the optimizer, described by a plain mapping of components."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_ckpt.runs.live import LiveRun
from pytest_ckpt.state.hidden import Graph, walk_graph

__all__ = ["component_paths", "follow_paths", "follow_replaced"]


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
    return follow_paths(run, component_paths(twin))


def component_paths(run: LiveRun) -> dict[str, str]:
    """Return where the functions of a run reach its components, by name; nothing where none can be replaced unseen."""
    if callable(run.definition.components):
        return {}
    paths: dict[int, str] = {}
    for path, item in _reached(run).objects.items():
        paths.setdefault(id(item), path)
    return {name: paths[id(item)] for name, item in run.components.items() if id(item) in paths}


def follow_paths(run: LiveRun, paths: Mapping[str, str]) -> bool:
    """Point a loaded run's components at what is now where :func:`component_paths` found them before the load.

    Returns:
        Whether a component was replaced.
    """
    if callable(run.definition.components):
        return False
    ours, components = _reached(run), run.components
    for name, path in paths.items():
        component, successor = components.get(name), ours.objects.get(path)
        if successor is not None and successor is not component and type(successor) is type(component):
            run.replaced[name] = successor
    return bool(run.replaced)


def _reached(run: LiveRun) -> Graph:
    definition = run.definition
    return walk_graph({}, {"step": definition.step, "save": definition.save, "load": definition.load})
