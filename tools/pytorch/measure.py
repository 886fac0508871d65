"""How well masks agree: intersection over union of the person class."""

from collections.abc import Callable, Iterable

import numpy as np

from descriptor import Descriptor
from pictures import Pair, enlarged, read_mask, read_rgb, resized

THRESHOLD = 0.5
Network = Callable[[np.ndarray], np.ndarray]  # N x 3 x h x w to N x C x h x w


def iou(first: np.ndarray, second: np.ndarray) -> float:
    """Of two masks of 0 and 1; two empty ones agree."""
    first, second = first.astype(bool), second.astype(bool)
    union = np.count_nonzero(first | second)
    return np.count_nonzero(first & second) / union if union else 1.0


def network_input(d: Descriptor, codes: np.ndarray) -> np.ndarray:
    """One picture of any size as the network's input, a batch of one."""
    return d.normalised(resized(codes, d.width, d.height, d.resize)[np.newaxis])


def probability(d: Descriptor, network: Network, codes: np.ndarray) -> np.ndarray:
    """The network's probabilities of a person for one picture, at the network's size."""
    return d.person_mask(network(network_input(d, codes)))[0]


def mask_at(mask: np.ndarray, height: int, width: int) -> np.ndarray:
    """Probabilities as a mask of 0 and 1 at the picture's size."""
    return enlarged(mask, height, width) > THRESHOLD


def mean_iou(d: Descriptor, network: Network, pairs: Iterable[Pair]) -> float:
    """The mean over pairs of the IoU with the mask, at the mask's size."""
    values = []
    for pair in pairs:
        truth = read_mask(pair.mask)
        found = probability(d, network, read_rgb(pair.picture))
        values.append(iou(mask_at(found, *truth.shape), truth))
    return float(np.mean(values))
