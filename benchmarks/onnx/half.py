"""Errors of float16 exports of any model: the reason why flows are exported in float32 alone.

    python benchmarks/onnx/half.py runs/glow-digits runs/vae-digits

For each run, in float32 and float16 in onnxruntime on the CPU: the difference of the sampler from
the network in float64 and, for flows, of real images from themselves after encoding and sampling.
Prints a table, or JSON with ``--json``.
"""

from __future__ import annotations

import copy
import json
import tempfile
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch

import zoo
from zoo.cli.group import columns
from zoo.export import graphs
from zoo.sampling import latents
from zoo_onnx import convert
from zoo_onnx.session import Session

IMAGES = 64
SEED = 2**62
OPSET = 20


def measure(run: zoo.Run) -> dict[str, Any]:
    """Returns the largest differences of values in [0, 1] over 64 images, by precision.

    ``largest`` is that of the sampler at the model's default temperature, ``again`` that of real
    images after encoding and sampling.
    """
    z = latents.draw(IMAGES, run.latent.size, run.latent.distribution, SEED)
    temperature = np.array(run.spec.temperature, np.float32)
    labels = np.arange(IMAGES) % run.latent.classes if run.latent.classes else None
    exact_model = run.with_network(copy.deepcopy(run.network).double())
    with torch.no_grad():
        exact = exact_model.sample_hook(
            torch.from_numpy(z).double(),
            float(temperature),
            None if labels is None else torch.from_numpy(labels),
        ).numpy()
    label = {} if labels is None else {"label": labels}
    results: dict[str, Any] = {"run": run.path.name, "model": run.name}
    real = real_images(run) if "log_prob" in run.spec.capabilities else None
    for precision in ("fp32", "fp16"):
        sessions = exported(run, precision)
        samples = sessions["sampler"].run({"z": z, "temperature": temperature} | label)["image"]
        error = np.abs(samples - exact)
        errors = {
            "largest": float(error.max()),
            "over_a_level": float((error > 1 / 255).mean()),
            "finite": bool(np.isfinite(samples).all()),
        }
        if real is not None:
            feeds = {"z": sessions["encoder"].run({"image": real} | label)["z"]}
            feeds |= {"temperature": np.array(1, np.float32)} | label
            again = sessions["sampler"].run(feeds)["image"]
            errors["again"] = float(np.abs(again - real).max())
        results[precision] = errors
    return results


def exported(run: zoo.Run, precision: str) -> dict[str, Session]:
    """Returns sessions of the run's graphs in a precision."""
    sessions = {}
    with tempfile.TemporaryDirectory() as folder:
        for graph in graphs.graphs_of(run):
            model = convert.to_onnx(graph, OPSET)
            if precision == "fp16":
                model = convert.to_half(model)
            path = Path(folder) / f"{graph.name}.onnx"
            path.write_bytes(model.SerializeToString())
            sessions[graph.name] = Session(path, "cpu", torch.get_num_threads())
    return sessions


def real_images(run: zoo.Run) -> np.ndarray[Any, Any]:
    """Returns images of the test split, evenly spread."""
    from zoo.data.spread import spread_split

    split, _ = spread_split(run.open_data().splits["test"], IMAGES)
    return run.as_images(np.stack([split[i][0] for i in range(len(split))])).numpy()


@click.command()
@click.argument("runs", nargs=-1, required=True)
@click.option("as_json", "--json", is_flag=True)
def main(runs: tuple[str, ...], as_json: bool) -> None:
    results = [measure(zoo.load(path, "cpu")) for path in runs]
    if as_json:
        print(json.dumps(results, indent=2))
        return
    rows = [("run", "fp32", "fp16", "over 1/255", "round trip fp32", "fp16")]
    for result in results:
        single, half = result["fp32"], result["fp16"]
        again = [f"{one['again']:.1e}" if "again" in one else "-" for one in (single, half)]
        rows.append(
            (
                result["run"],
                f"{single['largest']:.1e}",
                f"{half['largest']:.1e}" if half["finite"] else "not finite",
                f"{100 * half['over_a_level']:.2g} %",
                *again,
            )
        )
    print(*columns(rows), sep="\n")


if __name__ == "__main__":
    main()
