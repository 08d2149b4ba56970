"""Formats of plugins: lookup by name, and errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from zoo import Format, UsageError, ZooError, hookimpl, hookspecs
from zoo.plugins.formats import format_of, formats
from zoo.plugins.host import Host, Plugin


class Constant:
    """Returns images of a single gray."""

    def sample(self, n=64, temperature=None, seed=0, labels=None):
        return np.full((n, 1, 8, 8), 0.25, np.float32)


class Writer:
    """A plugin with ``formats``."""

    def __init__(self, *formats: object) -> None:
        self.formats = formats

    @hookimpl
    def zoo_formats(self):
        return self.formats


def stone(missing: str | None = None) -> Format:
    return Format("stone", lambda run: [run], lambda folder, device: Constant(), lambda: missing)


def host(*plugins: Writer) -> Host:
    host = Host(hookspecs)
    for index, plugin in enumerate(plugins):
        assert host.add(Plugin(f"writer{index}", "tests", "0"), plugin).cause is None
    return host


def test_a_format_is_found_by_name_and_a_single_one_without() -> None:
    plugins_host = host(Writer(stone()))
    assert format_of(plugins_host).name == format_of(plugins_host, "stone").name == "stone"
    with pytest.raises(UsageError, match="no format 'stoen': did you mean 'stone'"):
        format_of(plugins_host, "stoen")
    clay = Format("clay", lambda run: [], lambda folder, device: Constant(), lambda: None)
    with pytest.raises(UsageError, match="name a format; there is clay, stone"):
        format_of(host(Writer(stone()), Writer(clay)))
    with pytest.raises(UsageError, match="name a format; there is none"):
        format_of(host())


def test_two_plugins_with_the_same_format_are_named() -> None:
    with pytest.raises(ZooError, match=r"'stone' is claimed by .*'writer0'.* and .*'writer1'"):
        formats(host(Writer(stone()), Writer(stone())))


def test_an_invalid_format_is_named_with_its_plugin() -> None:
    with pytest.raises(ZooError, match=r"'writer0'.* must return zoo.Format, got 'clay'"):
        formats(host(Writer("clay")))


def test_a_missing_package_is_an_error() -> None:
    with pytest.raises(ZooError, match="chisels are missing"):
        format_of(host(Writer(stone("chisels are missing"))))


def test_a_format_is_a_backend_of_sample(
    commands, trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugins_host = host(Writer(stone()))
    monkeypatch.setattr("zoo.cli.loading.host", lambda: plugins_host)
    out = tmp_path / "gray.npy"
    assert commands("sample", trained.path, "-n", 3, "--backend", "stone", "-o", out).status == 0
    assert np.load(out).shape == (3, 1, 8, 8)
    assert (np.load(out) == 0.25).all()
