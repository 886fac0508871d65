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


def edge_of(mask: np.ndarray) -> np.ndarray:
    """The mask's pixels that touch one outside of it; beyond the picture it goes on."""
    wide = np.pad(mask, 1, "edge")
    inner = wide[1:-1, 1:-1]
    for rows, columns in ((0, 1), (2, 1), (1, 0), (1, 2)):
        inner = inner & wide[rows:rows + mask.shape[0], columns:columns + mask.shape[1]]
    return mask & ~inner


def near(mask: np.ndarray, radius: int) -> np.ndarray:
    """The pixels within `radius` of one of the mask."""
    height, width = mask.shape
    wide = np.zeros((height + 2 * radius, width + 2 * radius), bool)
    for dy in range(-radius, radius + 1):
        for dx in range(-radius, radius + 1):
            if dx * dx + dy * dy <= radius * radius:
                wide[radius + dy:radius + dy + height, radius + dx:radius + dx + width] |= mask
    return wide[radius:radius + height, radius:radius + width]


def boundary_f(mask: np.ndarray, truth: np.ndarray) -> float:
    """F measure of the edges of two boolean masks, as DAVIS has it: an edge pixel counts as right
    within 0.8 % of the picture's diagonal of the other edge; 1 where neither has an edge."""
    radius = max(1, int(np.ceil(0.008 * np.hypot(*mask.shape))))
    ours, theirs = edge_of(mask), edge_of(truth)
    if not ours.any() or not theirs.any():
        return float(ours.any() == theirs.any())
    precision = np.count_nonzero(ours & near(theirs, radius)) / np.count_nonzero(ours)
    recall = np.count_nonzero(theirs & near(ours, radius)) / np.count_nonzero(theirs)
    return 0.0 if precision + recall == 0 else 2 * precision * recall / (precision + recall)


def flicker(before: np.ndarray, now: np.ndarray, counts: np.ndarray) -> float:
    """100 times the mean of |now - before| over the pixels that count: those whose truth is the
    same in both frames. What moves by a known amount is moved back by the caller."""
    return 100 * float(np.mean(np.abs(now - before)[counts])) if counts.any() else 0.0


def area_difference(left: np.ndarray, right: np.ndarray) -> float:
    """How much the areas of both eyes' masks differ, as a share of the larger one."""
    areas = float(left.sum()), float(right.sum())
    return abs(areas[0] - areas[1]) / max(*areas, 1e-9)
