"""The network that `host run` uses when none is named, and images to show it; their origin is in README.md.

This module needs numpy alone; the others of the folder make the files and need the extra `train`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

MODEL = "digits.tflite"
IMAGES = "digits_test.npz"
# Printed by train.py; a file that has another hash is not the one whose accuracy README.md states.
MODEL_SHA256 = "87f83c4697f010eb01452d69b8386f871a3a7fc0653689359460f58e9bda3651"
CLASS_NAMES = tuple("0123456789")


def model_path() -> Path:
    """The int8 network: input int8 [1,32,32,1], output int8 [1,10], the probabilities of CLASS_NAMES."""
    return Path(__file__).parent / MODEL


def test_images() -> tuple[np.ndarray, np.ndarray]:
    """(x uint8 [n,32,32,1], y uint8 [n]): scans by writers that the network has never seen, and their digits.

    0 is paper and 255 is ink.
    """
    with np.load(Path(__file__).parent / IMAGES) as file:
        return file["x"], file["y"]


def to_input(x: np.ndarray) -> np.ndarray:
    """Pixels, uint8, as the network's int8 input: scale 1/255 and zero point -128 make it a shift by 128."""
    return (x ^ np.uint8(128)).view(np.int8)
