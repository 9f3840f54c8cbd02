"""The team of processes that work on one picture at the same time, by `torch.distributed`.

`torchrun` starts them and says to each, in its environment, how many there are and which it is. Everything here is
collective: each process calls the same functions in the same order, or all wait for ever.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor

from ..errors import InputError, is_out_of_memory
from ..passes.layout import Done, Name, Team

JOIN = 120
"""The seconds until all must be there."""
_LOST = re.compile(r"gloo|nccl|connection (closed|reset)|broken pipe|timed out", re.IGNORECASE)
PARTING = 5
"""The seconds that the store outlives a failure without `torchrun`, which keeps it itself."""
WAIT = 3600
"""The seconds that one may wait for the others at any point: for the slowest part of an evaluation, or its files."""


class Processes(Team):
    """Processes that work together.

    Args:
        device: where the tensors that they exchange are.
        group: of `torch.distributed`, whose ranks are the first ones of all; default all processes.
        store: where they met.
    """

    def __init__(
        self,
        device: torch.device | str = "cpu",
        group: dist.ProcessGroup | None = None,
        store: dist.Store | None = None,
    ):
        self.device, self._group, self._store = torch.device(device), group, store
        self.rank, self.count = dist.get_rank(group), dist.get_world_size(group)
        self.sent = 0
        """The bytes that this process has sent so far; for a sum over processes what a ring sends, 2 (n - 1) / n of
        it."""

    def add_all(self, values: Mapping[Name, Tensor]) -> dict[Name, Tensor]:
        """Give the sums of several tensors at once, bit for bit the same on each process."""
        done: dict[Name, Tensor] = {}
        for dtype in dict.fromkeys(value.dtype for value in values.values()):
            some = {name: value for name, value in values.items() if value.dtype == dtype}
            packed = torch.cat([value.reshape(-1) for value in some.values()])
            self._reduce(packed, dist.ReduceOp.SUM)
            pieces = packed.split([value.numel() for value in some.values()])
            done |= {name: piece.view(value.shape) for (name, value), piece in zip(some.items(), pieces, strict=True)}
        return {name: done[name] for name in values}

    def least(self, number: int) -> int:
        value = torch.tensor(number, device=self.device)
        self._reduce(value, dist.ReduceOp.MIN)
        return int(value)

    def _reduce(self, value: Tensor, how: dist.ReduceOp.RedOpType) -> None:
        dist.all_reduce(value, how, group=self._group)
        self.sent += 2 * (self.count - 1) * value.nbytes // self.count

    def exchange(self, given: Mapping[int, Tensor], expected: Mapping[int, Tensor]) -> None:
        """Send to each process what is given for it, and fill the tensors with what comes from each."""
        calls = [dist.P2POp(dist.irecv, tensor, rank, self._group) for rank, tensor in sorted(expected.items())]
        calls += [dist.P2POp(dist.isend, tensor, rank, self._group) for rank, tensor in sorted(given.items())]
        if calls:
            for call in dist.batch_isend_irecv(calls):
                call.wait()
        self.sent += sum(tensor.nbytes for tensor in given.values())

    def tell(self, value: Done) -> Done:
        told = [value]
        dist.broadcast_object_list(told, 0, group=self._group, device=self.device)
        return told[0]

    def may_speak(self) -> bool:
        """Tell whether this is the first process that asks, so that what happens to all is said once; it may be the
        last alive.
        """
        try:
            return self.rank == 0 if self._store is None else self._store.add("gatys/spoken", 1) == 1
        except RuntimeError:  # the store is gone with the process that held it, which is the first one
            return self.rank == 1

    def part(self) -> None:
        """Let go of the others after a failure; the holder of the store waits until they have asked it who speaks."""
        if self._store is None or self.rank or os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True":
            return
        dist.destroy_process_group()
        until = time.monotonic() + PARTING
        while self._store.add("gatys/spoken", 0) < self.count and time.monotonic() < until:
            time.sleep(0.02)

    def agree(self, what: Mapping[str, object]) -> None:
        names = list(what)
        mine = [int.from_bytes(hashlib.sha256(repr(what[name]).encode()).digest()[:7], "big") for name in names]
        first = torch.tensor(self.tell(mine), device=self.device)
        apart = (first != torch.tensor(mine, device=self.device)).long()
        self._reduce(apart, dist.ReduceOp.SUM)
        wrong = [name for name, count in zip(names, apart.tolist(), strict=True) if count]
        if wrong:
            raise InputError(
                f"{', '.join(wrong)}: expected the same on all {self.count} processes, got different ones; "
                "start every process with the same files, options and versions"
            )

    def together(self, work: Callable[[], Done]) -> Done:
        done: list[Done] = []
        try:
            done.append(work())
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        if self.any(not done):
            done.clear()  # the error would hold what is there
            raise MemoryError("out of memory on one of the processes")
        return done[0]


def own_device(name: str, environment: Mapping[str, str] = os.environ) -> torch.device:
    """Give the device of this process: for auto and cuda the GPU with its number on this machine, if there is one.

    Raises:
        InputError: where processes cannot work together on such a device, or there are more of them than GPUs.
    """
    cards, wanted = torch.cuda.device_count(), int(environment.get("LOCAL_WORLD_SIZE", "1"))
    if name == "auto":
        name = "cuda" if cards else "cpu"
    if name == "cpu":
        return torch.device("cpu")
    if name != "cuda":
        raise InputError(f"--device: expected auto, cuda or cpu for several processes, got {name!r}; give one of these")
    if wanted > cards:
        raise InputError(
            f"--device: expected a CUDA GPU for each of {wanted} processes of this machine, got {cards}; start fewer "
            "processes, or give --device cpu"
        )
    return torch.device("cuda", int(environment.get("LOCAL_RANK", "0")))


def is_lost(error: BaseException) -> bool:
    """Tell whether an error of an exchange means that another process is gone, or did not come in time."""
    return isinstance(error, dist.DistError) or (isinstance(error, RuntimeError) and bool(_LOST.search(str(error))))


def leave() -> None:
    """Part in good order: all processes call it when all is done."""
    dist.barrier()
    dist.destroy_process_group()


def join(device: torch.device, seconds: Sequence[int] = (JOIN, WAIT)) -> Processes:
    """Meet the other processes of the run.

    Args:
        device: where this process computes; on the CPU gloo carries the tensors, on CUDA nccl.
        seconds: until all must be there, and that one may wait for another later.

    Raises:
        InputError: where PyTorch has no such backend, or the others are not found in time.
    """
    backend = "nccl" if device.type == "cuda" else "gloo"
    if not dist.is_available() or not dist.is_backend_available(backend):
        raise InputError(
            f"--device: this PyTorch has no {backend}, which processes on {device.type} need; "
            "give another device, or start one process"
        )
    if device.type == "cuda":
        torch.cuda.set_device(device)
    try:
        store, rank, count = next(dist.rendezvous("env://", timeout=timedelta(seconds=seconds[0])))
        dist.init_process_group(
            backend, store=store, rank=rank, world_size=count, timeout=timedelta(seconds=seconds[1])
        )
    except (RuntimeError, ValueError, OSError) as problem:
        first = str(problem).strip().splitlines()[0] if str(problem).strip() else type(problem).__name__
        raise InputError(
            f"processes: expected {os.environ['WORLD_SIZE']} that find each other within {seconds[0]} seconds, and "
            f"they did not ({first}); start them by torchrun, and check its rendezvous address"
        ) from problem
    return Processes(device, store=store)
