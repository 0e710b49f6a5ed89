"""The convolutions of ResNet-18 and SqueezeNet 1.0, each shape once, for pictures of 224x224.

Sources: He et al. 2015, table 1; Iandola et al. 2016, table 1 (its images behind the pools: 55, 27, 13). Padding is
SAME everywhere, as in the papers but for SqueezeNet's first layer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from host.bench.case import Case, stride_text
from host.bench.cases import conv


@dataclass(frozen=True)
class Shape:
    """A convolution with a square image and kernel. `layer` is its first name in the network."""

    network: str
    layer: str
    size: int
    in_c: int
    out_c: int
    kernel: int
    stride: int = 1

    @property
    def out_size(self) -> int:
        """Rows and columns of the output."""
        return -(-self.size // self.stride)

    @property
    def window(self) -> int:
        """Inputs of one output, which is also the matrix product's depth."""
        return self.kernel * self.kernel * self.in_c

    @property
    def weights(self) -> int:
        """How many there are."""
        return self.window * self.out_c

    @property
    def activations(self) -> int:
        """Elements of input and output."""
        return self.size**2 * self.in_c + self.out_size**2 * self.out_c

    @property
    def macs(self) -> int:
        """Multiply-accumulates."""
        return self.out_size**2 * self.weights

    @property
    def matrix_bytes(self) -> int:
        """The whole matrix that im2col makes where it gathers all windows first."""
        return self.out_size**2 * self.window

    @property
    def pointwise(self) -> bool:
        """Whether the image is the matrix already."""
        return self.kernel == self.stride == 1

    def __str__(self) -> str:
        """As it stands in tables: 3x3 s2 56x56 64->128."""
        k, n = self.kernel, self.size
        return f"{k}x{k}{stride_text(self.stride)} {n}x{n} {self.in_c}->{self.out_c}"

    def case(self) -> Case:
        """For the bench."""
        return conv(self.size, self.size, self.in_c, self.out_c, (self.kernel, self.kernel), self.stride)

    def product(self, rows: int) -> Case:
        """The matrix product alone, on so many rows of output pixels whose windows are gathered already."""
        return conv(rows, self.out_size, self.window, self.out_c)

    def smaller(self, channels: bool) -> Shape | None:
        """With half the channels, or else half the image; None if there is nothing to halve."""
        if channels:
            halved = replace(
                self, in_c=self.in_c // 2 if self.in_c > 4 else self.in_c, out_c=(self.out_c + 1) // 2
            )
        else:
            halved = replace(self, size=(self.size + 1) // 2)
        return halved if halved != self else None


def _resnet18() -> list[Shape]:
    shapes = [Shape("resnet18", "conv1", 224, 3, 64, 7, 2), Shape("resnet18", "conv2_x", 56, 64, 64, 3)]
    for stage, (size, in_c) in enumerate(((56, 64), (28, 128), (14, 256)), 3):
        layer = f"conv{stage}_x"
        shapes += [
            Shape("resnet18", f"{layer} first", size, in_c, 2 * in_c, 3, 2),
            Shape("resnet18", f"{layer} shortcut", size, in_c, 2 * in_c, 1, 2),
            Shape("resnet18", layer, size // 2, 2 * in_c, 2 * in_c, 3),
        ]
    return shapes


# Of each fire module: image, input channels, squeezed, expanded by 1x1 and by 3x3.
_FIRES = (
    (55, 96, 16, 64), (55, 128, 16, 64), (55, 128, 32, 128), (27, 256, 32, 128),
    (27, 256, 48, 192), (27, 384, 48, 192), (27, 384, 64, 256), (13, 512, 64, 256),
)  # fmt: skip


def _squeezenet() -> list[Shape]:
    name = "squeezenet1.0"
    shapes = [Shape(name, "conv1", 224, 3, 96, 7, 2)]
    for number, (size, in_c, squeezed, expanded) in enumerate(_FIRES, 2):
        shapes += [
            Shape(name, f"fire{number} squeeze", size, in_c, squeezed, 1),
            Shape(name, f"fire{number} expand 1x1", size, squeezed, expanded, 1),
            Shape(name, f"fire{number} expand 3x3", size, squeezed, expanded, 3),
        ]
    return [*shapes, Shape(name, "conv10", 13, 512, 1000, 1)]


def all_shapes() -> list[Shape]:
    """Both networks' distinct convolutions, in the order of the networks."""
    distinct: dict[tuple[str, str], Shape] = {}
    for shape in (*_resnet18(), *_squeezenet()):
        distinct.setdefault((shape.network, str(shape)), shape)
    return list(distinct.values())
