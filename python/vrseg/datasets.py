"""Frames of videos and folders for training with PyTorch."""

from __future__ import annotations

import itertools
import os
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Union

import numpy as np
import torch
from torch.utils.data import IterableDataset, get_worker_info

from .config import ConfigLike, Model
from .reader import Reader, TensorSpec, spread

PathLike = Union[str, "os.PathLike[str]"]
_END = object()


class FrameDataset(IterableDataset):  # type: ignore[type-arg]
    """Frames of `inputs` (videos, folders of pictures) as tensors for a network: decoded and
    preprocessed by vrseg without the interpreter's lock, `ahead` of who takes them, by a thread.

    `spec` is a TensorSpec or a model. `targets`: a mask for each frame, videos or folders beside the
    inputs; items are then pairs (tensor, mask), the mask (height, width) of 0 and 1 in uint8: what
    of a pixel is at least half white. `every`: one frame of so many. `transform` is called with each
    item, by the thread. Workers of a DataLoader take an input each. ValueError: an input and its
    target have another number of frames."""

    def __init__(self, inputs: Sequence[PathLike], spec: TensorSpec | str | PathLike | Model, *,
                 targets: Sequence[PathLike] | None = None, every: int = 1, ahead: int = 8,
                 config: ConfigLike = None, transform: Callable[[Any], Any] | None = None) -> None:
        super().__init__()
        if targets is not None and len(targets) != len(inputs):
            raise ValueError(f"{len(inputs)} inputs have {len(targets)} targets")
        if every < 1 or ahead < 1:
            raise ValueError("every and ahead are 1 and more")
        self.spec = spec if isinstance(spec, TensorSpec) else TensorSpec.of_model(spec)
        self.items = list(zip(inputs, targets or itertools.repeat(None)))
        self.every, self.ahead, self.config, self.transform = every, ahead, config, transform

    def __iter__(self) -> Iterator[Any]:
        worker = get_worker_info()
        mine = self.items if worker is None else spread(self.items, worker.id, worker.num_workers)
        made: "queue.Queue[Any]" = queue.Queue(self.ahead)
        stop = threading.Event()
        thread = threading.Thread(target=self._fill, args=(mine, made, stop), daemon=True)
        thread.start()
        try:
            while (item := made.get()) is not _END:
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            stop.set()
            thread.join()

    def _fill(self, items: list[Any], made: "queue.Queue[Any]", stop: threading.Event) -> None:
        """The thread: puts items, then the end or what went wrong."""
        try:
            for source, target in items:
                for item in self._read(source, target):
                    if not _put(made, item, stop):
                        return
            _put(made, _END, stop)
        except BaseException as error:
            _put(made, error, stop)

    def _read(self, source: PathLike, target: PathLike | None) -> Iterator[Any]:
        """One input's items."""
        mask_spec = TensorSpec(self.spec.width, self.spec.height, bytes=True,
                               letterbox=self.spec.letterbox)
        with Reader(source, self.config) as frames:
            masks = Reader(target, self.config) if target is not None else None
            for number in itertools.count():
                frame = frames.read_tensor(self.spec)
                mask = masks.read_tensor(mask_spec) if masks is not None else None
                if masks is not None and (frame is None) != (mask is None):
                    raise ValueError(f"{source} and {target} have another number of frames")
                if frame is None:
                    return
                if number % self.every == 0:
                    yield self._item(frame, mask)

    def _item(self, frame: np.ndarray, mask: np.ndarray | None) -> Any:
        tensor = torch.from_numpy(frame)
        item = tensor if mask is None else \
            (tensor, torch.from_numpy((mask[:, :, 0] >= 128).astype(np.uint8)))
        return item if self.transform is None else self.transform(item)


def _put(made: "queue.Queue[Any]", item: Any, stop: threading.Event) -> bool:
    """False: nobody takes items any more."""
    while not stop.is_set():
        try:
            made.put(item, timeout=0.05)
            return True
        except queue.Full:
            continue
    return False
