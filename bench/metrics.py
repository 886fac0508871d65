"""Figures for masks: person IoU and the flicker measure dtSSD.

IoU (Jaccard) of one picture: TP / (TP + FP + FN) on the person class alone; 1 where neither mask
has a person. Over a set it is the mean of the pictures, so that a large picture counts no more
than a small one.

dtSSD measures flicker that is not in the truth (Erofeev, Gitman, Vatolin, Fedorov, Wang:
"Perceptually Motivated Benchmark for Video Matting", BMVC 2015): with p_t the mask and g_t the
truth at frame t, both in 0..1,

    dtSSD = 100 / (T - 1) * sum over t = 1..T-1 of
            sqrt( mean over the pixels of ((p_t - p_{t-1}) - (g_t - g_{t-1}))^2 )

that is the root of the mean square of the difference in temporal gradients, per pair of frames,
averaged over the pairs and scaled by 100, as matting papers print it. The paper sums over pixels;
the mean makes figures of different sizes comparable. 0 is best.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def iou(mask: np.ndarray, truth: np.ndarray) -> float:
    """IoU of two boolean arrays of one shape."""
    union = np.count_nonzero(mask | truth)
    return 1.0 if union == 0 else np.count_nonzero(mask & truth) / union


def mean_iou(masks: Sequence[np.ndarray], truths: Sequence[np.ndarray]) -> float:
    """Mean over pictures; each mask a probability in 0..1, cut at 0.5."""
    return float(np.mean([iou(m > 0.5, t) for m, t in zip(masks, truths, strict=True)]))


def dtssd(masks: Sequence[np.ndarray], truths: Sequence[np.ndarray]) -> float:
    """dtSSD of a sequence: masks in 0..1, truths boolean, at least two frames."""
    if len(masks) < 2:
        raise ValueError("dtSSD wants at least two frames")
    total = 0.0
    for t in range(1, len(masks)):
        ours = masks[t].astype(np.float64) - masks[t - 1]
        theirs = truths[t].astype(np.float64) - truths[t - 1]
        total += float(np.sqrt(np.mean((ours - theirs) ** 2)))
    return 100 * total / (len(masks) - 1)
