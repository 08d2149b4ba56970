"""The markers of hooks and the version of the hook API."""

from __future__ import annotations

import pluggy

HOOK_API = 1
"""The version of the hooks. A plugin may state the one it was written for as ``ZOO_HOOK_API``;
one that states another is not loaded."""

PROJECT = "zoo"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)

REQUIRED = ("zoo_build", "zoo_train", "zoo_sample")
"""The hooks that a plugin with models must have beside ``zoo_models``."""
