"""``pytest-ckpt golden``: what can be done with manifests and kept checkpoints without running a test."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_ckpt.cli.files import add_json_option, print_json
from pytest_ckpt.errors import CkptError

if TYPE_CHECKING:
    _Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

__all__ = ["add_parser"]

_DESCRIPTION = """\
Manifests and kept checkpoints of ckpt.golden(), wherever they are below a directory. Nothing that stands in a
checkpoint is run, and nothing at a URL is fetched. The exit status is 0 if all is well, 1 if something is not, and 2 if
a manifest cannot be read."""
_ACTIONS = {
    "list": "list manifests, kept checkpoints and waivers",
    "verify": "look whether each kept checkpoint is there, whole and the one that was kept, and no waiver has expired",
    "update": "say which command writes the manifests anew: only the tests can do that",
    "prune": "list what no manifest names, and what a manifest names and is not there; --yes removes it",
}


def add_parser(subparsers: _Subparsers) -> None:
    """Add the command to those of ``pytest-ckpt``."""
    parser = subparsers.add_parser("golden", help="look after manifests and kept checkpoints", description=_DESCRIPTION)
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    for action, words in _ACTIONS.items():
        sub = actions.add_parser(action, help=words, description=f"{words[0].upper()}{words[1:]}.")
        sub.add_argument("directory", type=Path, nargs="?", default=Path(), metavar="DIR")
        if action == "prune":
            sub.add_argument("--yes", action="store_true", help="remove it")
        add_json_option(sub)
        sub.set_defaults(run=_run, action=action)


def _run(options: argparse.Namespace) -> int:
    from pytest_ckpt.golden.caretaking import find_manifests, prune, survey

    if not options.directory.is_dir():
        raise CkptError(f"{options.directory}: there is no such directory.")
    found = [survey(path, thorough=options.action == "verify") for path in find_manifests(options.directory)]
    if options.action == "prune":
        for entry in found:
            entry["removed"] = prune(entry, dry=not options.yes)
    problems = [line for entry in found for line in entry["problems"]]
    if options.json:
        print_json({"manifests": found, "problems": problems})
    else:
        print("\n".join(_TEXT[options.action](found, options)) or f"No manifest below {options.directory}.")
    return int(bool(problems)) if options.action == "verify" else 0


def _list(found: list[dict[str, Any]], options: argparse.Namespace) -> Iterator[str]:
    from pytest_ckpt.inspection.words import count_of_bytes

    for entry in found:
        yield f"{entry['path']}: {entry['name']}, {entry['leaves']} entries, {entry['format']}"
        for golden in entry["goldens"]:
            size = "at a URL" if golden["url"] else count_of_bytes(golden["bytes"]) if golden["there"] else "not there"
            yield f"    kept: {golden['name']}: {golden['file']}, {size}, sha256 {golden['sha256'][:12]}..."
        for waiver in entry["waivers"]:
            yield f"    waived until {waiver['until']}: {waiver['path']}: {waiver['reason']}"


def _verify(found: list[dict[str, Any]], options: argparse.Namespace) -> Iterator[str]:
    for entry in found:
        goldens = entry["goldens"]
        yield f"{entry['path']}: {'1 checkpoint' if len(goldens) == 1 else f'{len(goldens)} checkpoints'} kept"
        yield from (f"    {golden['name']}: {golden['state']}" for golden in goldens)
        yield from (f"    problem: {line}" for line in entry["problems"])


def _update(found: list[dict[str, Any]], options: argparse.Namespace) -> Iterator[str]:
    folders = dict.fromkeys(str(Path(entry["path"]).parents[2]) for entry in found)
    if folders:
        yield f"pytest {' '.join(folders)} --ckpt-update"


def _prune(found: list[dict[str, Any]], options: argparse.Namespace) -> Iterator[str]:
    for entry in found:
        verb = "removed" if options.yes else "to remove with --yes"
        yield from (f"{verb}: {line}" for line in entry["removed"])
    if found and not any(entry["removed"] for entry in found):
        yield "There is nothing to remove."


_TEXT = {"list": _list, "verify": _verify, "update": _update, "prune": _prune}
