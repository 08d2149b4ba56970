"""Runs that start from the weights of another one."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import tiny
import torch
from safetensors.torch import load_file

import zoo
from zoo.api import host, parent_reader
from zoo.config.resolve import Setting
from zoo.errors import UsageError, ZooError
from zoo.objectives.trainable import freeze
from zoo.report.card import new_card, read_summary
from zoo.run import train
from zoo.runs.checkpoints import TENSORS, find_checkpoints
from zoo.runs.fitting import read_fitting
from zoo.runs.folder import WEIGHTS, RunFolder
from zoo.runs.stored import StoredRun
from zoo.runs.weights import save_tensors
from zoo.system.files import sha256_of
from zoo.system.progress import Progress
from zoo.training.request import Request, resolve_request

QUIETLY = {"device": "cpu", "quiet": True}
FROZEN = ("flow.scales.*", "*.log_std")
TRAINED = ["flow.prior.mean"]


def child(parent: Path, out: Path, steps: int = 4, **options: object) -> zoo.Run:
    config = {"training.checkpoint_every": 2, **options.pop("config", {})}
    return zoo.train(
        "glow", from_=parent, steps=steps, config=config, out=out, **QUIETLY, **options
    )


def config_of(run: Path) -> dict[str, object]:
    return json.loads((run / "config.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def frozen_child(trained: zoo.Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trains one parameter of a copy of ``trained``, which is then gone."""
    folder = tmp_path_factory.mktemp("tuned")
    parent = shutil.copytree(trained.path, folder / "parent")
    child(parent, folder / "child", freeze=FROZEN, config={"training.weight_decay": 0.1})
    shutil.rmtree(parent)
    return folder / "child"


def test_frozen_parameters_and_initialized_layers_stay_those_of_the_parent(
    trained: zoo.Run, frozen_child: Path
) -> None:
    before, after = (load_file(run / WEIGHTS) for run in (trained.path, frozen_child))
    assert [name for name in before if not torch.equal(before[name], after[name])] == TRAINED


def test_frozen_parameters_have_no_state_of_the_optimizer(frozen_child: Path) -> None:
    stored = load_file(find_checkpoints(frozen_child)[-1] / TENSORS)
    indices = {name.split("/")[2] for name in stored if name.startswith("optimizer/")}
    assert len(indices) == 1


def test_the_configuration_and_the_card_name_the_parent(
    trained: zoo.Run, frozen_child: Path
) -> None:
    document, digest = config_of(frozen_child), sha256_of(trained.path / WEIGHTS)
    assert document["parent"] == {
        "source": "parent",  # outside the working directory: the path is not for others
        "model": "glow",
        "weights": digest,
        "data": "digits",
        "data_license": "CC BY 4.0",
        "left_out": [],
    }
    assert document["config"]["model"] == trained.config.model.model_dump()
    assert document["config"]["training"]["freeze"] == [*FROZEN]
    counted = document["summary"]
    assert counted["trained_parameters"] == trained.network.flow.prior.mean.numel()
    card = (frozen_child / "README.md").read_text("utf-8")
    line = f"| fine-tuned from | parent, glow on digits, weights {digest[:12]} (license: unknown; "
    assert f"{line}data license: CC BY 4.0) |" in card
    assert f"{counted['parameters']:,}, {counted['trained_parameters']:,} of them trained" in card
    assert "base_model" not in card


def test_a_run_resumes_without_its_parent_and_ends_as_if_never_stopped(
    frozen_child: Path, tmp_path: Path
) -> None:
    cut = shutil.copytree(frozen_child, tmp_path / "cut")
    whole = {name: (cut / name).read_bytes() for name in (WEIGHTS, "samples/grid.png")}
    shutil.rmtree(find_checkpoints(cut)[-1])
    for name in whole:
        (cut / name).unlink()
    zoo.train("glow", out=cut, resume=True, **QUIETLY)
    assert {name: (cut / name).read_bytes() for name in whole} == whole
    assert config_of(cut)["parent"] == config_of(frozen_child)["parent"]


def test_the_frozen_parameters_of_a_run_stay_so(frozen_child: Path) -> None:
    with pytest.raises(UsageError, match=r"was started with training.freeze = \["):
        zoo.train("glow", out=frozen_child, resume=True, freeze="flow.*", **QUIETLY)


def test_a_run_killed_before_its_first_checkpoint_starts_from_its_parent_again(
    trained_copy: Path, tmp_path: Path
) -> None:
    whole = child(trained_copy, tmp_path / "whole", 2)
    cut = shutil.copytree(whole.path, tmp_path / "cut")
    for checkpoint in find_checkpoints(cut):
        shutil.rmtree(checkpoint)
    (cut / WEIGHTS).unlink()
    again = shutil.copytree(cut, tmp_path / "again")
    zoo.train("glow", out=again, resume=True, **QUIETLY)
    assert (again / WEIGHTS).read_bytes() == (whole.path / WEIGHTS).read_bytes()
    with pytest.raises(UsageError, match=r"but those of .*/whole are"):
        zoo.train("glow", out=cut, resume=True, from_=whole.path, **QUIETLY)
    trained_copy.rename(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match=r"no checkpoint yet .*: there is no run folder"):
        zoo.train("glow", out=cut, resume=True, **QUIETLY)
    zoo.train("glow", out=cut, resume=True, from_=tmp_path / "elsewhere", **QUIETLY)
    assert (cut / WEIGHTS).read_bytes() == (whole.path / WEIGHTS).read_bytes()


def test_reversible_memory_leaves_frozen_parameters_alone(trained: zoo.Run, tmp_path: Path) -> None:
    run = child(trained.path, tmp_path / "run", 1, freeze=FROZEN, config={"memory": "reversible"})
    before, after = load_file(trained.path / WEIGHTS), load_file(run.path / WEIGHTS)
    assert [name for name in before if not torch.equal(before[name], after[name])] == TRAINED


# What does not fit


def test_what_does_not_fit_is_named_with_both_shapes_and_nothing_is_written(
    trained: zoo.Run, here: Path, untouched
) -> None:
    with pytest.raises(UsageError) as error:
        zoo.train("glow", from_=trained.path, config={"width": 24}, **QUIETLY)
    assert "network.0.weight is [16, 2, 3, 3], not [24, 2, 3, 3]; " in str(error.value)
    assert "--from-partial" in str(error.value)


def test_from_partial_takes_what_fits_lists_the_rest_and_initializes_it_from_data(
    trained: zoo.Run, tmp_path: Path, commands
) -> None:
    out = tmp_path / "run"
    done = commands(
        *("train", "glow", "--from", trained.path, "--from-partial", "--out", out),
        *("--set", "width=24", "--steps", 1, "--set", "learning_rate=1e-9", "--device", "cpu"),
    )
    assert done.status == 0, done.err
    before, after = load_file(trained.path / WEIGHTS), load_file(out / WEIGHTS)
    left_out = config_of(out)["parent"]["left_out"]
    different = {name for name in before if before[name].shape != after[name].shape}
    assert different < {*left_out} < {*after}
    for name in different:
        assert f"{name} is {[*before[name].shape]}, not {[*after[name].shape]}" in done.err
    for name in after.keys() - {*left_out}:
        torch.testing.assert_close(after[name], before[name], rtol=0, atol=1e-6)
    statistics = [name for name in left_out if name.endswith("statistics.log_scale")]
    assert statistics
    assert all(after[name].abs().max() > 0.01 for name in statistics)


def test_a_layer_that_does_not_fit_is_left_out_with_its_statistics(tmp_path: Path) -> None:
    model = {"levels": 2, "depth": 1, "width": 8, "conditional": True}

    def network(classes: int = 10, channels: int = 1) -> torch.nn.Module:
        return zoo.build("glow", image_size=8, channels=channels, classes=classes, **model)

    save_tensors(path := tmp_path / WEIGHTS, network().state_dict())
    classes = read_fitting(network(classes=3), path)
    assert classes.left_out == ["flow.prior.by_class.weight"]
    assert all("is [10, " in str(m) and "not [3, " in str(m) for m in classes.misfits)
    color = read_fitting(network(channels=3), path)
    first = "flow.scales.0.layers.1.layers.2.network.0"
    assert f"{first}.weight" in {misfit.name for misfit in color.misfits}
    assert f"{first}.statistics.bias" in color.left_out
    assert not {*color.tensors} & {*color.left_out}


def test_damaged_weights_of_a_parent_are_refused(trained_copy: Path, here: Path, untouched) -> None:
    data = bytearray((trained_copy / WEIGHTS).read_bytes())
    data[-1] ^= 1
    (trained_copy / WEIGHTS).write_bytes(data)
    with pytest.raises(ZooError, match=r"model.safetensors is damaged"):
        zoo.train("glow", from_=trained_copy, **QUIETLY)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nice", "--from", "RUN"], "RUN is a run of glow, not of nice"),
        (["glow", "--from", "nowhere"], "there is no run folder nowhere"),
        (["glow", "--from-partial"], "--from-partial needs --from"),
        (["glow", "--from", "RUN", "--out", "RUN"], "RUN is already a run"),
        (["glow", "--from", "RUN", "--resume", "--out", "RUN"], "RUN was not started with --from"),
        (["glow", "--freeze", "flow.priors.*"], "the nearest are flow.prior.*, "),
        (["glow", "--freeze", "*"], "leaves no parameter to train"),
    ],
)
def test_a_wrong_call_is_one_sentence(
    commands, trained: zoo.Run, here: Path, untouched, arguments: list[str], message: str
) -> None:
    path = str(trained.path)
    done = commands("train", *(text.replace("RUN", path) for text in arguments))
    assert done.status == 2
    assert message.replace("RUN", path) in done.err.splitlines()[-1]


# Settings


def test_settings_of_the_parent_are_the_defaults_and_others_win(
    frozen_child: Path, tmp_path: Path
) -> None:
    def resolved(*settings: Setting, **arguments: object):
        request = Request(
            "glow",
            settings=settings,
            out=tmp_path / "out",
            parent=str(frozen_child),
            read=parent_reader(),
            **arguments,
        )
        return resolve_request(host().spec("glow"), request).config

    config = resolved()
    assert (config.model.depth, config.model.width, config.training.steps) == (2, 16, 4)
    assert (config.data.source, config.data.size, config.data.bits) == ("digits", 8, 4)
    assert config.training.freeze is None
    assert config.training.compile == "auto"
    other = resolved(
        Setting("data", "source", str(tmp_path), "--data"),
        Setting("model", "depth", 3, "--set"),
        Setting("training", "epochs", 1.0, "--epochs"),
    )
    assert (other.model.depth, other.model.width) == (3, 16)
    assert (other.training.steps, other.training.epochs) == (None, 1.0)
    assert (other.data.layout, other.data.value_range, other.data.size) == (None, None, 8)
    preset = resolved(preset="mnist")
    expected = host().spec("glow").presets["mnist"]
    assert preset.data.source == expected["data"]["source"]
    assert preset.model.depth == expected["model"].get("depth", 2)


# Other parents


def test_a_parent_on_the_hub_is_the_base_model_at_its_commit(
    trained: zoo.Run, tmp_path: Path
) -> None:
    commit = "0123456789abcdef" * 2 + "01234567"
    snapshot = shutil.copytree(trained.path, tmp_path / commit)
    card = snapshot / "README.md"
    card.write_text(card.read_text("utf-8").replace("---\n", "---\nlicense: mit\n", 1), "utf-8")
    stored = replace(
        StoredRun.read(RunFolder(snapshot), host().spec), source="someone/glow-digits@main"
    )
    request = Request(
        "glow",
        settings=[Setting("training", "steps", 1, "--steps")],
        out=tmp_path / "run",
        device="cpu",
        parent="someone/glow-digits@main",
        read=lambda _: stored,
    )
    run = train(host(), request, Progress())
    parent = config_of(run.path)["parent"]
    assert (parent["source"], parent["license"]) == (f"someone/glow-digits@{commit}", "mit")
    text = (run.path / "README.md").read_text("utf-8")
    assert "base_model: someone/glow-digits\n" in text
    assert f"(https://huggingface.co/someone/glow-digits/tree/{commit}), glow on digits" in text


def test_names_in_the_record_of_a_parent_are_text(frozen_child: Path) -> None:
    summary = read_summary(frozen_child, host().owner)
    assert summary.parent is not None
    named = summary.parent.model_copy(update={"source": "a|b\n# <i>*", "data": "[x](y)"})
    row = next(
        line
        for line in new_card(replace(summary, parent=named)).splitlines()
        if "fine-tuned" in line
    )
    assert "<i>" not in row
    assert "[x](y)" not in row


def test_a_gan_starts_with_the_generator_alone_and_says_so(tmp_path: Path) -> None:
    plugins, lines = tiny.tiny_host(), []

    class Lines(Progress):
        def say(self, text: str) -> None:
            lines.append(text)

    def run(out: Path, **options: object) -> zoo.Run:
        steps = [Setting("training", "steps", 2, "--steps")]
        request = Request("gan", settings=steps, out=out, device="cpu", **options)
        return train(plugins, request, Lines())

    parent = run(tmp_path / "parent")
    assert not any("random weights" in line for line in lines)
    run(
        tmp_path / "child",
        parent=str(parent.path),
        read=lambda source: StoredRun.read(RunFolder(Path(source)), plugins.spec),
    )
    (line,) = [line for line in lines if "random weights" in line]
    assert line.startswith("critic: ")


def test_frozen_parameters_change_by_no_kind_of_step() -> None:
    network = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 1))
    freeze(network, ["0.*"])
    before = [parameter.clone() for parameter in network[0].parameters()]
    for kind in (torch.optim.Adamax, torch.optim.RMSprop, torch.optim.Adam):
        options = {"fused": True} if kind is torch.optim.Adam else {}
        optimizer = kind(network.parameters(), lr=0.1, weight_decay=0.1, **options)
        network(torch.ones(3, 2)).sum().backward()
        optimizer.step()
    assert all(map(torch.equal, network[0].parameters(), before))
