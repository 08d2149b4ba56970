"""How far float16 is from float64, for runs of any model: why flows are exported in float32 alone.

    python benchmarks/onnx/half.py runs/glow-digits runs/vae-digits

For each run, the sampler and, for flows, pictures that were encoded and sampled again, in float32
and in float16 in onnxruntime on the CPU, beside the network in float64. Prints a table, and JSON
with ``--json``.
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

PICTURES = 64
SEED = 2**62
OPSET = 20


def measure(run: zoo.Run) -> dict[str, Any]:
    """The largest differences in a value of a picture in [0, 1], over 64 pictures; ``exact``: the
    sampler at the model's own temperature, ``again``: encoder and sampler on real pictures."""
    z = latents.draw(PICTURES, run.latent.size, run.latent.distribution, SEED)
    temperature = np.array(run.spec.temperature, np.float32)
    labels = np.arange(PICTURES) % run.latent.classes if run.latent.classes else None
    exact_model = run.with_network(copy.deepcopy(run.network).double())
    with torch.no_grad():
        exact = exact_model.sample_hook(
            torch.from_numpy(z).double(),
            float(temperature),
            None if labels is None else torch.from_numpy(labels),
        ).numpy()
    given = {} if labels is None else {"label": labels}
    found: dict[str, Any] = {"run": run.path.name, "model": run.name}
    real = real_pictures(run) if "log_prob" in run.spec.capabilities else None
    for precision in ("fp32", "fp16"):
        sessions = written(run, precision)
        drawn = sessions["sampler"].run({"z": z, "temperature": temperature} | given)["image"]
        error = np.abs(drawn - exact)
        facts = {
            "largest": float(error.max()),
            "over_a_level": float((error > 1 / 255).mean()),
            "finite": bool(np.isfinite(drawn).all()),
        }
        if real is not None:
            z_real = sessions["encoder"].run({"image": real} | given)["z"]
            one = np.array(1, np.float32)
            again = sessions["sampler"].run({"z": z_real, "temperature": one} | given)["image"]
            facts["again"] = float(np.abs(again - real).max())
        found[precision] = facts
    return found


def written(run: zoo.Run, precision: str) -> dict[str, Session]:
    """The run's graphs in a precision, opened."""
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


def real_pictures(run: zoo.Run) -> np.ndarray[Any, Any]:
    from zoo.data import open_data

    split = open_data(run.data_config()).splits["test"]
    return run.as_images(np.stack([split[i][0] for i in range(PICTURES)])).numpy()


@click.command()
@click.argument("runs", nargs=-1, required=True)
@click.option("as_json", "--json", is_flag=True)
def main(runs: tuple[str, ...], as_json: bool) -> None:
    found = [measure(zoo.load(path, "cpu")) for path in runs]
    if as_json:
        print(json.dumps(found, indent=2))
        return
    rows = [("run", "fp32", "fp16", "over 1/255", "there and back fp32", "fp16")]
    for one in found:
        single, half = one["fp32"], one["fp16"]
        back = [f"{facts['again']:.1e}" if "again" in facts else "-" for facts in (single, half)]
        rows.append(
            (
                one["run"],
                f"{single['largest']:.1e}",
                f"{half['largest']:.1e}" if half["finite"] else "not finite",
                f"{100 * half['over_a_level']:.2g} %",
                *back,
            )
        )
    print(columns(rows))


if __name__ == "__main__":
    main()
