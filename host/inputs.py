"""Turns what a user names with --input into int8 tensors, and says what the right answers are if the file does.

Forms: `random:SEED`; `.npy` or `.npz` (array `x`, or the only one; labels in `y`); `.png`, `.jpg` and whatever
else Pillow opens. An array is one sample of the network's shape, or a batch of them with one dimension more.

Dtypes: int8 is taken as it is. uint8 is an image or an unsigned tensor: q = value - 128. For networks quantised
on pixels (zero point and scale chosen so that -128..127 spans the pixel range, as all do) that is the network's
own quantisation. float32 and float64 are quantised with the input's scale and zero point.
"""

from __future__ import annotations

import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from host.errors import InputError
from host.model.graph import Border, Graph, Tensor
from host.oracle.run import quantize_input

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")


@dataclass
class Samples:
    """`tensors[i]` is the int8 input of sample i; `labels` the right classes, if known; `source` for people."""

    tensors: list[np.ndarray]
    labels: np.ndarray | None
    source: str


def load(spec: str, graph: Graph, *, resize: bool = False) -> Samples:
    """The samples that `spec` names, for a network with one input.

    Raises InputError if the file is missing, unreadable or of the wrong shape. With `resize`, arrays of images
    are resized as image files are.
    """
    if len(graph.inputs) != 1:
        raise InputError(
            f"the network has {len(graph.inputs)} inputs; only networks with one input can be run from the command line"
        )
    border = graph.inputs[0]
    tensor = graph.tensors[border.tensor]
    if spec.startswith("random:"):
        return Samples([_random(spec, tensor)], None, spec)
    path = Path(spec)
    if not path.is_file():
        raise InputError(f"no input file {spec!r}", "give a .npy, .npz, .png or .jpg file, or random:SEED")
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return Samples([_image_file(path, tensor)], None, path.name)
    if path.suffix.lower() not in (".npy", ".npz"):
        raise InputError(f"{path.name}: input files are .npy, .npz, .png or .jpg")
    array, labels = _read_arrays(path)
    return Samples(from_array(array, graph, border, path.name, resize=resize), labels, path.name)


def from_array(
    array: np.ndarray, graph: Graph, border: Border, name: str, *, resize: bool = False
) -> list[np.ndarray]:
    """int8 tensors of the border's shape from an array of one sample or of a batch."""
    tensor = graph.tensors[border.tensor]
    if resize and array.dtype == np.uint8:
        array = _resize_batch(array, tensor.shape, name)
    batch = _as_batch(array, tensor.shape, name)
    if array.dtype == np.uint8:
        quantised = (batch.astype(np.int16) - 128).astype(np.int8)
    elif array.dtype == np.int8 and not tensor.unsigned:
        quantised = batch
    elif array.dtype.kind == "f":
        floats = Border(border.tensor, border.name, np.dtype(np.float32))
        quantised = [quantize_input(graph, floats, sample.astype(np.float32)) for sample in batch]
    else:
        wanted = "uint8" if tensor.unsigned else "int8"
        raise InputError(f"{name}: holds {array.dtype}; the network takes {wanted}, images (uint8) or floats")
    return [np.ascontiguousarray(q) for q in quantised]


def _random(spec: str, tensor: Tensor) -> np.ndarray:
    match = re.fullmatch(r"random:(\d+)", spec)
    if not match:
        raise InputError(f"{spec!r}: the seed must be a number, as in random:1")
    rng = np.random.default_rng(int(match[1]))
    return rng.integers(-128, 128, tensor.shape, dtype=np.int8)


def _read_arrays(path: Path) -> tuple[np.ndarray, np.ndarray | None]:
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded, None
        with loaded:
            names = list(loaded.files)
            if "x" not in names and len(names) != 1:
                raise InputError(f"{path.name}: needs an array named x; it has {', '.join(names) or 'none'}")
            array = loaded["x" if "x" in names else names[0]]
            labels = loaded["y"] if "y" in names else None
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, KeyError) as error:
        raise InputError(f"{path.name}: not a readable numpy file ({error})") from error
    if labels is not None and (labels.ndim != 1 or len(labels) != len(array)):
        labels = None
    return array, labels


def _as_batch(array: np.ndarray, shape: tuple[int, ...], name: str) -> np.ndarray:
    """[samples, *shape] from what people store: with or without the batch dimension of 1, one sample or many."""
    sample = shape[1:] if len(shape) > 1 and shape[0] == 1 else shape
    if array.shape == shape or array.shape == sample:
        return array.reshape(1, *shape)
    if array.shape[1:] in (shape, sample) and len(array):
        return array.reshape(len(array), *shape)
    raise InputError(
        f"{name}: shape {list(array.shape)} does not fit the network's input {list(shape)}",
        f"give {list(sample)} or a batch [N, {', '.join(map(str, sample))}]; images can be resized with --resize",
    )


def _image_size(shape: tuple[int, ...]) -> tuple[int, int, int]:
    if len(shape) != 4 or shape[0] != 1 or shape[3] not in (1, 3):
        raise InputError(f"the network's input {list(shape)} is no image; give a .npy or .npz file")
    return shape[1], shape[2], shape[3]


def _to_pixels(image, height: int, width: int, depth: int) -> np.ndarray:
    from PIL import Image

    image = image.convert("L" if depth == 1 else "RGB").resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(image, dtype=np.uint8).reshape(height, width, depth)


def _image_file(path: Path, tensor: Tensor) -> np.ndarray:
    from PIL import Image

    size = _image_size(tensor.shape)
    try:
        with Image.open(path) as image:
            pixels = _to_pixels(image, *size)
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"{path.name}: not a readable image ({error})") from error
    return (pixels.astype(np.int16) - 128).astype(np.int8).reshape(tensor.shape)


def _resize_batch(array: np.ndarray, shape: tuple[int, ...], name: str) -> np.ndarray:
    from PIL import Image

    height, width, depth = _image_size(shape)
    images = array[None] if array.ndim == 3 else array
    if images.ndim != 4 or images.shape[3] not in (1, 3):
        raise InputError(
            f"{name}: shape {list(array.shape)} is no image or batch of images [N, h, w, 1 or 3]"
        )
    return np.stack([_to_pixels(Image.fromarray(i.squeeze()), height, width, depth) for i in images])
