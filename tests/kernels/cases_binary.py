"""Raw calls of the operators on bits; `cases.py` includes them and lends its windows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from hypothesis import strategies as st

Params = st.SearchStrategy[dict[str, int]]

_bits_channels = st.one_of(st.integers(1, 9), st.sampled_from([31, 32, 33, 64, 65, 96, 100]))
_rows = st.one_of(st.integers(1, 9), st.sampled_from([30, 33]))
MOST_SUM = 1 << 22
OF_BITS = ("unbinarise", "binary_conv2d", "binary_max_pool", "planes_conv2d")


def records(rng: np.random.Generator, count: int, params: dict[str, int]) -> bytes:
    """AFFINE: int32 [count, 2]. Multipliers and offsets that spread sums over int8, or any; bounds near sums."""
    products = params["kernel_h"] * params["kernel_w"] * params["in_c"]
    if params["output_bits"]:
        columns = [rng.integers(-products - 2, products + 3, count), rng.integers(-(2**31), 2**31, count)]
    else:
        lift, down = params["lift"], params["down"]
        slope = 2.0 ** (32 + down - lift) * 60 / np.sqrt(products) * rng.normal(0, 1, count)
        usual = rng.random(count) < 0.8
        multiplier = np.where(
            usual, np.clip(slope, -(2**31), 2**31 - 1), rng.integers(-(2**31), 2**31, count)
        )
        offset = np.where(usual, rng.normal(0, 60, count) * 2.0**down, rng.integers(-(2**31), 2**31, count))
        columns = [multiplier, np.clip(offset, -(2**31), 2**31 - 1)]
    return np.stack(columns, axis=1).astype(np.int64).astype(np.uint32).tobytes()


def clear_tails(op: str, params: dict[str, int], data: bytes) -> bytes:
    """The data with the bits behind the last channel cleared, where it is bits."""
    channels = params.get("out_c" if op == "unbinarise" else "in_c", 0)
    if op not in OF_BITS or channels % 32 == 0:
        return data
    words = np.frombuffer(data, "<u4").reshape(-1, -(-channels // 32)).copy()
    words[:, -1] &= (1 << channels % 32) - 1
    return words.tobytes()


def cases(window: Callable, clamps: Callable, channels: st.SearchStrategy, int8: st.SearchStrategy) -> dict:
    """By operator of params.def, as `CASES`; the arguments are strategies of cases.py."""

    @st.composite
    def binary_conv2d(draw: st.DrawFn, tokens: tuple[str, ...]) -> dict[str, int]:
        values = draw(window(tokens=tokens))
        ic, oc = draw(_bits_channels), draw(st.one_of(channels, st.sampled_from([31, 33, 64])))
        products = values["kernel_h"] * values["kernel_w"] * ic
        most = 30 - (products - 1).bit_length()
        limits = sorted(draw(st.sampled_from([0, -1, 1, 6, -5, products])) for _ in range(2))
        if draw(st.booleans()):
            limits = [-MOST_SUM, MOST_SUM]
        return values | dict(
            in_c=ic, out_c=oc, zero_padding=draw(st.integers(0, 1)), output_bits=draw(st.integers(0, 1)),
            sum_min=limits[0], sum_max=limits[1], lift=draw(st.sampled_from([most, most, 0])),
            down=draw(st.sampled_from([16, 16, 10, 0, 31])),
        )  # fmt: skip

    @st.composite
    def planes_conv2d(draw: st.DrawFn, tokens: tuple[str, ...]) -> dict[str, int]:
        return (
            draw(window(tokens=tokens))
            | draw(clamps())
            | dict(
                in_c=draw(_bits_channels), out_c=draw(channels), output_zero=draw(int8),
                rounding=draw(st.sampled_from([0, 0, 1])), planes=draw(st.integers(1, 4)),
                weight_planes=draw(st.integers(1, 4)),
            )
        )  # fmt: skip

    @st.composite
    def binary_max_pool(draw: st.DrawFn) -> dict[str, int]:
        values = draw(window(pool=True)) | dict(in_c=draw(_bits_channels))
        for axis, pad in (("h", "pad_top"), ("w", "pad_left")):  # the last window must begin inside the image
            most = (values[f"in_{axis}"] + values[pad] - 1) // values[f"stride_{axis}"] + 1
            values[f"out_{axis}"] = min(values[f"out_{axis}"], most)
        return values

    def rows(**fields: st.SearchStrategy) -> Params:
        return st.fixed_dictionaries(dict(rows=_rows) | fields)

    return {
        "binarise": lambda _: rows(in_c=_bits_channels, input_zero=int8),
        "unbinarise": lambda _: rows(out_c=_bits_channels, value_clear=int8, value_set=int8),
        "binary_conv2d": binary_conv2d,
        "binary_max_pool": lambda _: binary_max_pool(),
        "bit_planes": lambda _: rows(in_c=_bits_channels, input_zero=int8, planes=st.integers(1, 4)),
        "planes_conv2d": planes_conv2d,
    }
