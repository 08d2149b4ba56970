"""Python in a card that samples with onnxruntime and numpy alone, ready to paste."""

from __future__ import annotations

from zoo.export.report import ParityReport
from zoo.report.card import markdown
from zoo.report.card.use import example_label
from zoo.sampling.names import listed

N = 16


def snippet(file: str, report: ParityReport, source: str) -> str | None:
    """Code that samples with the graph ``file`` of the Hub repository ``source``, or of this folder
    if that is not a repository; None for a graph with inputs or outputs that it does not know."""
    label = example_label(report.classes)
    feeds = {
        "z": "z",
        "temperature": f"np.array({report.temperature:g}, np.float32)",
        "label": f"np.full({N}, {label})",
    }
    comment = ""
    if label is not None and report.class_names and report.class_names[label] != str(label):
        name = listed(report.class_names[label : label + 1])
        comment = f"  # {markdown.comment(name)}"
    if label is None:
        del feeds["label"]
    if (
        "z" not in report.inputs
        or not {*report.inputs} <= {*feeds}
        or [*report.outputs] != ["image"]
    ):
        return None
    shape = ", ".join(map(str, (N, *report.image_shape)))
    lines = ["import numpy as np", "import onnxruntime"]
    if "/" in source:
        lines += [
            "from huggingface_hub import hf_hub_download",
            "",
            f'path = hf_hub_download("{source}", "{file}")',
        ]
    else:
        lines += ["", f'path = "{file}"']
    lines += [
        "session = onnxruntime.InferenceSession(path)",
        f"z = {_latents(report)}",
        "feeds = {",
        *(
            f'    "{name}": {feeds[name]},{comment if name == "label" else ""}'
            for name in report.inputs
        ),
        "}",
        f'(images,) = session.run(["image"], feeds)  # float32 [{shape}] in [0, 1]',
    ]
    return "\n".join(lines)


def _latents(report: ParityReport) -> str:
    generator = "np.random.default_rng(0)"
    match report.latent_distribution:
        case "normal":
            return f"{generator}.standard_normal(({N}, {report.latent_size}), np.float32)"
        case "uniform":
            return f"{generator}.random(({N}, {report.latent_size}), np.float32)"
        case _:
            return f"{generator}.logistic(size=({N}, {report.latent_size})).astype(np.float32)"
