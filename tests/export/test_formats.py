"""The formats that plugins offer: who may offer which, and what is said of the rest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from zoo import Format, UsageError, ZooError, hookimpl, hookspecs
from zoo.plugins.formats import format_of, formats
from zoo.plugins.host import Host, Plugin


class Drawn:
    """Draws pictures of one grey."""

    def sample(self, n=64, temperature=None, seed=0, labels=None):
        return np.full((n, 1, 8, 8), 0.25, np.float32)


class Writer:
    """A plugin with the formats that it is given."""

    def __init__(self, *found: object) -> None:
        self.found = found

    @hookimpl
    def zoo_formats(self):
        return self.found


def stone(missing: str | None = None) -> Format:
    return Format("stone", lambda run: [run], lambda folder, device: Drawn(), lambda: missing)


def host(*plugins: Writer) -> Host:
    made = Host(hookspecs)
    for index, plugin in enumerate(plugins):
        assert made.add(Plugin(f"writer{index}", "tests", "0"), plugin).cause is None
    return made


def test_a_format_is_found_by_name_and_the_only_one_without() -> None:
    one = host(Writer(stone()))
    assert format_of(one).name == format_of(one, "stone").name == "stone"
    with pytest.raises(UsageError, match="no format 'stoen': did you mean 'stone'"):
        format_of(one, "stoen")
    clay = Format("clay", lambda run: [], lambda folder, device: Drawn(), lambda: None)
    with pytest.raises(UsageError, match="name a format; there is clay, stone"):
        format_of(host(Writer(stone()), Writer(clay)))
    with pytest.raises(UsageError, match="name a format; there is none"):
        format_of(host())


def test_two_plugins_of_one_format_are_both_named() -> None:
    with pytest.raises(ZooError, match=r"'stone' is claimed by .*'writer0'.* and .*'writer1'"):
        formats(host(Writer(stone()), Writer(stone())))


def test_what_is_no_format_is_named_with_its_plugin() -> None:
    with pytest.raises(ZooError, match=r"'writer0'.* gave 'clay', which is no zoo.Format"):
        formats(host(Writer("clay")))


def test_what_has_to_be_installed_is_said() -> None:
    with pytest.raises(ZooError, match="chisels are missing"):
        format_of(host(Writer(stone("chisels are missing"))))


def test_a_format_of_somebody_is_a_backend_of_sample(
    commands, trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from zoo import api as plugins

    one = host(Writer(stone()))
    monkeypatch.setattr(plugins, "host", lambda: one)
    out = tmp_path / "grey.npy"
    assert commands("sample", trained.path, "-n", 3, "--backend", "stone", "-o", out).status == 0
    assert np.load(out).shape == (3, 1, 8, 8)
    assert (np.load(out) == 0.25).all()
