"""Good runs and bad runs, by name: what the engine is tested on.

A good run passes every check that has something to judge; :data:`QUIET` says which of them have nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import zoo_good as good

__all__ = ["GOOD_RUNS", "QUIET"]

GOOD_RUNS: dict[str, Callable[[], Any]] = {
    run.__name__: run
    for run in (
        good.accumulated_gradients,
        good.averaged_weights,
        good.background_thread,
        good.bare_module,
        good.carried_hidden_state,
        good.directory_with_a_sidecar,
        good.extra_state,
        good.frozen_backbone,
        good.gan,
        good.generator_of_the_module,
        good.grad_scaler,
        good.lazy_modules,
        good.lbfgs,
        good.load_replaces_the_parts,
        good.made_on_a_device,
        good.mapping_of_parts,
        good.nested_results,
        good.path_as_a_string,
        good.plain_functions,
        good.plateau,
        good.replay_buffer,
        good.sgd_without_state,
        good.shuffled_data,
        good.stream,
        good.strict_about_its_files,
        good.three_random_generators,
        good.tied_weights,
        good.trainer_object,
        good.trainer_with_its_own_files,
        good.unfrozen_on_the_way,
        good.whole_pickle,
    )
}

_UNTRAINED = dict.fromkeys(
    (
        "checkpoints_are_independent",
        "kept_weights_are_copies",
        "loading_overwrites_everything",
        "resume_in_a_fresh_process",
        "resume_is_exact",
        "saving_again_replaces_the_checkpoint",
        "saving_changes_nothing",
        "second_resume_is_exact",
    ),
    "skipped",
)
_PREDICTING = ("averaged_weights", "extra_state", "plain_functions", "trainer_with_its_own_files")

QUIET: dict[str, dict[str, str]] = {
    name: {
        **({} if name in _PREDICTING else {"outputs_are_restored": "skipped"}),
        **(_UNTRAINED if name in ("bare_module", "mapping_of_parts", "trainer_object") else {}),
        # Its save refuses to write where there is something.
        **({"saving_again_replaces_the_checkpoint": "skipped"} if name == "directory_with_a_sidecar" else {}),
        # Its optimizer has a second group by then, and refuses the state of one with one.
        **({"loading_overwrites_everything": "skipped"} if name == "unfrozen_on_the_way" else {}),
    }
    for name in GOOD_RUNS
}
"""Good run to the checks that have nothing to judge there, and what they say instead of pass."""
