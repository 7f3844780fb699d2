"""The catalogue in words: a list, and a page of Markdown for each check."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from pytest_ckpt.checks import Check, select_checks
from pytest_ckpt.cli.check_example import Example, example_of, faults_of

__all__ = ["INDEX", "catalogue", "index", "page", "write_pages"]

INDEX = "README.md"
_WIDTH = 100
_HEAD = """\
# The checks

In a terminal: `pytest-ckpt checks`, and `pytest-ckpt checks NAME` for one of them.
[Settings](../settings.md) says how to settle something for one check alone."""
_USE = """\
## Select it

```console
$ pytest --ckpt-select={name}
```

```python
@parametrize_with_checks(make_run, select=["{name}"])
```

Or {switch} in the project's `pyproject.toml`:

```toml
[tool.pytest-ckpt.checks.{name}]
enabled = {enabled}
```

## Expect its failure

```python
expected_failures = {{"{name}": {{"reason": "why it is accepted", "until": "2027-01-31"}}}}
```

```toml
[tool.pytest-ckpt.checks.{name}]
expected_failure = {{ reason = "why it is accepted", until = "2027-01-31" }}
```
"""


def catalogue() -> str:
    """Return the checks by group, each with what it holds, as a terminal shows them."""
    lines = []
    for group, checks in _by_group():
        lines.append(f"{group} ({_when(checks[0])})")
        for check in checks:
            lines += [f"    {check.name}", _wrapped(check.summary, *[" " * 8] * 2)]
    return "\n".join([*lines, "", "One of them in full: pytest-ckpt checks NAME", ""])


def page(check: Check, example: Example | None = None) -> str:
    """Return all there is to say about one check.

    Args:
        check: The check.
        example: A report of it, if it is to be shown.
    """
    sections = [
        f"# {check.name}",
        _wrapped(check.summary),
        f"Group: `{check.group}` ({_when(check)}).",
        f"## Why\n\n{_wrapped(check.why)}",
        f"## Bugs that it must see\n\n{_bugs(check)}",
        f"## What to do when it fails\n\n{_wrapped(check.remedy)}",
        *([_shown(example)] if example is not None else []),
        _use(check),
    ]
    return "\n\n".join(sections)


def index() -> str:
    """Return the page that lists the others."""
    sections = [_HEAD]
    for group, checks in _by_group():
        sections.append(f"## {group} ({_when(checks[0])})")
        sections.append("\n".join(_bullet(f"[`{check.name}`]({check.name}.md): {check.summary}") for check in checks))
    return "\n\n".join(sections) + "\n"


def write_pages(directory: Path) -> int:
    """Write a page for each check and the index, and return how many; what else is in the directory stays."""
    pages = {f"{check.name}.md": page(check, example_of(check)) for check in select_checks(["all"])}
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in {INDEX: index(), **pages}.items():
        (directory / name).write_text(text, encoding="utf-8")
    return len(pages) + 1


def _by_group() -> Iterator[tuple[str, list[Check]]]:
    for group, checks in groupby(select_checks(["all"]), key=lambda check: check.group):
        yield group, list(checks)


def _when(check: Check) -> str:
    return "by default" if check.default else "opt-in"


def _wrapped(text: str, first: str = "", then: str = "") -> str:
    wrapper = textwrap.TextWrapper(_WIDTH, first, then, break_long_words=False, break_on_hyphens=False)
    return wrapper.fill(text.replace("``", "`"))


def _bullet(text: str) -> str:
    return _wrapped(text, "* ", "  ")


def _bugs(check: Check) -> str:
    return "\n".join(_bullet(f"`{fault.name}`: {fault.summary}") for fault in faults_of(check))


def _shown(example: Example) -> str:
    told = f"What it reports of the bug `{example.fault}` in a small run (numbers that depend on the machine are `…`):"
    return f"## Example\n\n{_wrapped(told)}\n\n```\n{example.report}\n```"


def _use(check: Check) -> str:
    switch = "leave it out of the default checks" if check.default else "make it one of the default checks"
    return _USE.format(name=check.name, switch=switch, enabled=str(not check.default).lower())
