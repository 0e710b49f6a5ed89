"""scikit-learn's handwritten digits as 32x32 images, split between writers.

The 1797 images are the test part of UCI's "Optical Recognition of Handwritten Digits": 13 people who filled
in a form each, form after form. Neighbours in the file therefore share a hand, and a shuffled split would
test on writers that the network has trained on. We cut between forms instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from sklearn.datasets import load_digits

# Forms begin at 0 130 256 386 516 646 776 915 1029 1157 1287 1415 1545 1667: all copy the same digits, and
# begin with 0123456789 three times (once or twice on two of them). UCI counts 13 people, these are 14.
VALIDATION_BEGIN = 1157
TEST_BEGIN = 1415


@dataclass(frozen=True)
class Split:
    """x: uint8 [n,32,32,1], 0 is paper and 255 is ink; y: uint8 [n], the digit."""

    x: np.ndarray
    y: np.ndarray

    def __len__(self) -> int:
        return len(self.y)


def upsample(images: np.ndarray) -> np.ndarray:
    """[n,8,8] counts of ink, 0..16, to uint8 [n,32,32,1]: bilinear with half-pixel centres, edges repeated.

    Four pixels a source pixel put every weight on a multiple of 1/8, so integers give the exact result,
    the same on every machine.
    """
    eighths = np.zeros((32, 8), np.int64)
    for o in range(32):
        left, part = divmod(2 * o - 3, 8)
        eighths[o, max(left, 0)] += 8 - part
        eighths[o, min(left + 1, 7)] += part
    sums = eighths @ images.astype(np.int64) @ eighths.T  # 16 * 64 is full ink
    return ((sums * 255 + 512) // 1024).astype(np.uint8)[..., None]


def load() -> tuple[Split, Split, Split]:
    """(train, validation, test), in the data set's order."""
    digits = load_digits()
    x, y = upsample(digits.images), digits.target.astype(np.uint8)
    cuts = (0, VALIDATION_BEGIN, TEST_BEGIN, len(y))
    train, validation, test = (Split(x[a:b], y[a:b]) for a, b in pairwise(cuts))
    return train, validation, test
