"""Python in a card that draws with onnxruntime and numpy alone, as it stands."""

from __future__ import annotations

from zoo.report.card.use import example_label
from zoo_hub.card.graphs import Graph

N = 16


def snippet(graph: Graph, load: str) -> str | None:
    """Code that draws pictures with a sampler, from the repository ``load`` or its folder; None for
    one that takes what other samplers do not."""
    label = example_label(graph.classes)
    feeds = {
        "z": "z",
        "temperature": f"np.array({graph.temperature:g}, np.float32)",
        "label": f"np.full({N}, {label})",
    }
    if label is None:
        del feeds["label"]
    if "z" not in graph.inputs or not {*graph.inputs} <= {*feeds} or [*graph.errors] != ["image"]:
        return None
    shape = ", ".join(map(str, (N, *graph.shape)))
    lines = ["import numpy as np", "import onnxruntime"]
    if "/" in load:
        lines += [
            "from huggingface_hub import hf_hub_download",
            "",
            f'path = hf_hub_download("{load}", "{graph.file}")',
        ]
    else:
        lines += ["", f'path = "{graph.file}"']
    lines += [
        "session = onnxruntime.InferenceSession(path)",
        f"z = {_latents(graph)}",
        "feeds = {",
        *(f'    "{name}": {feeds[name]},' for name in graph.inputs),
        "}",
        f'(images,) = session.run(["image"], feeds)  # float32 [{shape}] in [0, 1]',
    ]
    return "\n".join(lines)


def _latents(graph: Graph) -> str:
    draw = "np.random.default_rng(0)"
    match graph.distribution:
        case "normal":
            return f"{draw}.standard_normal(({N}, {graph.latent}), np.float32)"
        case "uniform":
            return f"{draw}.random(({N}, {graph.latent}), np.float32)"
        case _:
            return f"{draw}.logistic(size=({N}, {graph.latent})).astype(np.float32)"
