"""How well masks agree: intersection over union of the person class."""

import numpy as np

from descriptor import Descriptor
from pictures import enlarged, resized

THRESHOLD = 0.5


def iou(first: np.ndarray, second: np.ndarray) -> float:
    """Of two masks of 0 and 1; two empty ones agree."""
    first, second = first.astype(bool), second.astype(bool)
    union = np.count_nonzero(first | second)
    return np.count_nonzero(first & second) / union if union else 1.0


def network_input(d: Descriptor, codes: np.ndarray) -> np.ndarray:
    """One picture of any size as the network's input, a batch of one."""
    return d.normalised(resized(codes, d.width, d.height, d.resize)[np.newaxis])


def mask_at(mask: np.ndarray, height: int, width: int) -> np.ndarray:
    """Probabilities as a mask of 0 and 1 at the picture's size."""
    return enlarged(mask, height, width) > THRESHOLD
