"""A row of costs: training steps over a size, and the exponent of a fitted power law.

All points alternate with a matrix product in the rounds of one process; the exponent is fitted to
times in units of the product, so that a machine that changes its speed changes it little.
"""

from __future__ import annotations

import statistics
from typing import Any

import fits
import measure
import peers
import torch
from plan import Row


def measured(row: Row, device: torch.device) -> dict[str, Any]:
    """Measures a step at each of ``row.sizes`` of ``row.over``."""
    made: dict[str, peers.Peer] = {}
    for size in row.sizes:
        batch, subject = row.batch, row.subject
        if row.over == "batch":
            batch = size
        else:
            subject = subject.with_changes({row.over: size})
        made[str(size)] = peers.make("genzoo", subject, batch, row.precision, device)
    steps = {name: peer.step for name, peer in made.items()}
    steps[measure.PRODUCT], _ = measure.product(row.precision, device)
    times = measure.alternate(steps, row.rounds, row.seconds, device)
    products = times[measure.PRODUCT]
    units = {
        float(name): [own / product for own, product in zip(times[name], products, strict=True)]
        for name in made
    }
    law = fits.fit(list(units), [statistics.median(values) for values in units.values()])
    exponents = fits.exponents(units)
    points = [
        {"size": int(name), **measure.timing(times, name, peer.images)}
        for name, peer in made.items()
    ]
    return {
        "points": points,
        "exponent": statistics.median(exponents),
        "exponent_quartiles": measure.spread(exponents),
        "r2": law.r2,
    }
