"""Sizes of sliding windows: from how a user says padding to explicit padding and the output's size.

Padding is SAME or VALID as TensorFlow has them, a number of elements at each side as PyTorch has it, or a
`Padding`. Errors are NetworkError and name the numbers that do not fit.
"""

from __future__ import annotations

from numbers import Integral

from host.errors import NetworkError
from host.model.graph import Padding
from host.model.tflite_write import same_padding

Pair = tuple[int, int]
SCHEMES = ("SAME", "VALID")


def pair(value: int | Pair, what: str, least: int = 1) -> Pair:
    """(vertical, horizontal) of one number or two, none below `least`."""
    both = (value, value) if isinstance(value, Integral) else tuple(value)
    if len(both) != 2 or any(not isinstance(n, Integral) or n < least for n in both):
        raise NetworkError(f"{what} {value!r}: needs one whole number or two, {least} or more")
    return int(both[0]), int(both[1])


def window(
    size: Pair, kernel: Pair, stride: Pair, dilation: Pair, padding: str | int | Padding
) -> tuple[Padding, Pair]:
    """(padding, output size) of a window that slides over an image of `size`.

    Padding reaches no further than the kernel: every window sees a part of the image.
    """
    extent = tuple((k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True))
    if padding == "SAME":
        sides = [same_padding(*axis) for axis in zip(size, kernel, stride, dilation, strict=True)]
        padding = Padding(*sides[0], *sides[1])
    else:
        padding = _explicit(padding, extent)
    total = (padding.top + padding.bottom, padding.left + padding.right)
    out = [(n + p - e) // s + 1 for n, p, e, s in zip(size, total, extent, stride, strict=True)]
    if min(out) < 1:
        raise NetworkError(
            f"a kernel of {extent[0]}x{extent[1]} does not fit an image of {size[0]}x{size[1]}"
            + (f" with padding of {total[0]}x{total[1]}" if any(total) else ""),
            'padding="SAME" makes room',
        )
    return padding, (out[0], out[1])


def transposed_window(
    size: Pair, kernel: Pair, stride: Pair, padding: str | int | Padding, output_padding: Pair
) -> tuple[Padding, Pair]:
    """(padding, output size) of a transposed convolution.

    SAME gives size * stride, VALID every position that a product reaches, at least `stride` for each input (both
    TensorFlow's); explicit padding cuts that off at each side, and output padding, less than the stride, adds to
    the bottom and the right (PyTorch's).
    """
    full = [(n - 1) * s + k for n, s, k in zip(size, stride, kernel, strict=True)]
    if padding in SCHEMES:
        if any(output_padding):
            raise NetworkError("output padding goes with explicit padding", "give padding as a number")
        grown = [n * s for n, s in zip(size, stride, strict=True)]
        out = grown if padding == "SAME" else [max(f, n) for f, n in zip(full, grown, strict=True)]
        sides = [
            (max(f - o, 0) // 2, max(f - o, 0) - max(f - o, 0) // 2) for f, o in zip(full, out, strict=True)
        ]
        return Padding(*sides[0], *sides[1]), (out[0], out[1])
    explicit = _explicit(padding, kernel)
    if any(p >= s for p, s in zip(output_padding, stride, strict=True)):
        raise NetworkError(f"output padding {output_padding} must be less than the stride {stride}")
    cut = (explicit.top + explicit.bottom, explicit.left + explicit.right)
    out = [f - c + p for f, c, p in zip(full, cut, output_padding, strict=True)]
    if min(out) < 1:
        raise NetworkError(f"padding {cut} leaves nothing of an output of {full[0]}x{full[1]}")
    return explicit, (out[0], out[1])


def _explicit(padding: str | int | Padding, extent: Pair) -> Padding:
    """Padding as a Padding, checked against what the kernel reaches."""
    if padding == "VALID":
        return Padding()
    if isinstance(padding, int):
        padding = Padding(padding, padding, padding, padding)
    if not isinstance(padding, Padding):
        raise NetworkError(f"padding {padding!r}: give SAME, VALID, a number or a Padding")
    vertical, horizontal = (padding.top, padding.bottom), (padding.left, padding.right)
    if min(*vertical, *horizontal) < 0:
        raise NetworkError(f"{padding} is negative")
    if max(vertical) >= extent[0] or max(horizontal) >= extent[1]:
        raise NetworkError(
            f"{padding} reaches further than a kernel of {extent[0]}x{extent[1]}", "use pad() before it"
        )
    return padding
