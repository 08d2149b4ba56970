"""The processes that train together: the variables of their launcher, and how they join.

The only module that reads these variables. No torch until processes join.
"""

from __future__ import annotations

import itertools
import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from zoo.errors import UsageError, ZooError, first_line

if TYPE_CHECKING:
    import torch
    from torch.distributed import Store  # type: ignore[attr-defined]

    from zoo.system.progress import Progress

HONORED = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""The variables of torchrun that decide which processes train together."""

JOIN_SECONDS = 300.0
"""How long a process waits for the others to start."""

_joined = itertools.count()


@dataclass(frozen=True)
class Processes:
    """The processes that train together, and which of them this one is.

    ``local_rank`` counts the processes of a machine; ``address`` and ``port`` are those of the
    process of rank 0, or of torchrun.
    """

    rank: int = 0
    local_rank: int = 0
    world: int = 1
    address: str = ""
    port: int = 0

    @property
    def local_main(self) -> bool:
        """Whether this is the main process on its machine."""
        return self.local_rank == 0


def launched(environment: Mapping[str, str] = os.environ) -> Processes:
    """Returns the processes that a launcher such as torchrun started; a single one by default.

    Raises UsageError for variables that contradict each other or are incomplete.
    """
    values = {name: environment[name] for name in HONORED if environment.get(name)}
    ranks = [name for name in HONORED[:3] if name in values]
    if not ranks:
        return Processes()

    def refuse(problem: str) -> UsageError:
        return UsageError(
            f"{problem}: start several processes with torchrun or zoo train --processes, or unset "
            f"{_listed(ranks)}"
        )

    numbers: dict[str, int] = {}
    for name in values.keys() - {"MASTER_ADDR"}:
        if not values[name].strip().isascii() or not values[name].strip().isdigit():
            raise refuse(f"{name}={values[name]} is not a number of 0 or more")
        numbers[name] = int(values[name])
    world = numbers.get("WORLD_SIZE")
    required = [*HONORED[:3], *HONORED[4:]] if world != 1 else ["WORLD_SIZE"]
    if missing := [name for name in required if name not in values]:
        # Without its rank, a process most likely has a stray variable and no peers.
        missing = [name for name in missing if name in HONORED[:3]] or missing
        present = _listed([f"{name}={values[name]}" for name in ranks])
        verb = "is" if len(ranks) == 1 else "are"
        raise refuse(f"{present} {verb} set without {_listed(missing)}")
    assert world is not None
    bounds = {
        "RANK": ("WORLD_SIZE", world),
        "LOCAL_RANK": ("LOCAL_WORLD_SIZE", min(numbers.get("LOCAL_WORLD_SIZE", world), world)),
    }
    for name, (bound, limit) in bounds.items():
        if numbers.get(name, 0) >= limit:
            bound = bound if bound in numbers else "WORLD_SIZE"
            raise refuse(f"{name}={numbers[name]} must be below {bound}={numbers[bound]}")
    if world == 1:
        return Processes()
    port = numbers["MASTER_PORT"]
    if not 0 < port < 2**16:
        raise refuse(f"MASTER_PORT={port} is not a port")
    address = values["MASTER_ADDR"]
    return Processes(numbers["RANK"], numbers["LOCAL_RANK"], world, address, port)


def join(processes: Processes, device: torch.device, progress: Progress) -> None:
    """Joins the other processes in torch's default group; a single process has none.

    Raises ZooError if they do not all start within ``JOIN_SECONDS`` or a GPU is missing, and
    UsageError if the caller initialized a group of another size.
    """
    import torch.distributed as group
    from torch.cuda import device_count

    if device.type == "cuda" and processes.local_rank >= device_count():
        raise ZooError(
            f"LOCAL_RANK={processes.local_rank} needs a GPU of its own, and this machine has "
            f"{device_count()}: start fewer processes, or use --device cpu"
        )
    if group.is_available() and group.is_initialized():
        if group.get_world_size() != processes.world:
            raise UsageError(
                f"torch.distributed is initialized with {group.get_world_size()} processes, but "
                f"this run has {processes.world}: call destroy_process_group() first"
            )
        return
    if processes.world == 1:
        return
    group.init_process_group(
        "nccl" if device.type == "cuda" else "gloo",
        store=_Meeting(processes, progress).wait(),
        rank=processes.rank,
        world_size=processes.world,
    )


class _Meeting:
    """Waits for all processes at MASTER_ADDR:MASTER_PORT, and says so."""

    def __init__(self, processes: Processes, progress: Progress) -> None:
        self.processes, self.progress = processes, progress
        self.place = f"{processes.address}:{processes.port}"
        self.deadline = time.monotonic() + JOIN_SECONDS

    def wait(self) -> Store:
        """Returns the store that all processes share, once all of them are there."""
        from torch.distributed import PrefixStore, TCPStore  # type: ignore[attr-defined]

        processes = self.processes
        # torchrun has a store of its own, which the first process need not open.
        opens = processes.rank == 0 and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True"
        while not opens and not self._listens():
            self._pause(0)
        try:
            store: Store = TCPStore(
                processes.address,
                processes.port,
                processes.world,
                opens,
                timedelta(seconds=max(1.0, self.deadline - time.monotonic())),
                wait_for_workers=False,
                multi_tenant=True,
            )
            store = PrefixStore(f"genzoo {next(_joined)}", store)
            count = store.add("joined", 1)
            while count < processes.world:
                self._pause(count)
                count = store.add("joined", 0)
        except RuntimeError as error:
            raise ZooError(
                f"processes cannot meet at {self.place}: set another MASTER_ADDR or MASTER_PORT "
                f"({first_line(error)})"
            ) from error
        return store

    def _listens(self) -> bool:
        try:
            socket.create_connection((self.processes.address, self.processes.port), 1).close()
        except OSError:
            return False
        return True

    def _pause(self, count: int) -> None:
        """Reports that ``count`` processes are there, and waits a moment."""
        world = self.processes.world
        if time.monotonic() > self.deadline:
            raise ZooError(
                f"{count} of {world} processes joined at {self.place} within "
                f"{JOIN_SECONDS / 60:g} minutes: start the others, or unset RANK, LOCAL_RANK and "
                "WORLD_SIZE"
            )
        self.progress.show(f"waiting for {world} processes at {self.place}", count, world)
        time.sleep(0.1)


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
