"""The digit network in PyTorch: its shape, its training, and its layers with batch norm folded.

Depthwise-separable blocks as in MobileNet (Howard et al. 2017), two of them with a ResNet shortcut
(He et al. 2015) around the block, on 32x32 images.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from host.data.digits.images import Split

CLASSES = 10
STEM_CHANNELS = 16
# (output channels, stride of the 3x3 depthwise, shortcut around the block)
BLOCKS = ((24, 1, False), (32, 2, False), (32, 1, True), (64, 2, False), (64, 1, True))

EPOCHS = 100
BATCH = 64
LEARNING_RATE = 6e-3
WEIGHT_DECAY = 1e-3
LABEL_SMOOTHING = 0.05
# Random affine per image: radians, relative size, shear, share of the image's width.
ROTATION, SCALE, SHEAR, SHIFT = 0.15, 0.1, 0.1, 0.06
# The weights that we keep are a running mean over the steps, which generalises better than the last ones.
MEAN_DECAY = 0.99


def same_pad(x: Tensor, stride: int) -> Tensor:
    """TensorFlow's SAME for a 3x3 kernel on an even size: stride 2 pads at the bottom and the right alone."""
    return F.pad(x, (0, 1, 0, 1) if stride == 2 else (1, 1, 1, 1))


class Unit(nn.Module):
    """Convolution and batch norm; 3x3 with SAME padding or 1x1; the activation is the caller's."""

    def __init__(self, ic: int, oc: int, kernel: int, stride: int = 1, depthwise: bool = False):
        super().__init__()
        self.kernel, self.stride, self.depthwise = kernel, stride, depthwise
        self.conv = nn.Conv2d(ic, oc, kernel, stride, groups=ic if depthwise else 1, bias=False)
        self.norm = nn.BatchNorm2d(oc)

    def forward(self, x: Tensor) -> Tensor:
        """[n,ic,h,w] to [n,oc,h/stride,w/stride]."""
        return self.norm(self.conv(same_pad(x, self.stride) if self.kernel == 3 else x))

    def folded(self) -> tuple[np.ndarray, np.ndarray]:
        """Weights [oc, ic or 1, kh, kw] and bias [oc], float64, that do convolution and batch norm in one."""
        norm = self.norm
        gain = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
        weights = self.conv.weight.double() * gain[:, None, None, None]
        bias = norm.bias.double() - norm.running_mean.double() * gain
        return weights.detach().numpy(), bias.detach().numpy()


def _ignore(name: str, value: Tensor) -> None:
    """The tap of a forward pass that nobody watches."""


class DigitNet(nn.Module):
    """[n,1,32,32], 0..1, to logits [n,10]."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = Unit(1, STEM_CHANNELS, 3, stride=2)
        self.depthwise, self.pointwise = nn.ModuleList(), nn.ModuleList()
        ic = STEM_CHANNELS
        for oc, stride, _ in BLOCKS:
            self.depthwise.append(Unit(ic, ic, 3, stride, depthwise=True))
            self.pointwise.append(Unit(ic, oc, 1))
            ic = oc
        self.classifier = nn.Linear(ic, CLASSES)

    def forward(self, x: Tensor, tap: Callable[[str, Tensor], None] = _ignore) -> Tensor:
        """Logits; `tap` sees every tensor that the int8 network will store, by the name it has there."""
        x = F.relu(self.stem(x))
        tap("stem", x)
        for i, (_, _, shortcut) in enumerate(BLOCKS):
            before = x
            x = F.relu(self.depthwise[i](x))
            tap(f"block{i}/depthwise", x)
            x = self.pointwise[i](x)
            if shortcut:
                tap(f"block{i}/pointwise", x)
                x = F.relu(x + before)
                tap(f"block{i}/add", x)
            else:
                x = F.relu(x)
                tap(f"block{i}/pointwise", x)
        logits = self.classifier(x.mean((2, 3)))
        tap("logits", logits)
        return logits


@dataclass(frozen=True)
class Affine:
    """A source of random small affine transforms."""

    random: torch.Generator

    def __call__(self, x: Tensor) -> Tensor:
        """[n,1,h,w] to the same, each image turned, stretched, sheared and moved by its own amount."""
        n = len(x)

        def spread(width: float) -> Tensor:
            return (torch.rand(n, generator=self.random) * 2 - 1) * width

        angle, shear = spread(ROTATION), spread(SHEAR)
        sx, sy = 1 + spread(SCALE), 1 + spread(SCALE)
        dx, dy = spread(2 * SHIFT), spread(2 * SHIFT)
        cos, sin = torch.cos(angle), torch.sin(angle)
        theta = torch.stack(
            [
                torch.stack([cos * sx, (shear * cos - sin) * sy, dx], 1),
                torch.stack([sin * sx, (shear * sin + cos) * sy, dy], 1),
            ],
            1,
        )
        return F.grid_sample(x, F.affine_grid(theta, list(x.shape), align_corners=False), align_corners=False)


def to_input(x: np.ndarray) -> Tensor:
    """uint8 [n,32,32,1] to float32 [n,1,32,32], 0..1."""
    return torch.from_numpy(x.astype(np.float32) / 255).permute(0, 3, 1, 2).contiguous()


def accuracy(net: DigitNet, split: Split) -> float:
    """Share of the split's images that the float network classifies right."""
    with torch.no_grad():
        return float((net(to_input(split.x)).argmax(1).numpy() == split.y).mean())


def train(split: Split, seed: int, log: Callable[[str], None] = print) -> DigitNet:
    """A network trained on the split, in evaluation mode.

    One thread and one seed: the order of float sums, hence every weight, is the same in every run.
    """
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(seed)
    random = torch.Generator().manual_seed(seed)
    net, augment = DigitNet(), Affine(random)
    mean = torch.optim.swa_utils.AveragedModel(
        net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(MEAN_DECAY), use_buffers=True
    )
    x, y = to_input(split.x), torch.from_numpy(split.y.astype(np.int64))
    steps = math.ceil(len(split) / BATCH) * EPOCHS
    optimiser = torch.optim.AdamW(net.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=steps, pct_start=0.1)
    for epoch in range(EPOCHS):
        total = 0.0
        for batch in torch.randperm(len(split), generator=random).split(BATCH):
            logits = net(augment(x[batch]))
            loss = F.cross_entropy(logits, y[batch], label_smoothing=LABEL_SMOOTHING)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            mean.update_parameters(net)
            total += loss.item() * len(batch)
        if (epoch + 1) % 20 == 0:
            log(f"epoch {epoch + 1:3} of {EPOCHS}: loss {total / len(split):.4f}")
    return mean.module.eval()
