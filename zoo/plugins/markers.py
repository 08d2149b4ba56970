"""Hook markers and the version of the hook API."""

from __future__ import annotations

import pluggy

HOOK_API = 1
"""Version of the hooks. A plugin may state its version as ``ZOO_HOOK_API``; it is not loaded if the
two differ."""

PROJECT = "zoo"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)

REQUIRED = ("zoo_build", "zoo_train", "zoo_sample")
"""Hooks that a plugin with models needs in addition to ``zoo_models``."""
