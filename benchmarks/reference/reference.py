"""The reference runs: every model trained, measured, compared with real pictures and with noise.

    python benchmarks/reference/reference.py --out runs/reference

Called again it goes on where it was: what is finished stands, a run that broke off is resumed, and
what is measured is not measured again.
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
    # Before torch is imported, here and in the processes that are started.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    given = _parser().parse_args(arguments)
    try:
        kind = "gpu" if given.gpu else "quick" if given.quick else "cpu"
        entries = _chosen(KINDS[kind], given.only)
        if given.publish is not None:
            if given.gpu:
                raise UsageError("--publish takes no --gpu: its cards are those in --out/cards")
            check(given.publish)
        if given.gpu:
            _need_gpu()
        results = begun(given.out, kind)
        sources = {"mnist": given.mnist, "fashion_mnist": given.fashion_mnist}
        sources |= {"cifar10": given.cifar10, "digits": "digits"}
        device = "cuda" if given.gpu else "cpu"
        for number, entry in enumerate(entries, 1):
            folder, source = given.out / entry.name, sources[entry.data]
            _say(f"{number}/{len(entries)}  {entry.name}")
            train(entry, source, folder, device)
            evaluate(entry, source, folder, device)
            add(results, entry, source, folder, given.out, device)
        lay_out(results, given.out, given.out / "cards")
        if given.publish is not None:
            publish(results, given.out, given.publish)
    except (Interrupted, KeyboardInterrupt) as error:
        _say("stopped; the same command goes on from here")
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
        raise ZooError("--gpu needs an NVIDIA GPU, and torch sees none: zoo doctor says why")


def _say(text: str) -> None:
    print(f"reference: {text}", file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for runs and results")
    for name in ("mnist", "fashion_mnist", "cifar10"):
        option = f"--{name.replace('_', '-')}"
        parser.add_argument(option, default=name, metavar="SOURCE", help=f"else the Hub's {name}")
    parser.add_argument("--only", metavar="NAMES", help="runs to work on, with commas between")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--gpu", action="store_true", help="the papers' presets, on an NVIDIA GPU")
    which.add_argument("--quick", action="store_true", help="digits and a few steps, to try it")
    parser.add_argument(
        "--publish",
        type=Path,
        metavar="TREE",
        help="write cards and results into TREE/model_cards/reference, and README's table",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
