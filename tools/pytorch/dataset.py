"""Pictures and masks at the training size, in memory as far as it goes, decoded by threads."""

import os
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from errors import UserError
from pictures import Pair, pairs_in, read_mask, read_rgb, resized

Sample = tuple[np.ndarray, np.ndarray]  # height x width x 3 codes, height x width of 0 and 1


class PairSet:
    """Pairs stretched to one size. What was decoded once is kept while it fits into `budget`
    bytes; more than that is decoded each time. `samples` come after the pairs and are in memory
    already. `pinned` batches go to a GPU without the host waiting for it. Not for several threads
    of the caller."""

    def __init__(self, pairs: list[Pair], width: int, height: int, budget: int,
                 pinned: bool = False, samples: Sequence[Sample] = ()) -> None:
        self.pairs = pairs
        self._samples = samples
        self._pinned = pinned
        self._size = (width, height)
        self._room = budget // (width * height * 4) - len(samples)
        self._kept: dict[int, Sample] = {}
        self._threads = ThreadPoolExecutor(min(16, os.cpu_count() or 1))
        self._ahead = ThreadPoolExecutor(1)

    def __len__(self) -> int:
        return len(self.pairs) + len(self._samples)

    def _decoded(self, index: int) -> Sample:
        """One pair, from memory or from its files."""
        if index >= len(self.pairs):
            return self._samples[index - len(self.pairs)]
        found = self._kept.get(index)
        if found is not None:
            return found
        width, height = self._size
        pair = self.pairs[index]
        codes, mask = read_rgb(pair.picture), read_mask(pair.mask)
        if codes.shape[:2] != mask.shape:
            raise UserError(f"{pair.mask}: is {mask.shape[1]}x{mask.shape[0]} and its picture "
                            f"{codes.shape[1]}x{codes.shape[0]}")
        cover = Image.fromarray(mask * np.uint8(255)).resize((width, height),
                                                             Image.Resampling.BOX)
        return resized(codes, width, height), (np.asarray(cover) > 127).astype(np.uint8)

    def batch(self, indices: list[int]) -> tuple[Tensor, Tensor]:
        """N x 3 x height x width codes and N x height x width of 0 and 1, both bytes."""
        samples = list(self._threads.map(self._decoded, indices))
        for index, sample in zip(indices, samples):
            if index < len(self.pairs) and len(self._kept) < self._room:
                self._kept.setdefault(index, sample)
        codes = torch.from_numpy(np.stack([sample[0] for sample in samples]))
        masks = torch.from_numpy(np.stack([sample[1] for sample in samples]))
        if self._pinned:
            codes, masks = codes.pin_memory(), masks.pin_memory()
        return codes.permute(0, 3, 1, 2), masks

    def ahead(self, indices: list[int]) -> "Future[tuple[Tensor, Tensor]]":
        """The same batch, made while the caller does something else."""
        return self._ahead.submit(self.batch, indices)


def clip_samples(clips: list[tuple[Path, Path]], width: int, height: int, every: int,
                 budget: int) -> list[Sample]:
    """One frame of `every` of videos, each with the video of its masks: decoded and resized by
    vrseg. UserError: what is wrong with them, or more than `budget` bytes."""
    try:
        from vrseg import TensorSpec, VrsegError
        from vrseg.datasets import FrameDataset
    except ImportError as error:
        raise UserError("--clip is read by vrseg's Python package, which is not installed here: "
                        "`make wheel`, and install it into this environment by pip "
                        f"({error})") from error
    data = FrameDataset([clip for clip, _ in clips], TensorSpec(width, height, bytes=True),
                        targets=[masks for _, masks in clips], every=every)
    samples: list[Sample] = []
    try:
        for codes, mask in data:
            samples.append((codes.numpy(), mask.numpy()))
            if len(samples) * width * height * 4 > budget:
                raise UserError("--clip: the frames take more than --memory; give a larger "
                                "--clip-every")
    except (VrsegError, ValueError) as error:
        raise UserError(f"--clip: {error}") from error
    return samples


def split(folder: Path, share: float) -> tuple[list[Pair], list[Pair]]:
    """A folder's pairs for training and, evenly among them, for checking."""
    pairs = pairs_in(folder)
    every = round(1 / share) if share > 0 else 0
    checked = pairs[every - 1::every] if every else []
    if every and not checked:
        raise UserError(f"{folder}: has {len(pairs)} pairs, too few to keep {share:g} of them for "
                        "checking; give --val DIR or a larger --val-share")
    left = set(checked)
    return [pair for pair in pairs if pair not in left], checked
