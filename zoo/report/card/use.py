"""Python in a card that samples with genzoo, ready to paste."""

from __future__ import annotations

import re
from collections.abc import Sequence

from zoo.report.card import markdown
from zoo.report.card.summary import RunSummary
from zoo.sampling.names import integers


def use_part(summary: RunSummary) -> str:
    """How to install the package, load the run and sample from it."""
    packages = "genzoo"
    if summary.package != "genzoo" and re.fullmatch(r"[\w.-]+", summary.package, re.ASCII):
        packages += f" {summary.package}"
    where = "" if summary.on_hub else ", in this folder"
    intro = f"With genzoo, a zoo of generative models for PyTorch (`pip install {packages}`)"
    return f"## Use\n\n{intro}{where}:\n\n{markdown.code('python', snippet(summary))}"


def snippet(summary: RunSummary) -> str:
    """Code that loads the run and samples, with one line more for what the model offers beside."""
    spec, image = summary.spec, summary.image
    classes = summary.latent.classes if summary.latent else 0
    label = example_label(classes)
    labels = "" if label is None else f", labels={label_code(label, image.class_names)}"
    temperature = "" if spec.temperature == 1 else f", temperature={spec.temperature:g}"
    shape = f"[16, {image.channels}, {image.size}, {image.size}]"
    lines = [
        "import zoo",
        "",
        f'run = zoo.load("{summary.source}")',
        f"images = run.sample(16{temperature}, seed=0{labels})  # float32 {shape} in [0, 1]",
    ]
    if "encode" in spec.capabilities:
        exact = "log_prob" in spec.capabilities
        comment = f"run.decode(z{labels}) returns the images" if exact else "the posterior's mean"
        lines.append(f"z = run.encode(images{labels})  # {comment}")
    elif "interpolate" in spec.capabilities:
        lines.append("grid = run.interpolate(rows=4, columns=8)  # between pairs of samples")
    return "\n".join(lines)


def example_label(classes: int) -> int | None:
    """Index of a class for the example, or None without classes."""
    return min(7, classes - 1) if classes else None


def label_code(index: int, class_names: Sequence[str]) -> str:
    """The class as ``labels`` of :meth:`zoo.Model.sample`, in Python: its name, an index without
    names."""
    if index >= len(class_names):
        return str(index)
    name = class_names[index]
    integer = integers(class_names) and str(int(name)) == name
    return name if integer else markdown.literal(name)
