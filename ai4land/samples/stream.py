"""Windows of a region that does not fit into memory: workers open the store themselves, and read ahead."""

from collections.abc import Iterator, Sequence

import torch
from torch.utils.data import DataLoader, Dataset

from ai4land.samples.arrays import Batch
from ai4land.samples.windows import WindowSampler


class _Batches(Dataset):
    """Batches by number."""

    def __init__(self, sampler: WindowSampler, numbers: Sequence[int], count: int) -> None:
        self.sampler, self.numbers, self.count = sampler, numbers, count

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: int) -> tuple[Batch, torch.Tensor]:
        return self.sampler.draw(self.numbers[index], self.count)


def stream(
    sampler: WindowSampler, numbers: Sequence[int], count: int, workers: int
) -> Iterator[tuple[Batch, torch.Tensor]]:
    """Batches of a sampler in their order, drawn by worker processes.

    Parameters
    ----------
    sampler : WindowSampler
        Of a cube that was read with ``resident=False``, on the CPU.
    numbers : sequence of int
        Of the batches, as for `WindowSampler.draw`.
    count : int
        Windows in a batch.
    workers : int
        Processes; they are spawned, so none inherits an open file or a CUDA context.

    Raises
    ------
    RuntimeError
        If a worker was lost.
    """
    loader = DataLoader(
        _Batches(sampler, numbers, count), batch_size=None, num_workers=workers, multiprocessing_context="spawn"
    )
    try:
        yield from loader
    except RuntimeError as error:
        if "worker" not in str(error):
            raise
        raise RuntimeError(
            "a worker that reads windows was lost (killed, or out of memory); run the step again: it goes on from its "
            f"checkpoint. If it happens again, use fewer workers (now {workers})."
        ) from error
