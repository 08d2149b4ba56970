"""Trains and measures every model, and compares them with real images and with noise.

    python benchmarks/reference/reference.py --out runs/reference

Repeating the command resumes: finished runs and measured metrics are kept, and an interrupted run
is resumed.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from commands import evaluate, train
from entries import KINDS, Entry
from publish import check, lay_out, publish
from results import add, begun
from tables import markdown

from zoo.errors import Interrupted, UsageError, ZooError, nearest


def main(arguments: Sequence[str] | None = None) -> int:
    # Before torch is imported, here and in subprocesses.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    options = _parser().parse_args(arguments)
    try:
        kind = "gpu" if options.gpu else "quick" if options.quick else "cpu"
        entries = _chosen(KINDS[kind], options.only)
        if options.publish is not None:
            if options.gpu:
                raise UsageError("--publish takes no --gpu: its cards are those in --out/cards")
            check(options.publish)
        if options.gpu:
            _need_gpu()
        results = begun(options.out, kind)
        sources = {"mnist": options.mnist, "fashion_mnist": options.fashion_mnist}
        sources |= {"cifar10": options.cifar10, "digits": "digits"}
        device = "cuda" if options.gpu else "cpu"
        for number, entry in enumerate(entries, 1):
            folder, source = options.out / entry.name, sources[entry.data]
            _say(f"{number}/{len(entries)}  {entry.name}")
            train(entry, source, folder, device)
            evaluate(entry, source, folder, device)
            add(results, entry, source, folder, options.out, device)
        lay_out(results, options.out, options.out / "cards")
        if options.publish is not None:
            publish(results, options.out, options.publish)
    except (Interrupted, KeyboardInterrupt) as error:
        _say("stopped; run the same command to resume")
        return error.exit_code if isinstance(error, Interrupted) else 130
    except ZooError as error:
        _say(str(error))
        return error.exit_code
    print(markdown(results))
    return 0


def _chosen(entries: Sequence[Entry], only: str | None) -> list[Entry]:
    if only is None:
        return list(entries)
    known = {entry.name: entry for entry in entries}
    for name in only.split(","):
        if name not in known:
            raise UsageError(
                f"--only {only}: there is no reference run {name!r}{nearest(name, known)}"
            )
    return [entry for entry in entries if entry.name in only.split(",")]


def _need_gpu() -> None:
    import torch

    if not torch.cuda.is_available():
        raise ZooError("--gpu needs an NVIDIA GPU, and torch finds none: see zoo doctor")


def _say(text: str) -> None:
    print(f"reference: {text}", file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for runs and results")
    for name in ("mnist", "fashion_mnist", "cifar10"):
        option = f"--{name.replace('_', '-')}"
        parser.add_argument(
            option, default=name, metavar="SOURCE", help=f"default: {name} from the Hub"
        )
    parser.add_argument("--only", metavar="NAMES", help="comma-separated names of runs")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--gpu", action="store_true", help="the papers' presets, on an NVIDIA GPU")
    kind.add_argument("--quick", action="store_true", help="digits and a few steps, as a test")
    parser.add_argument(
        "--publish",
        type=Path,
        metavar="TREE",
        help="write cards and results into TREE/model_cards/reference, and the README's table",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
