"""Python in a card that draws with genzoo, as it stands."""

from __future__ import annotations

import re

from zoo.report.card import markdown
from zoo.report.card.facts import RunFacts


def use_part(facts: RunFacts) -> str:
    """How the run is installed, loaded and drawn from."""
    packages = "genzoo"
    if facts.distribution != "genzoo" and re.fullmatch(r"[\w.-]+", facts.distribution, re.ASCII):
        packages += f" {facts.distribution}"
    where = "" if "/" in facts.load else ", in this folder"
    said = f"With genzoo, a zoo of generative models for PyTorch (`pip install {packages}`){where}:"
    return f"## Use\n\n{said}\n\n{markdown.code('python', snippet(facts))}"


def snippet(facts: RunFacts) -> str:
    """Three lines of Python, and one that shows what the model can do beside."""
    spec, image = facts.spec, facts.image
    label = example_label(facts.latent.classes if facts.latent else 0)
    labels = "" if label is None else f", labels={label}"
    temperature = "" if spec.temperature == 1 else f", temperature={spec.temperature:g}"
    shape = f"[16, {image.channels}, {image.size}, {image.size}]"
    lines = [
        "import zoo",
        "",
        f'run = zoo.load("{facts.load}")',
        f"images = run.sample(16{temperature}, seed=0{labels})  # float32 {shape} in [0, 1]",
    ]
    if "encode" in spec.capabilities:
        exact = "log_prob" in spec.capabilities
        back = f"run.decode(z{labels}) gives the pictures back"
        what = back if exact else "the posterior's mean"
        lines.append(f"z = run.encode(images{labels})  # {what}")
    elif "interpolate" in spec.capabilities:
        lines.append("walks = run.interpolate(rows=4, columns=8)  # from picture to picture")
    return "\n".join(lines)


def example_label(classes: int) -> int | None:
    """A class to ask for; None where there are none."""
    return min(7, classes - 1) if classes else None
