"""Networks that vrseg builds itself: DeepLabV3+ on residual networks of bottlenecks.

Chen et al., "Encoder-Decoder with Atrous Separable Convolution for Semantic Image Segmentation",
2018, with plain convolutions; He et al., "Deep Residual Learning for Image Recognition", 2015, with
the stride in the 3x3 layer. The last stage keeps its input's size (output stride 16). All resizing
is by constant factors, so that the batch stays free in what is exported.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

EXPANSION = 4  # outputs of a bottleneck for each of its inner channels
OUTPUT_STRIDE = 16
ASPP_DILATIONS = (6, 12, 18)


@dataclass(frozen=True)
class Plan:
    """Sizes of a DeepLabV3+: blocks a stage, inner channels of the first stage, channels of the
    pyramid and the decoder, channels of the low-level branch."""

    blocks: tuple[int, int, int, int]
    width: int
    pyramid: int
    low: int


PLANS = {
    "deeplabv3plus-r50": Plan(blocks=(3, 4, 6, 3), width=64, pyramid=256, low=48),
    # Half as wide, for small sets of pictures and for CPUs: 7 million weights.
    "deeplabv3plus-small": Plan(blocks=(2, 3, 4, 2), width=32, pyramid=96, low=24),
    # For tests and for a first look at a set of pictures: 0.4 million weights.
    "deeplabv3plus-tiny": Plan(blocks=(1, 1, 1, 1), width=8, pyramid=32, low=8),
}


def conv_norm(inputs: int, outputs: int, kernel: int, stride: int = 1,
              dilation: int = 1) -> nn.Sequential:
    """A convolution that keeps the size (divided by the stride) and a batch norm."""
    padding = dilation * (kernel // 2)
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, padding, dilation, bias=False),
        nn.BatchNorm2d(outputs))


def conv_norm_relu(inputs: int, outputs: int, kernel: int, stride: int = 1,
                   dilation: int = 1) -> nn.Sequential:
    """conv_norm() and a ReLU."""
    return nn.Sequential(*conv_norm(inputs, outputs, kernel, stride, dilation),
                         nn.ReLU(inplace=True))


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 beside a short cut, which has a 1x1 of its own where the sizes differ."""

    def __init__(self, inputs: int, width: int, stride: int, dilation: int) -> None:
        super().__init__()
        outputs = width * EXPANSION
        self.reduce = conv_norm_relu(inputs, width, 1)
        self.spatial = conv_norm_relu(width, width, 3, stride, dilation)
        self.expand = conv_norm(width, outputs, 1)
        same = stride == 1 and inputs == outputs
        self.shortcut = nn.Identity() if same else conv_norm(inputs, outputs, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.expand(self.spatial(self.reduce(x))) + self.shortcut(x))


def stage(inputs: int, width: int, blocks: int, stride: int, dilation: int) -> nn.Sequential:
    """A stage of a residual network; `dilation` is that of all its blocks but the first, which
    stands where the stride was and looks at the undilated input."""
    layers = [Bottleneck(inputs, width, stride, 1)]
    layers += [Bottleneck(width * EXPANSION, width, 1, dilation) for _ in range(1, blocks)]
    return nn.Sequential(*layers)


class Pyramid(nn.Module):
    """Atrous spatial pyramid pooling: 1x1, three dilated 3x3 and the whole picture's mean, joined
    by a 1x1. `height` and `width` are those of its input."""

    def __init__(self, inputs: int, outputs: int, height: int, width: int) -> None:
        super().__init__()
        self.size = (height, width)
        self.branches = nn.ModuleList(
            [conv_norm_relu(inputs, outputs, 1)] +
            [conv_norm_relu(inputs, outputs, 3, dilation=rate) for rate in ASPP_DILATIONS])
        # No norm here: a batch of one would have a single value a channel.
        self.pool = nn.Sequential(nn.Conv2d(inputs, outputs, 1), nn.ReLU(inplace=True))
        self.join = conv_norm_relu(outputs * (len(ASPP_DILATIONS) + 2), outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        mean = self.pool(functional.adaptive_avg_pool2d(x, 1))
        spread = functional.interpolate(mean, scale_factor=self.size, mode="nearest")
        return self.join(torch.cat([branch(x) for branch in self.branches] + [spread], dim=1))


class DeepLabV3Plus(nn.Module):
    """N x 3 x height x width, normalised, to N x classes x height x width logits. Height and width
    are multiples of 16 and fixed when it is made."""

    def __init__(self, plan: Plan, classes: int, height: int, width: int) -> None:
        super().__init__()
        if height % OUTPUT_STRIDE or width % OUTPUT_STRIDE:
            raise ValueError(f"DeepLabV3+ wants a size of multiples of {OUTPUT_STRIDE}, and "
                             f"{width}x{height} is none")
        w = plan.width
        self.stem = nn.Sequential(*conv_norm_relu(3, w, 7, 2), nn.MaxPool2d(3, 2, 1))
        self.stage1 = stage(w, w, plan.blocks[0], 1, 1)
        self.stage2 = stage(w * EXPANSION, w * 2, plan.blocks[1], 2, 1)
        self.stage3 = stage(w * 2 * EXPANSION, w * 4, plan.blocks[2], 2, 1)
        self.stage4 = stage(w * 4 * EXPANSION, w * 8, plan.blocks[3], 1, 2)
        self.pyramid = Pyramid(w * 8 * EXPANSION, plan.pyramid, height // OUTPUT_STRIDE,
                               width // OUTPUT_STRIDE)
        self.low = conv_norm_relu(w * EXPANSION, plan.low, 1)
        self.decoder = nn.Sequential(conv_norm_relu(plan.pyramid + plan.low, plan.pyramid, 3),
                                     conv_norm_relu(plan.pyramid, plan.pyramid, 3))
        self.head = nn.Conv2d(plan.pyramid, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        low = self.stage1(self.stem(x))
        high = self.pyramid(self.stage4(self.stage3(self.stage2(low))))
        high = enlarge(high)
        scores = self.head(self.decoder(torch.cat([self.low(low), high], dim=1)))
        return enlarge(scores)


def enlarge(x: Tensor) -> Tensor:
    """Four times the size, bilinear, pixels as areas."""
    return functional.interpolate(x, scale_factor=4.0, mode="bilinear", align_corners=False)


def initialise(network: nn.Module) -> None:
    """Weights from the current seed: He's for convolutions, no bias."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def random_pictures(count: int, height: int, width: int) -> Tensor:
    """Normalised pictures from the current seed with something at every scale, as photographs
    have; white noise alone has next to nothing that a pooled layer sees."""
    total = torch.zeros(count, 3, height, width)
    side = 1
    while side <= min(height, width):
        noise = torch.randn(count, 3, side, side)
        total += functional.interpolate(noise, (height, width), mode="bilinear")
        side *= 2
    return (total - total.mean()) / total.std()


def settle(network: nn.Module, height: int, width: int) -> None:
    """Gives the norms of a network that was never trained the statistics of random pictures.

    Without, each residual block doubles the variance, and the values leave FP16's range as those of
    a trained network do not. Leaves the network in evaluation mode."""
    norms = [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over all batches
    network.train()
    with torch.no_grad():
        network(random_pictures(4, height, width))
    for norm, momentum in zip(norms, momenta):
        norm.momentum = momentum
    network.eval()


def build(name: str, classes: int, height: int, width: int) -> DeepLabV3Plus:
    """The network PLANS[name] with weights drawn from the current seed. ValueError: a size that is
    no multiple of 16."""
    network = DeepLabV3Plus(PLANS[name], classes, height, width)
    initialise(network)
    # By what comes in: with a handful of classes the other way gives enormous scores.
    nn.init.kaiming_normal_(network.head.weight, mode="fan_in", nonlinearity="relu")
    return network
