"""Turns what a user names with --input into tensors, and says what the right answers are if the file does.

Forms: `random:SEED`; `.npy` or `.npz` (array `x`, or the only one; labels in `y`); `.png`, `.jpg` and whatever
else Pillow opens. An array is one sample of the network's shape, or a batch of them with one dimension more; for a
network that is NCHW in its file (.onnx) either that or NHWC.
A network with several inputs takes random:SEED, or a .npz with an array for each, by the input's name.

Dtypes: int8 is taken as it is. uint8 is an image or an unsigned tensor: q = value - 128. For networks quantised
on pixels (zero point and scale chosen so that -128..127 spans the pixel range, as all do) that is the network's
own quantisation. float32 and float64 are quantised with the input's scale and zero point. Tensors of another dtype
than int8 take arrays of theirs.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from host.errors import InputError
from host.model.graph import Border, Graph, Tensor
from host.oracle.run import quantize_input

# Random values of a 16-bit tensor stay within this, in real units: offsets are pixels, and far ones leave the image.
RANDOM_REACH = 2.0
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")


@dataclass
class Samples:
    """`tensors[i][k]` is input k of sample i; `labels` the right classes, if known; `source` for people."""

    tensors: list[list[np.ndarray]]
    labels: np.ndarray | None
    source: str


def load(spec: str, graph: Graph, *, resize: bool = False) -> Samples:
    """The samples that `spec` names.

    Raises InputError if the file is missing, unreadable or of the wrong shape. With `resize`, arrays of images
    are resized as image files are.
    """
    if spec.startswith("random:"):
        match = re.fullmatch(r"random:(\d+)", spec)
        if not match:
            raise InputError(f"{spec!r}: the seed must be a number, as in random:1")
        return Samples([random_inputs(graph, int(match[1]))], None, spec)
    path = Path(spec)
    if not path.is_file():
        raise InputError(f"no input file {spec!r}", "give a .npy, .npz, .png or .jpg file, or random:SEED")
    if path.suffix.lower() in IMAGE_SUFFIXES:
        if len(graph.inputs) != 1:
            raise InputError(f"{path.name}: an image is one input; the network has {len(graph.inputs)}")
        arrays, labels = [read_image(path, graph.tensors[graph.inputs[0].tensor].shape)], None
    else:
        arrays, labels = read_arrays(path, [border.name for border in graph.inputs])
    return Samples(from_arrays(arrays, graph, path.name, resize=resize), labels, path.name)


def random_inputs(graph: Graph, seed: int) -> list[np.ndarray]:
    """A random tensor for every input: all that int8 holds, or small numbers of 16 bits (`RANDOM_REACH`)."""
    rng = np.random.default_rng(seed)
    return [_random(rng, graph.tensors[border.tensor]) for border in graph.inputs]


def _random(rng: np.random.Generator, tensor: Tensor) -> np.ndarray:
    limits = np.iinfo(tensor.dtype)
    low, high = int(limits.min), int(limits.max)
    if tensor.dtype == np.int16 and tensor.quant is not None:
        steps = round(min(RANDOM_REACH / float(tensor.quant.scale[0]), high))
        low, high = max(low, tensor.quant.zero_point - steps), min(high, tensor.quant.zero_point + steps)
    return rng.integers(low, high + 1, tensor.shape, dtype=tensor.dtype)


def from_arrays(
    arrays: Sequence[np.ndarray], graph: Graph, name: str, *, resize: bool = False
) -> list[list[np.ndarray]]:
    """Tensors of all samples from one array an input, each one sample or a batch. Raises InputError."""
    by_input = []
    for array, border in zip(arrays, graph.inputs, strict=True):
        which = name if len(arrays) == 1 else f"{name}, {border.name}"
        by_input.append(from_array(array, graph, border, which, resize=resize))
    counts = {len(batch) for batch in by_input}
    if len(counts) > 1:
        raise InputError(f"{name}: the inputs have different numbers of samples, {sorted(counts)}")
    return [list(sample) for sample in zip(*by_input, strict=True)]


def from_array(
    array: np.ndarray, graph: Graph, border: Border, name: str, *, resize: bool = False
) -> list[np.ndarray]:
    """Tensors of the border's shape and dtype from an array of one sample or of a batch."""
    tensor = graph.tensors[border.tensor]
    if resize and array.dtype == np.uint8:
        array = resize_batch(array, tensor.shape, name)
    batch = as_batch(array, tensor.shape, name, border)
    if array.dtype == np.uint8 and tensor.dtype == np.int8:
        quantised = (batch.astype(np.int16) - 128).astype(np.int8)
    elif array.dtype == tensor.dtype and not tensor.unsigned:
        quantised = batch
    elif array.dtype.kind == "f" and tensor.quant is not None:
        floats = Border(border.tensor, border.name, np.dtype(np.float32))
        quantised = [quantize_input(graph, floats, sample.astype(np.float32)) for sample in batch]
    else:
        wanted = "uint8" if tensor.unsigned else str(tensor.dtype)
        images = ", images (uint8)" if tensor.dtype == np.int8 else ""
        floats = " or floats" if tensor.quant is not None else ""
        raise InputError(f"{name}: holds {array.dtype}; the network takes {wanted}{images}{floats}")
    return [np.ascontiguousarray(q) for q in quantised]


def read_arrays(path: Path, names: list[str]) -> tuple[list[np.ndarray], np.ndarray | None]:
    """An array for each of the inputs' names, and labels, from a .npy or .npz file. Raises InputError."""
    if path.suffix.lower() not in (".npy", ".npz"):
        raise InputError(f"{path.name}: input files are .npy, .npz, .png or .jpg")
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            if len(names) != 1:
                raise InputError(f"{path.name}: one array for {len(names)} inputs", _npz_hint(names))
            return [loaded], None
        with loaded:
            arrays = [loaded[key] for key in _keys(path, names, list(loaded.files))]
            labels = loaded["y"] if "y" in loaded.files and "y" not in names else None
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, KeyError) as error:
        raise InputError(f"{path.name}: not a readable numpy file ({error})") from error
    if labels is not None and (labels.ndim != 1 or len(labels) != len(arrays[0])):
        labels = None
    return arrays, labels


def _keys(path: Path, names: list[str], keys: list[str]) -> list[str]:
    """Which array of a .npz is which input's."""
    if all(name in keys for name in names):
        return names
    if len(names) == 1 and ("x" in keys or len(keys) == 1):
        return ["x" if "x" in keys else keys[0]]
    has = f"it has {', '.join(keys) or 'none'}"
    if len(names) == 1:
        raise InputError(f"{path.name}: needs an array named x; {has}")
    missing = [name for name in names if name not in keys]
    raise InputError(f"{path.name}: has no array named {', '.join(missing)}; {has}", _npz_hint(names))


def _npz_hint(names: list[str]) -> str:
    return f"give a .npz with the arrays {', '.join(names)}, or random:SEED"


def as_batch(
    array: np.ndarray, shape: tuple[int, ...], name: str, border: Border | None = None
) -> np.ndarray:
    """[samples, *shape] from what people store: with or without the batch dimension of 1, one sample or many.

    An array with the axes that the border shows is taken so before it is taken for one with the tensor's.
    """
    shown = border.shown(shape) if border else shape
    for seen in (shown, shape):
        sample = seen[1:] if len(seen) > 1 and seen[0] == 1 else seen
        if array.shape in (seen, sample) or (array.shape[1:] in (seen, sample) and len(array)):
            batch = array.reshape(-1, *seen)
            return np.stack([border.to_tensor(x) for x in batch]) if border and seen != shape else batch
    shape = shown
    sample = shape[1:] if len(shape) > 1 and shape[0] == 1 else shape
    if len(sample) == 3 and array.shape[-3:] == (sample[2], *sample[:2]):
        raise InputError(
            f"{name}: shape {list(array.shape)} has its channels first, the network's input {list(shape)} last",
            "transpose the array: x.transpose(0, 2, 3, 1) of a batch",
        )
    raise InputError(
        f"{name}: shape {list(array.shape)} does not fit the network's input {list(shape)}",
        f"give {list(sample)} or a batch [N, {', '.join(map(str, sample))}]; images can be resized with --resize",
    )


def image_size(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Height, width and channels of an input that is an image. Raises InputError for another."""
    if len(shape) != 4 or shape[0] != 1 or shape[3] not in (1, 3):
        raise InputError(f"the network's input {list(shape)} is no image; give a .npy or .npz file")
    return shape[1], shape[2], shape[3]


def _to_pixels(image, height: int, width: int, depth: int) -> np.ndarray:
    from PIL import Image

    image = image.convert("L" if depth == 1 else "RGB").resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(image, dtype=np.uint8).reshape(height, width, depth)


def read_image(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """An image file as pixels of the input's shape, uint8. Raises InputError."""
    from PIL import Image

    size = image_size(shape)
    try:
        with Image.open(path) as image:
            return _to_pixels(image, *size).reshape(shape)
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"{path.name}: not a readable image ({error})") from error


def resize_batch(array: np.ndarray, shape: tuple[int, ...], name: str) -> np.ndarray:
    """Images (uint8) of any size as [n, h, w, c] of the input's. Raises InputError."""
    from PIL import Image

    height, width, depth = image_size(shape)
    images = array[None] if array.ndim == 3 else array
    if images.ndim != 4 or images.shape[3] not in (1, 3):
        raise InputError(
            f"{name}: shape {list(array.shape)} is no image or batch of images [N, h, w, 1 or 3]"
        )
    return np.stack([_to_pixels(Image.fromarray(i.squeeze()), height, width, depth) for i in images])
