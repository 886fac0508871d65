"""Augmentation of a batch where the batch is, on the GPU as on the CPU: geometry of pictures and
masks alike, then light and colour of the pictures. All random numbers come from one generator, so
that a step's pictures depend on its seed alone."""

import math

import torch
from torch import Tensor
from torch.nn import functional

SCALE = (-0.45, 0.35)  # natural logarithms: 0.64 to 1.42 of the picture is seen
ASPECT = 0.15
ROTATION = math.radians(12)
SHIFT = 0.15  # of the half picture
BRIGHTNESS, CONTRAST, SATURATION, TINT = 0.25, 0.3, 0.4, 0.08
GREY_SHARE, BLUR_SHARE, NOISE = 0.05, 0.25, 0.03
LUMA = (0.299, 0.587, 0.114)


def between(low: float, high: float, values: Tensor) -> Tensor:
    """Numbers in 0..1 spread over low..high."""
    return low + (high - low) * values


def transforms(count: int, random: torch.Generator, device: torch.device) -> Tensor:
    """Count x 2 x 3 matrices from places in the result to places in the source, in -1..1."""
    u = torch.rand(6, count, generator=random, device=device)
    flip = torch.where(u[0] < 0.5, 1.0, -1.0)
    scale = torch.exp(between(*SCALE, u[1]))
    aspect = torch.exp(between(-ASPECT, ASPECT, u[2]))
    angle = between(-ROTATION, ROTATION, u[3])
    sine, cosine = torch.sin(angle), torch.cos(angle)
    shift = between(-SHIFT, SHIFT, u[4:6])
    across = torch.stack([flip * scale * aspect * cosine, -scale * aspect * sine, shift[0]], dim=1)
    down = torch.stack([flip * scale / aspect * sine, scale / aspect * cosine, shift[1]], dim=1)
    return torch.stack([across, down], dim=1)


def recoloured(pictures: Tensor, random: torch.Generator) -> Tensor:
    """Light, contrast, saturation, tint, blur and noise of N x 3 x h x w in 0..1."""
    count, device = len(pictures), pictures.device

    def each(width: int = 1) -> Tensor:
        return torch.rand(count, width, 1, 1, generator=random, device=device)

    luma = pictures.new_tensor(LUMA).view(1, 3, 1, 1)
    grey = (pictures * luma).sum(dim=1, keepdim=True)
    saturation = between(1 - SATURATION, 1 + SATURATION, each())
    saturation = torch.where(each() < GREY_SHARE, 0.0, saturation)
    pictures = grey + (pictures - grey) * saturation
    contrast = between(1 - CONTRAST, 1 + CONTRAST, each())
    mean = grey.mean(dim=(2, 3), keepdim=True)
    pictures = mean + (pictures - mean) * contrast
    pictures = pictures * between(1 - TINT, 1 + TINT, each(3))
    pictures = pictures + between(-BRIGHTNESS, BRIGHTNESS, each())
    blurred = functional.avg_pool2d(pictures, 3, 1, 1, count_include_pad=False)
    pictures = torch.where(each() < BLUR_SHARE, blurred, pictures)
    noise = torch.randn(pictures.shape, generator=random, device=device)
    return (pictures + noise * (NOISE * each())).clamp(0, 1)


def augmented(codes: Tensor, masks: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """N x 3 x h x w and N x h x w bytes as pictures in 0..1 and masks of 0 and 1, FP32. Outside of
    a picture it is mirrored, with its mask."""
    matrices = transforms(len(codes), random, codes.device)
    both = torch.cat([codes.float() / 255, masks.unsqueeze(1).float()], dim=1)
    grid = functional.affine_grid(matrices, list(both.shape), align_corners=False)
    both = functional.grid_sample(both, grid, mode="bilinear", padding_mode="reflection",
                                  align_corners=False)
    return recoloured(both[:, :3], random), (both[:, 3] > 0.5).float()
