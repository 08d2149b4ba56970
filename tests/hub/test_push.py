"""Runs are pushed and pulled over real HTTP, with the client of huggingface_hub."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import hub_xet
import numpy as np
import pytest
from exported import SMALL
from hub_steps import Step, append, licensed, run_steps, upload
from loopback_hub import LoopbackHub, loopback_hub

import zoo

MODELS = sorted(SMALL)


@dataclass(frozen=True)
class Shared:
    """A Hub to which a run of each model was pushed twice, and the folder of the runs."""

    hub: LoopbackHub
    root: Path
    first: dict[str, Step]
    second: dict[str, Step]


@pytest.fixture(scope="module")
def shared(
    exported: Callable[[str], zoo.Run], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shared]:
    root = tmp_path_factory.mktemp("hub")
    for model in MODELS:
        licensed(exported(model).path, root / model)
    with loopback_hub() as hub:
        pushes = [["push", model, f"tester/{model}"] for model in MODELS]
        environment = hub.environment(root / "home", hub.tokens.write)
        done = run_steps(environment, root, *pushes, *pushes)
        first, second = (dict(zip(MODELS, part, strict=True)) for part in (done[:6], done[6:]))
        yield Shared(hub, root, first, second)


def pushable(run: Path) -> dict[str, bytes]:
    """The files of a run folder that a push may send."""
    names = ["config.json", "model.safetensors", "README.md", "metrics.jsonl", "samples/grid.png"]
    graphs = [path.relative_to(run).as_posix() for path in run.glob("onnx/*")]
    return {name: (run / name).read_bytes() for name in (*names, *graphs)}


@pytest.mark.parametrize("model", MODELS)
def test_a_push_is_one_commit_of_the_files_of_a_run(shared: Shared, model: str) -> None:
    done = shared.first[model]
    assert (done.status, done.out) == (0, f"{shared.hub.url}/tester/{model}\n")
    assert f"Push {model} with genzoo" in shared.hub.commits(f"tester/{model}")[0].title
    assert len(shared.hub.commits(f"tester/{model}")) == 2
    files = shared.hub.files(f"tester/{model}")
    assert {k: v for k, v in files.items() if k != ".gitattributes"} == pushable(
        shared.root / model
    )
    assert (shared.root / model / "checkpoints").is_dir()
    rows = {line.split()[0]: line for line in done.err.splitlines()}
    assert {*pushable(shared.root / model)} < {*rows}
    assert all(rows[name].endswith(" push") for name in pushable(shared.root / model))


@pytest.mark.parametrize("model", MODELS)
def test_a_second_push_makes_no_commit(shared: Shared, model: str) -> None:
    done = shared.second[model]
    assert (done.status, done.out) == (0, f"{shared.hub.url}/tester/{model}\n")
    assert "is up to date: no commit" in done.err
    assert len(shared.hub.commits(f"tester/{model}")) == 2
    assert "to push" not in done.err


def test_pulled_runs_sample_the_same_bytes_online_and_offline(
    shared: Shared, tmp_path: Path
) -> None:
    """A push of a pulled run, which has no checkpoints, makes no commit."""
    expected = {
        model: zoo.load(shared.root / model, "cpu").sample(5, seed=3).numpy() for model in MODELS
    }
    pulls = [["pull", f"tester/{model}", model] for model in MODELS]
    named = [
        ["sample", f"tester/{model}", "-n", 5, "--seed", 3, "--device", "cpu", "-o", f"{model}.npy"]
        for model in MODELS
    ]
    token = f"import os; os.environ['HF_TOKEN'] = {shared.hub.tokens.write!r}"
    again = [token, *(["push", model, f"tester/{model}"] for model in MODELS)]
    for offline in (False, True):
        folder = tmp_path / str(offline)
        folder.mkdir()
        before = len(shared.hub.log)
        environment = shared.hub.environment(tmp_path / "home", None, offline)
        done = run_steps(environment, folder, *pulls, *named, *([] if offline else again))
        assert {step.status for step in done} == {0}, done
        assert all("is up to date" in step.err for step in done[13:])
        assert (len(shared.hub.log) > before) != offline
        for model in MODELS:
            images = zoo.load(folder / model, "cpu").sample(5, seed=3).numpy()
            assert images.tobytes() == expected[model].tobytes(), model
            assert np.load(folder / f"{model}.npy").tobytes() == expected[model].tobytes(), model
            files = {
                path.relative_to(folder / model).as_posix(): path.read_bytes()
                for path in (folder / model).rglob("*")
                if path.is_file()
            }
            assert files == pushable(shared.root / model)


@pytest.mark.slow
def test_large_files_are_transferred_with_xet(exported, hub: LoopbackHub, tmp_path: Path) -> None:
    if reason := hub_xet.missing():
        pytest.skip(reason)
    store = hub.use_xet(tmp_path / "store")
    licensed(exported("vae").path, tmp_path / "vae")
    (pushed,) = run_steps(
        hub.environment(tmp_path / "home", hub.tokens.write),
        tmp_path,
        ["push", "vae", "tester/vae"],
    )
    pulled, again = run_steps(
        hub.environment(tmp_path / "new", hub.tokens.write),
        tmp_path,
        ["pull", "tester/vae", "back"],
        ["push", "back", "tester/vae"],
    )
    assert (pushed.status, pulled.status, again.status) == (0, 0, 0), (pushed, pulled, again)
    assert "is up to date" in again.err
    assert store.hashes()
    assert not hub.requests("PUT", "/lfs/")
    for name, data in pushable(tmp_path / "vae").items():
        assert (tmp_path / "back" / name).read_bytes() == data


def test_changed_files_are_pushed_and_missing_ones_deleted(
    exported, hub: LoopbackHub, tmp_path: Path
) -> None:
    run = licensed(exported("vae").path, tmp_path / "vae")
    (run / "metrics.json").write_text("{}")
    push = ["push", "vae", "tester/vae", "--commit-message", "Mine"]
    remove = "import os\nfor name in ('onnx/encoder.onnx', 'onnx/encoder.json', 'metrics.json'): "
    done = run_steps(
        hub.environment(tmp_path / "home", hub.tokens.write),
        tmp_path,
        push,
        upload("notes.txt", "kept"),
        remove + "os.unlink('vae/' + name)",
        append("vae/README.md", "More. ![curve](curve.png)\n"),
        push,
        [*push, "--revision", "dev"],
        append("vae/metrics.jsonl", "\n"),
        [*push, "--revision", "dev"],
    )
    assert [step.status for step in done] == [0] * 8, done
    on_branch, second, upload_commit, first, *_ = hub.commits("tester/vae", "dev")
    assert (on_branch.title, second.title, first.title) == ("Mine", "Mine", "Mine")
    deleted = {"onnx/encoder.onnx", "onnx/encoder.json", "metrics.json"}
    assert {*first.files} - {*second.files} == deleted
    assert {*second.files} - {*upload_commit.files} == {"curve.png"}
    assert second.files["notes.txt"].content == b"kept"
    assert second.files["README.md"].content.endswith(b"More. ![curve](curve.png)\n")
    assert hub.commits("tester/vae")[0] == second
    assert "is up to date" in done[5].err
    assert "1 of 8 files" in done[7].err


def test_a_card_that_was_edited_on_the_hub_is_kept(
    exported, hub: LoopbackHub, tmp_path: Path
) -> None:
    licensed(exported("vae").path, tmp_path / "vae")
    hub.create("tester/web", files={"README.md": b"of the form for a new repository"})
    push, more = ["push", "vae", "tester/vae"], append("vae/README.md", "more\n")
    person = "---\nlicense: mit\n---\nTheirs"
    done = run_steps(
        hub.environment(tmp_path / "home", hub.tokens.write),
        tmp_path,
        *(push, more, push),
        *(upload("README.md", person), more, push),
        *(append("vae/metrics.jsonl", "\n"), push, push),
        *("huggingface_hub.delete_file('README.md', 'tester/vae')", push),
        "import shutil; shutil.copyfile('vae/README.md', 'last.md')",
        ["push", "vae", "tester/web"],
    )
    assert [step.status for step in done] == [0] * 13, done
    commits = hub.commits("tester/vae")
    last = (tmp_path / "last.md").read_bytes()
    assert b'zoo.load("tester/vae")' in last
    first = last.removesuffix(b"more\nmore\n")
    cards = [commit.files["README.md"].content for commit in commits if "README.md" in commit.files]
    assert cards == [last, person.encode(), person.encode(), first + b"more\n", first]
    note = "README.md of tester/vae was edited on the Hub and is kept"
    assert [step for step in range(11) if note in done[step].err] == [5, 7, 8]
    assert "is up to date" in done[5].err
    assert note.replace("vae", "web") in done[12].err
    assert hub.files("tester/web")["README.md"] == b"of the form for a new repository"
    assert "model.safetensors" in hub.files("tester/web")


def test_a_space_has_the_page_of_demo(exported, hub: LoopbackHub, tmp_path: Path) -> None:
    import yaml

    licensed(exported("vae").path, tmp_path / "vae")
    theirs = "---\nsdk: static\n---\n"
    push = ["push", "vae", "tester/vae", "--with-space", "--private"]
    done = run_steps(
        hub.environment(tmp_path / "home", hub.tokens.write),
        tmp_path,
        *(push, push, upload("README.md", theirs, kind="space"), push),
        ["demo", "vae", "-o", "page"],
    )
    assert [step.status for step in done] == [0] * 5, done
    assert done[0].out == f"{hub.url}/tester/vae\n"
    assert f"page: {hub.url}/spaces/tester/vae" in done[0].err
    assert done[1].err.count("is up to date") == 2
    assert "README.md of tester/vae was edited on the Hub and is kept" in done[3].err
    person, pushed, _ = hub.commits("tester/vae", kind="space")
    assert len(hub.commits("tester/vae")) == 2
    for name in ("index.html", "app.js", "onnx/sampler.onnx", "model.json"):
        assert pushed.files[name].content == (tmp_path / "page" / name).read_bytes()
    card = yaml.safe_load(pushed.files["README.md"].content.split(b"---")[1])
    assert (card["sdk"], card["models"]) == ("static", ["tester/vae"])
    assert card["custom_headers"]["cross-origin-embedder-policy"] == "require-corp"
    assert person.files["README.md"].content == theirs.encode()
    assert hub.repository("tester/vae").private
    assert hub.repository("tester/vae", "space").private


def test_a_space_without_the_web_plugin_is_refused_before_anything_is_pushed(
    exported, hub: LoopbackHub, tmp_path: Path
) -> None:
    licensed(exported("vae").path, tmp_path / "vae")
    push = ["push", "vae", "tester/vae", "--with-space"]
    environment = hub.environment(tmp_path / "home", hub.tokens.write)
    (disabled,) = run_steps({**environment, "ZOO_DISABLE_PLUGINS": "web"}, tmp_path, push)
    assert disabled.sentence == (
        "--with-space needs the plugin 'web', which is disabled: remove it from ZOO_DISABLE_PLUGINS"
    )
    _, broken = run_steps(environment, tmp_path, "import sys; sys.modules['zoo_web'] = None", push)
    assert broken.sentence.startswith("--with-space needs the plugin 'web' (genzoo ")
    assert "), which is broken (" in broken.sentence
    assert broken.sentence.endswith("): fix it, or push without --with-space")
    assert not hub.repositories
    assert not hub.log
