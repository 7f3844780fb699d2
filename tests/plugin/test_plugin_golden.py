"""``ckpt.golden()`` as a project uses it: a change after the other, and every line that is printed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeAlias, cast

import pytest

from pytest_ckpt.plugin import terminal
from pytest_ckpt.plugin.stash import DESELECTED

Run: TypeAlias = Callable[..., pytest.RunResult]

TRAINER = """
import torch

from pytest_ckpt import TrainingRun


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.{layer} = torch.nn.Linear(4, 6), torch.nn.Linear(6, 2)
        {hook}

    def forward(self, x):
        return self.{layer}(self.body(x).{activation}())


def read_old_names(module, state_dict, prefix, *_):
    for key in [key for key in state_dict if key.startswith(prefix + "head.")]:
        state_dict[key.replace("head.", "top.")] = state_dict.pop(key)


def make_run():
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    def step(i):
        loss = model(torch.randn(8, 4, generator=torch.Generator().manual_seed(i))).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return float(loss)

    def save(path):
        torch.save({{"model": model.state_dict(), "optimizer": optimizer.state_dict()}}, path)

    def load(path):
        content = torch.load(path)
        model.load_state_dict(content["model"])
        optimizer.load_state_dict(content["optimizer"])

    return TrainingRun({{"model": model, "optimizer": optimizer}}, step, save, load)
"""
TEST = "from trainer_{n} import make_run\n\ndef test_old(ckpt):\n    ckpt.golden(make_run, 'net'{more})\n"
HOOK = "self.register_load_state_dict_pre_hook(read_old_names)"


class Project:
    """A small project under change. Each version is a module of another name: this process imports them all."""

    def __init__(self, pytester: pytest.Pytester, run_pytest: Run) -> None:
        self.pytester, self.run, self.version = pytester, run_pytest, 0
        self.folder: Path = pytester.path / "__checkpoints__" / "net"

    def change(self, *, layer: str = "head", hook: str = "pass", activation: str = "tanh", more: str = "") -> None:
        self.version += 1
        source = TRAINER.format(layer=layer, hook=hook, activation=activation)
        self.pytester.makepyfile(**{f"trainer_{self.version}": source})
        self.pytester.makepyfile(test_it=TEST.format(n=self.version, more=more))

    @property
    def manifest(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "manifest.json").read_text())
        return found

    def waive(self, path: str, until: str) -> None:
        waivers = [{"path": path, "reason": "nobody has such files", "until": until}]
        (self.folder / "manifest.json").write_text(json.dumps({**self.manifest, "waivers": waivers}))


@pytest.fixture
def net(pytester: pytest.Pytester, run_pytest: Run) -> Project:
    project = Project(pytester, run_pytest)
    project.change()
    return project


@pytest.fixture
def kept(net: Project) -> Project:
    net.run("--ckpt-update", "--ckpt-keep=1.0").assert_outcomes(passed=1)
    return net


def test_a_missing_manifest_is_never_made_unasked(net: Project) -> None:
    result = net.run()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E*There is no manifest of net yet, and none is made unasked: */__checkpoints__/net/manifest.json",
            "E       Make it, look at it and commit it: pytest test_it.py::test_old --ckpt-update",
        ],
        consecutive=True,
    )
    assert not net.folder.exists()


def test_an_update_writes_the_same_bytes_each_time(net: Project) -> None:
    net.run("--ckpt-update").assert_outcomes(passed=1)
    first = (net.folder / "manifest.json").read_bytes()
    (net.folder / "manifest.json").unlink()

    result = net.run("--ckpt-update")

    assert (net.folder / "manifest.json").read_bytes() == first
    result.stdout.fnmatch_lines(["*= golden checkpoints =*", f"wrote {net.folder / 'manifest.json'}"])
    assert net.manifest["file"]["optimizer.state[[2]].momentum_buffer".replace("[[", "[").replace("]]", "]")] == (
        "float32 (2, 6) = optimizer.state[head.weight].momentum_buffer"
    )


def test_what_did_not_change_passes_without_a_word(kept: Project) -> None:
    result = kept.run()

    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*golden*")


def test_a_renamed_layer_fails_with_both_sides_and_the_hook_to_write(net: Project) -> None:
    net.run("--ckpt-update").assert_outcomes(passed=1)
    net.change(layer="top")

    result = net.run("--ckpt-update")  # which blesses nothing that breaks

    result.assert_outcomes(failed=1)
    lines = [
        "*Today's code does not take the checkpoint of the form in manifest.json, judged by a checkpoint made to the "
        "manifest's form.",
        "E       model.head.bias: not in the new file",
        "E           old: float32 (2,)",
        "E           new: nothing, but model.top.bias looks the same",
        "E       model.head.weight: not in the new file",
        "E           old: float32 (2, 6)",
        "E           new: nothing, but model.top.weight looks the same",
        "E       load(path) raised RuntimeError: Error(s) in loading state_dict for Net:",
        "*",
        "*at *trainer_2.py:*, in load: model.load_state_dict(content[[]*model*])",
        "E       It shows at the first load.",
        "E       Classified: breaking (backward); a major release by semantic versioning.",
        "E       Names seem to have changed. Let the model translate them before it reads a state dict:",
        "E           def read_old_names(module, state_dict, prefix, *_):",
        "E               for old, new in {'head': 'top'}.items():",
        "*",
        "E           model.register_load_state_dict_pre_hook(read_old_names)",
        "E       strict=False is no remedy: it leaves these tensors at the values they were made with, in silence.",
        "E       Or, if this is on purpose, in manifest.json, for a while: "
        '"waivers": [[]{"path": "model.head", "reason": "...", "until": "YYYY-MM-DD"}]',
    ]
    result.stdout.fnmatch_lines(lines)
    assert "model.head.bias" in net.manifest["file"]


def test_a_migration_is_classified_and_still_has_to_be_committed(kept: Project) -> None:
    kept.change(layer="top", hook=HOOK)

    result = kept.run()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*The manifest of net does not describe today's checkpoint: * changes.",
            "E       model.head.bias: removed, was float32 (2,)",
            "*",
            "E       Classified: compatible with a migration; a minor release by semantic versioning.",
            "E       Bring it up to date and commit it: pytest test_it.py::test_old --ckpt-update",
        ]
    )
    kept.run("--ckpt-update").assert_outcomes(passed=1)
    kept.run().assert_outcomes(passed=1)


def test_a_kept_checkpoint_goes_on_being_read(kept: Project) -> None:
    kept.change(layer="top", hook=HOOK)
    kept.run("--ckpt-update").assert_outcomes(passed=1)
    kept.change(layer="top")  # The hook is gone: the manifest is fine, the release is not.

    result = kept.run()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*Today's code does not take the checkpoint of 1.0, judged by a kept checkpoint.", "E       model.head.*"]
    )


def test_the_same_tensors_that_train_otherwise_are_told_by_the_losses(kept: Project) -> None:
    kept.change(activation="relu")

    result = kept.run()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*Today's code does not take the checkpoint of 1.0, judged by a kept checkpoint.",
            "E       losses: other losses at step(2), compared bit for bit",
            "E           old: 0.*",
            "E           new: 0.*",
            "E       It shows nowhere: load says nothing, and the run goes on as another one.",
        ]
    )


def test_a_kept_checkpoint_that_was_edited_is_no_reference(kept: Project) -> None:
    with (kept.folder / "1.0.pt").open("ab") as file:
        file.write(b"\0")

    result = kept.run()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*1.0.pt of */net is not the file that was kept: its SHA-256 is *"])


def test_a_release_is_kept_once(kept: Project) -> None:
    result = kept.run("--ckpt-keep=1.0")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*There is a golden 1.0 in * already. Another needs another name."])
    assert [golden["name"] for golden in kept.manifest["goldens"]] == ["1.0"]


def test_a_waiver_holds_until_its_day(kept: Project) -> None:
    kept.change(layer="top")
    kept.waive("model.head", "2999-12-31")

    result = kept.run("--ckpt-update", "-rA")

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*Waived: model.head.bias: nobody has such files (until 2999-12-31)."])

    kept.waive("model.head", "2020-02-02")
    result = kept.run()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*The waiver of model.head has expired on 2020-02-02. Its reason was: nobody has such files."]
    )


def test_a_waiver_that_nothing_needs_is_reported(kept: Project) -> None:
    kept.waive("model.tail", "2999-12-31")

    result = kept.run("-rA")

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        ["*The waiver of model.tail (nobody has such files) accepts nothing any more: remove it."]
    )


def test_mode_none_only_keeps_the_manifest_up_to_date(kept: Project) -> None:
    kept.change(layer="top", more=", mode='none'")

    result = kept.run()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*Whether other versions go along with that was not judged."])
    kept.run("--ckpt-update").assert_outcomes(passed=1)


@pytest.mark.parametrize("mode", ["forward", "full"])
def test_forward_is_judged_by_form_and_says_so(kept: Project, mode: str) -> None:
    kept.change(layer="top", hook=HOOK)
    kept.pytester.makeini(f"[pytest]\nckpt_golden_mode = {mode}")

    result = kept.run()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*Code of the form in manifest.json does not take today's checkpoint, judged by the form alone.",
            "E       model.head.bias: not in the new file",
            "*",
            "E       Classified: breaking (forward); a minor release by semantic versioning.",
        ]
    )


@pytest.mark.parametrize(("mode", "outcome"), [("backward", {"passed": 1}), ("backward_transitive", {"failed": 1})])
def test_transitive_modes_ask_every_release(kept: Project, mode: str, outcome: dict[str, int]) -> None:
    kept.change(layer="top", more=", mode='none'")
    kept.run("--ckpt-update", "--ckpt-keep=2.0").assert_outcomes(passed=1)
    kept.change(layer="top", more=f", mode={mode!r}")

    kept.run().assert_outcomes(**outcome)


def test_a_marker_sets_mode_and_directory(net: Project) -> None:
    decorated = "import pytest\nfrom trainer_1 import make_run\n\n"
    decorated += "@pytest.mark.ckpt(golden_mode='sideways', golden_directory='kept')\n"
    decorated += "def test_old(ckpt):\n    ckpt.golden(make_run, 'net')\n"
    net.pytester.makepyfile(test_it=decorated)

    net.run().stdout.fnmatch_lines(["*golden mode 'sideways'; there are none, backward, *"])

    net.pytester.makepyfile(test_it=decorated.replace("sideways", "full"))
    net.run("--ckpt-update").assert_outcomes(passed=1)
    assert (net.pytester.path / "kept" / "net" / "manifest.json").is_file()


def unused(net: Project) -> Path:
    folder = net.folder.with_name("former")
    folder.mkdir()
    (folder / "manifest.json").write_text((net.folder / "manifest.json").read_text())
    return folder


def test_what_no_test_uses_is_reported_and_deleted_when_asked(kept: Project) -> None:
    folder = unused(kept)

    kept.run().stdout.fnmatch_lines(["unused: __checkpoints__/former. --ckpt-prune deletes it."])
    assert folder.exists()

    kept.run("--ckpt-prune").stdout.fnmatch_lines(["deleted __checkpoints__/former, which no test has used"])
    assert not folder.exists()
    assert kept.folder.exists()


@pytest.mark.parametrize(
    "arguments",
    [("-k", "old"), ("test_it.py::test_old",), ("test_it.py",), ("--deselect=test_other.py",), ("--lf",)],
    ids=" ".join,
)
def test_nothing_is_unused_before_everything_has_run(kept: Project, arguments: tuple[str, ...]) -> None:
    folder = unused(kept)
    kept.pytester.makepyfile(test_other="def test_it():\n    assert True")

    result = kept.run("--ckpt-prune", *arguments)

    result.stdout.no_fnmatch_line("deleted*")
    assert folder.exists()


def test_the_controller_of_xdist_knows_what_its_workers_deselected() -> None:
    worker = SimpleNamespace(stash=pytest.Stash(), workeroutput={})
    terminal.pytest_deselected([cast(pytest.Item, SimpleNamespace(config=worker))] * 2)
    controller = SimpleNamespace(stash=pytest.Stash())

    for _ in range(2):
        terminal.pytest_testnodedown(SimpleNamespace(workeroutput=worker.workeroutput, config=controller))

    assert controller.stash[DESELECTED] == 4


def test_a_worker_of_xdist_deletes_nothing(kept: Project) -> None:
    """It ends like a session of its own, and has run a part of the tests."""
    folder = unused(kept)
    kept.pytester.makeconftest("def pytest_configure(config):\n    config.workerinput = {}")

    kept.run("--ckpt-prune").assert_outcomes(passed=1)

    assert folder.exists()


def test_a_skipped_test_may_need_what_is_unused(kept: Project) -> None:
    folder = unused(kept)
    kept.pytester.makepyfile(test_other="import pytest\n\n@pytest.mark.skip\ndef test_it():\n    assert True")

    kept.run("--ckpt-prune").stdout.fnmatch_lines(["Nothing was deleted: not every test has run, *"])
    assert folder.exists()


def test_code_that_does_not_read_what_it_saves_is_told_so(net: Project) -> None:
    source = (net.pytester.path / "trainer_1.py").read_text().replace('content["optimizer"]', 'content["optim"]')
    net.pytester.makepyfile(trainer_1=source)

    result = net.run("--ckpt-update")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*Today's code does not take the checkpoint that it has just saved itself.", "*KeyError*"]
    )
    assert not net.folder.exists()


def test_what_is_said_of_an_optimizer_is_said_once_for_each_parameter(net: Project) -> None:
    """And the waivers that a failure proposes are enough."""
    net.run("--ckpt-update").assert_outcomes(passed=1)
    module = net.pytester.path / "trainer_1.py"
    turned = module.read_text().replace("model.parameters(), lr", "list(model.parameters())[::-1], lr")
    net.pytester.makepyfile(trainer_turned=turned)
    net.pytester.makepyfile(test_it=TEST.format(n="turned", more=""))

    result = net.run("-rA")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E       optimizer.state[[]head.bias[]]: at another parameter",
            "E           old: optimizer.state[[]head.bias[]]",
            "E           new: optimizer.state[[]body.weight[]]",
        ]
    )
    (said,) = {line for line in result.outlines if line.startswith("E       Or, if this is on purpose")}
    waivers = json.loads(said.partition('"waivers": ')[2].replace("YYYY-MM-DD", "2999-12-31"))
    (net.folder / "manifest.json").write_text(json.dumps({**net.manifest, "waivers": waivers}))
    net.run("--ckpt-update").assert_outcomes(passed=1)
