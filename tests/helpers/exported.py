"""Configurations of the small models that tests export."""

from __future__ import annotations

from typing import Any

SMALL: dict[str, dict[str, Any]] = {
    "dcgan": {"width": 8, "critic_width": 8},
    "glow": {"levels": 2, "depth": 2, "width": 8, "conditional": True},
    "nice": {"couplings": 2, "width": 16},
    "realnvp": {"scales": 1, "blocks": 1, "width": 4},
    "sngan": {"width": 8, "critic_width": 8, "spectral_norm": "both"},
    "vae": {"width": 16, "depth": 1},
}
