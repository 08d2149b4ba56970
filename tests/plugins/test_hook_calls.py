"""Calls of hooks: on the owner, inside the wrappers of others, with errors that name the plugin."""

from __future__ import annotations

import pytest
from plugin_code import load, model, plugin, sample

from zoo.errors import UsageError
from zoo.plugins.plugin import PluginError

WRAPPER = """
from zoo import hookimpl

@hookimpl(wrapper=True)
def zoo_sample(model, latents):
    result = yield
    return ["wrapped", *result]
"""


def test_a_hook_is_called_on_the_owner_inside_others_wrappers(site) -> None:
    site.add("other", model("other", "@hookimpl\ndef zoo_score(): return 'other'"))
    site.add("owner", model("owner"))
    site.add("wrapper", WRAPPER)
    host = load()
    assert sample(host, "owner", 7) == ["wrapped", "owner", 7]
    assert sample(host, "other", 7) == ["wrapped", "other", 7]
    assert plugin(host, "wrapper").wrappers == ("zoo_sample",)
    assert plugin(host, "wrapper").hooks == ()
    assert host.owner("other").has("zoo_score")
    assert not host.owner("owner").has("zoo_score")
    with pytest.raises(UsageError, match=r"does not support this: 'owner' \(owner 1.0\) has no"):
        host.owner("owner").call("zoo_score", network=None, batch=None)


def test_an_exception_names_plugin_distribution_version_and_hook(site) -> None:
    site.add("boom", model("boom").replace('return "a network"', "raise SystemExit('bang')"))
    site.add("void", model("void").replace('return "a network"', "return None"))
    host = load()
    with pytest.raises(PluginError) as error:
        host.owner("boom").call("zoo_build", config=None, image=None)
    assert str(error.value) == (
        "the plugin 'boom' (boom 1.0) failed in zoo_build: SystemExit: bang; "
        "use --debug for a traceback, or ZOO_DISABLE_PLUGINS=boom to disable it"
    )
    with pytest.raises(PluginError, match=r"'void' \(void 1.0\) failed in zoo_build: it returned"):
        host.owner("void").call("zoo_build", config=None, image=None)


def test_an_exception_of_a_wrapper_names_the_plugin_of_the_wrapper(site) -> None:
    site.add("owner", model("owner"))
    site.add(
        "wrapper", WRAPPER.replace("result = yield", "result = yield; raise ValueError('mine')")
    )
    with pytest.raises(PluginError, match=r"'wrapper' \(wrapper 1.0\) failed in zoo_sample"):
        sample(load(), "owner")


def test_an_exception_of_the_owner_does_not_name_the_wrapper(site) -> None:
    site.add("owner", model("owner").replace('return ["owner"', '1 / 0; return ["owner"'))
    site.add("wrapper", WRAPPER)
    with pytest.raises(PluginError, match=r"'owner' \(owner 1.0\) failed in zoo_sample"):
        sample(load(), "owner")


def test_the_message_of_a_usage_error_is_not_changed(site) -> None:
    usage = "import zoo; raise zoo.UsageError('depth must be even, got 3')"
    site.add("polite", model("polite").replace('return "a network"', usage))
    with pytest.raises(UsageError, match=r"^depth must be even, got 3$"):
        load().owner("polite").call("zoo_build", config=None, image=None)


def test_a_memory_error_suggests_a_smaller_batch_or_model(site) -> None:
    code = model("big").replace('return "a network"', "raise MemoryError('much')")
    site.add("big", code)
    with pytest.raises(PluginError, match=r"use a smaller batch or model"):
        load().owner("big").call("zoo_build", config=None, image=None)
