"""Every good run in every family of formats: what the format keeps passes, what it cannot keep is skipped."""

from __future__ import annotations

import pytest
from zoo import GOOD_RUNS, QUIET

from pytest_ckpt import check_training_run

# One of each kind; the protocols of pickle are tried in tests/formats.
FORMATS = (
    "torch",
    "torch-bytesio",
    "torch-full",
    "torch-legacy",
    "torch-mmap",
    "torch-whole",
    "safetensors",
    "dcp",
    "pickle",
    "dill",
    "cloudpickle",
    "pickle-whole",
    "torch+dill",
    "torch+cloudpickle",
)

QUICK = ("torch", "torch-whole", "safetensors", "dcp", "pickle")

# What these need is in no component, so only their own save has it; state dicts alone are rightly refused.
NEED_THEIR_OWN_SAVE = {
    "accumulated_gradients",
    "carried_hidden_state",
    "directory_with_a_sidecar",
    "generator_of_the_module",
    "replay_buffer",
    "stream",
    "unfrozen_on_the_way",
}


@pytest.mark.parametrize(
    "format", [name if name in QUICK else pytest.param(name, marks=pytest.mark.thorough) for name in FORMATS]
)
@pytest.mark.parametrize("name", GOOD_RUNS)
def test_a_good_run_passes_or_the_format_refuses_it(name: str, format: str) -> None:
    outcomes = check_training_run(GOOD_RUNS[name], formats=[format], steps=5, raise_on_failure=False)

    statuses = {outcome.check: outcome.status for outcome in outcomes}
    if set(statuses.values()) == {"skipped"}:
        assert all(outcome.summary.startswith(f"{format} ") for outcome in outcomes), next(iter(outcomes)).summary
    elif name in NEED_THEIR_OWN_SAVE:
        assert {check for check, status in statuses.items() if status == "fail"} <= {
            "resume_is_exact",
            "state_is_restored",
        }
        assert "fail" in statuses.values()
    else:
        quiet = {check: status for check, status in QUIET[name].items() if check in statuses}
        assert statuses == dict.fromkeys(statuses, "pass") | quiet
