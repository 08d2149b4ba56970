"""Sources of runs: local folders first, then plugins that fetch a name."""

from __future__ import annotations

from pathlib import Path

import pytest

import zoo
from zoo import UsageError, ZooError, api, hookimpl, hookspecs
from zoo.api import locate as local
from zoo.plugins.host import Host, Plugin
from zoo.runs.sources import is_here, named, split


class Shelf:
    """A plugin that fetches ``shelf:name`` from folders of ``root`` and records its calls."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.calls: list[tuple[object, ...]] = []

    @hookimpl
    def zoo_fetch(self, source, revision, token, files, optional):
        self.calls.append((source, revision, token, files, optional))
        if not source.startswith(("shelf:", "user/")):
            return None
        return self.root / source.replace("shelf:", "").rpartition("/")[2]

    @hookimpl
    def zoo_push(self, run, target, options):
        return f"on {target} with {options}" if target.startswith("shelf:") else None


@pytest.fixture
def shelf(tmp_path: Path, here: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    shelf, host = Shelf(tmp_path), Host(hookspecs)
    host.load_entry_points()
    hub = next(plugin for plugin in host.plugins if plugin.name == "hub")
    host.plugins.remove(hub)
    assert host.add(Plugin("shelf", "tests", "0"), shelf).cause is None
    monkeypatch.setattr(api, "host", lambda: host)
    return shelf


def test_an_existing_path_wins_and_no_plugin_is_called(shelf: Shelf, here: Path) -> None:
    for name in ("user/run", "user/run@v1", "run"):
        (here / name).mkdir(parents=True)
        assert local(name, ("config.json",)) == Path(name)
        assert is_here(name)
    assert local(here / "run", ("config.json",)) == here / "run"
    assert shelf.calls == []
    with pytest.raises(UsageError, match="user/run is a local folder, which has no revision 'v2'"):
        local("user/run", (), revision="v2")


def test_a_name_is_fetched_with_its_revision(shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for source, revision in (("shelf:a@v1", None), ("shelf:a", "v1"), ("shelf:a@v1", "v1")):
        assert local(source, ("x",), ("y",), revision, "secret") == tmp_path / "a"
    assert shelf.calls == [("shelf:a", "v1", "secret", ("x",), ("y",))] * 3
    assert local("shelf:a", ("x",)) == tmp_path / "a"
    assert shelf.calls[-1] == ("shelf:a", None, None, ("x",), ())


@pytest.mark.parametrize(
    "result", ["a", b"a", 5, ["a"], {"folder": "a"}, Path("missing"), Path("file"), True]
)
def test_what_is_fetched_must_be_a_folder(
    result: object, shelf: Shelf, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "a").mkdir()
    (here / "file").touch()
    monkeypatch.setattr(api.host(), "first_result", lambda *_, **__: result)
    with pytest.raises(ZooError) as error:
        local("shelf:a", ())
    assert str(error.value) == (
        f"the plugin that fetches shelf:a returned {result!r}, not the path of a folder: fix its "
        "zoo_fetch"
    )


@pytest.mark.parametrize("name", ["./user/run", "../user/run", "/user/run", "~/run", "a\\b", ""])
def test_a_name_like_a_path_is_never_fetched(shelf: Shelf, name: str) -> None:
    with pytest.raises(UsageError, match="there is no run folder"):
        local(name, ()) if name else local("@x", ())
    assert shelf.calls == []


def test_a_misspelled_path_in_a_local_folder_is_not_fetched(shelf: Shelf, here: Path) -> None:
    (here / "user/run").mkdir(parents=True)
    with pytest.raises(UsageError) as error:
        local("user/rnu", ())
    assert str(error.value) == "there is no run folder user/rnu"
    assert shelf.calls == []
    (shelf.root / "rnu").mkdir()
    local("user/rnu@main", ())
    assert shelf.calls[0][:2] == ("user/rnu", "main")


def test_invalid_revisions(shelf: Shelf) -> None:
    assert split("a/b@feature/x") == ("a/b", "feature/x")
    with pytest.raises(UsageError, match="a/b@: name a revision after the @"):
        local("a/b@", ())
    with pytest.raises(UsageError, match="given twice, 'v1' and 'v2'"):
        local("a/b@v1", (), revision="v2")


def test_without_a_plugin_that_fetches_the_error_says_so(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "host", lambda: Host(hookspecs))
    with pytest.raises(UsageError) as error:
        local("user/run", ())
    assert str(error.value) == (
        "there is no run folder user/run, and no plugin fetches runs from elsewhere: zoo "
        "plugins shows what is missing"
    )
    with pytest.raises(UsageError) as error:
        local("run", ())
    assert str(error.value) == "there is no run folder run"


def test_a_fetched_run_is_usable_and_never_written_to(
    shelf: Shelf, commands, trained_copy: Path, tmp_path: Path, here: Path, monkeypatch
) -> None:
    from folders import contents

    trained_copy.rename(tmp_path / "a")
    before = contents(tmp_path / "a")
    run = zoo.load("user/a", "cpu")
    assert (run.source, run.path) == ("user/a", tmp_path / "a")
    assert zoo.load("user/a", "cpu", revision="v1").source == "user/a@v1"
    assert zoo.load(tmp_path / "a", "cpu").source is None
    assert shelf.calls[0][3:] == (("config.json", "model.safetensors"), ())
    with pytest.raises(UsageError, match="user/a is not a local folder: name a folder for its"):
        run.export()
    with pytest.raises(UsageError, match="user/a is not a local folder: download it to a folder"):
        run.write_card()
    result = commands(
        "evaluate", "user/a", "--metric", "bits_per_dim", "-n", "8", "--device", "cpu"
    )
    assert result.status == 0
    assert "user/a is not a local folder, so the metrics are not saved" in result.err
    assert commands("sample", "user/a", "-n", 2, "-o", here / "x.npy").status == 0
    assert contents(tmp_path / "a") == before


def test_an_error_in_a_fetched_run_names_its_source(
    shelf: Shelf, trained_copy: Path, tmp_path: Path
) -> None:
    trained_copy.rename(tmp_path / "a")
    (tmp_path / "a/config.json").write_text("{")
    with pytest.raises(ZooError, match=r"^user/a@v1/config\.json is damaged"):
        zoo.load("user/a@v1")
    with pytest.raises(ZooError, match="in b") as error, named(Path("/a"), "b"):
        raise UsageError("in /a")
    assert not isinstance(error.value, UsageError), "the call was valid"
    with pytest.raises(UsageError, match="of the call"), named(Path("/a"), "user/b"):
        raise UsageError("of the call")
    with pytest.raises(UsageError, match="in /a"), named(Path("/a"), "/a"):
        raise UsageError("in /a")


def test_a_run_is_pushed_by_the_plugin_that_accepts_the_target(
    shelf: Shelf, trained: zoo.Run
) -> None:
    from dataclasses import replace

    run = replace(trained, host=api.host())
    assert run.push("shelf:b", private=True) == "on shelf:b with {'private': True}"
    with pytest.raises(UsageError, match=r"^nowhere is not a valid target: use user/repo$"):
        run.push("nowhere")
