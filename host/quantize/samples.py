"""Samples for calibration and comparison, as real numbers.

A .npy or .npz file as `host run --input` takes it, an image, or a folder of images. Floats are taken as they are.
Pixels (uint8) are spread over the input's range, 0 to 255 unless another is given: so the int8 network's input is
the pixel minus 128, which is what `host run` makes of images.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from host.errors import InputError, QuantizeError
from host.inputs import IMAGE_SUFFIXES, as_batch, read_arrays, read_image, resize_batch
from host.model.graph import Graph
from host.quantize.ranges import Range

PIXEL_RANGE = (0.0, 255.0)


@dataclass(frozen=True)
class FloatSamples:
    """`tensors[i][k]` is input k of sample i, float32; `pixels` tells the inputs (by place) that came as uint8."""

    tensors: list[list[np.ndarray]]
    labels: np.ndarray | None
    source: str
    pixels: tuple[int, ...] = ()


def load(
    source: str, graph: Graph, pixel_range: Range | None = None, *, resize: bool = False
) -> FloatSamples:
    """The samples that a file or folder holds. Raises InputError for what is no sample of the network."""
    path = Path(source)
    labels = None
    if path.is_dir():
        files = sorted(p for p in path.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)
        if not files:
            raise QuantizeError(f"{source}: there are no images in this folder")
        arrays = [_images(files, graph)]
    elif not path.is_file():
        raise InputError(f"no samples {source!r}", "give a .npy, .npz or image file, or a folder of images")
    elif path.suffix.lower() in IMAGE_SUFFIXES:
        arrays = [_images([path], graph)]
    else:
        arrays, labels = read_arrays(path, [border.name for border in graph.inputs])
    return from_arrays(arrays, graph, path.name, labels, pixel_range, resize=resize)


def from_arrays(
    arrays: list[np.ndarray],
    graph: Graph,
    source: str = "arrays",
    labels: np.ndarray | None = None,
    pixel_range: Range | None = None,
    *,
    resize: bool = False,
) -> FloatSamples:
    """Samples from one array an input, each one sample or a batch. Raises InputError; QuantizeError for none."""
    by_input, pixels = [], []
    for place, (array, border) in enumerate(zip(arrays, graph.inputs, strict=True)):
        name = source if len(arrays) == 1 else f"{source}, {border.name}"
        shape = graph.tensors[border.tensor].shape
        if array.ndim and not len(array):
            raise QuantizeError(f"{name}: there are no samples in it")
        if resize and array.dtype == np.uint8:
            array = resize_batch(array, shape, name)
        batch = as_batch(array, shape, name, border)
        if array.dtype == np.uint8:
            low, high = pixel_range or PIXEL_RANGE
            batch = low + batch * ((high - low) / 255)
            pixels.append(place)
        elif array.dtype.kind != "f":
            raise InputError(f"{name}: holds {array.dtype}; samples are floats, or images (uint8)")
        if not np.isfinite(batch).all():
            raise InputError(f"{name}: holds values that are no finite numbers")
        by_input.append(batch.astype(np.float32))
    counts = {len(batch) for batch in by_input}
    if len(counts) > 1:
        raise InputError(f"{source}: the inputs have different numbers of samples, {sorted(counts)}")
    tensors = [list(sample) for sample in zip(*by_input, strict=True)]
    return FloatSamples(tensors, labels, source, tuple(pixels))


def _images(files: list[Path], graph: Graph) -> np.ndarray:
    if len(graph.inputs) != 1:
        raise InputError(f"images are one input; the network has {len(graph.inputs)}")
    return np.concatenate([read_image(f, graph.tensors[graph.inputs[0].tensor].shape) for f in files])
