"""Inputs without end: samples of a file, images of a folder, random ones, or a camera."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from host import inputs
from host.errors import InputError, ToolMissingError
from host.model.graph import Graph

_KEPT_IMAGES = 256
CAMERA_HINT = "pip install opencv-python-headless"


@dataclass(frozen=True)
class Sample:
    """One input. `key` tells equal ones apart from others; None for a picture that will not come again."""

    name: str
    tensors: list[np.ndarray]
    label: int | None = None
    key: str | None = None


class Source:
    """`description` for people; iterating never ends. close() gives back what was taken."""

    description = ""

    def __iter__(self) -> Iterator[Sample]:
        raise NotImplementedError

    def close(self) -> None:
        """Nothing to give back, unless a subclass took something."""


def open_source(spec: str, graph: Graph, *, resize: bool = False) -> Source:
    """What --input of the monitor names: a file, a folder, random:SEED, or camera[:NUMBER].

    Raises InputError, and ToolMissingError for a camera without OpenCV.
    """
    if match := re.fullmatch(r"camera(?::(\d+))?", spec):
        return Camera(graph, int(match[1] or 0))
    if match := re.fullmatch(r"random:(\d+)", spec):
        return Random(graph, int(match[1]))
    if Path(spec).is_dir():
        return Folder(graph, Path(spec))
    return Fixed(inputs.load(spec, graph, resize=resize))


class Fixed(Source):
    """Samples that were read already, one after another, again and again."""

    def __init__(self, samples: inputs.Samples):
        self.description = samples.source
        self._samples = samples

    def __iter__(self) -> Iterator[Sample]:
        tensors, labels = self._samples.tensors, self._samples.labels
        name = self._samples.source
        while True:
            for i, sample in enumerate(tensors):
                shown = f"{name}[{i}]" if len(tensors) > 1 else name
                yield Sample(shown, sample, int(labels[i]) if labels is not None else None, str(i))


class Random(Source):
    """Another random input each time; the first is that of `host run --input random:SEED`."""

    def __init__(self, graph: Graph, seed: int):
        self.description = f"random:{seed} and on"
        self._graph, self._seed = graph, seed

    def __iter__(self) -> Iterator[Sample]:
        seed = self._seed
        while True:
            yield Sample(f"random:{seed}", inputs.random_inputs(self._graph, seed))
            seed += 1


class Folder(Source):
    """The images of a folder by name, again and again. Each is read when its turn comes; the last ones are kept."""

    def __init__(self, graph: Graph, folder: Path):
        self._graph = graph
        self._paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in inputs.IMAGE_SUFFIXES)
        if not self._paths:
            raise InputError(
                f"{folder}: no images in it",
                f"looked for names that end in {', '.join(inputs.IMAGE_SUFFIXES)}",
            )
        self.description = f"{len(self._paths)} images of {folder}"
        self._read = lru_cache(_KEPT_IMAGES)(self._read_one)

    def __iter__(self) -> Iterator[Sample]:
        while True:
            for path in self._paths:
                yield Sample(path.name, self._read(path), key=str(path))

    def _read_one(self, path: Path) -> list[np.ndarray]:
        return inputs.load(str(path), self._graph).tensors[0]


class Camera(Source):
    """What a camera sees now, cut to the input's shape around the middle, through OpenCV."""

    def __init__(self, graph: Graph, number: int):
        if len(graph.inputs) != 1:
            raise InputError(f"a camera gives one input; the network has {len(graph.inputs)}")
        self._graph, self._number = graph, number
        self._shape = graph.tensors[graph.inputs[0].tensor].shape
        inputs.image_size(self._shape)
        self.description = f"camera {number}"
        self._cv2 = _opencv()
        self._camera: Any = self._cv2.VideoCapture(number)
        if not self._camera.isOpened():
            raise InputError(
                f"camera {number} cannot be opened", "is it plugged in, and used by no other program?"
            )
        self._camera.set(self._cv2.CAP_PROP_BUFFERSIZE, 1)  # the newest picture, not the oldest that waits

    def __iter__(self) -> Iterator[Sample]:
        while True:
            there, picture = self._camera.read()
            if not there:
                raise InputError(f"camera {self._number} gives no more pictures", "was it unplugged?")
            pixels = self._cv2.cvtColor(picture, self._cv2.COLOR_BGR2RGB)
            tensors = inputs.from_arrays(
                [_middle(pixels, self._shape[1], self._shape[2])], self._graph, self.description, resize=True
            )
            yield Sample(self.description, tensors[0])

    def close(self) -> None:
        """Lets other programs use the camera."""
        self._camera.release()


def _opencv() -> Any:
    os.environ.setdefault(
        "OPENCV_LOG_LEVEL", "ERROR"
    )  # a camera that is not there is told by our error alone
    try:
        import cv2
    except ImportError as error:
        raise ToolMissingError("a camera needs OpenCV, which is not installed", CAMERA_HINT) from error
    return cv2


def _middle(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """The largest part around the middle whose sides are as height to width, so that nothing is distorted."""
    rows, columns = pixels.shape[:2]
    kept_rows = min(rows, max(1, columns * height // width))
    kept_columns = min(columns, max(1, rows * width // height))
    top, left = (rows - kept_rows) // 2, (columns - kept_columns) // 2
    return pixels[top : top + kept_rows, left : left + kept_columns]
