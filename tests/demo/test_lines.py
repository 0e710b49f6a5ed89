"""What a device prints, character for character, and what the host reads from it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.demo.block import demo_block
from host.demo.lines import DemoLine, on_emulator, parse, refusal
from tests.demo.probe import CYCLES, INSTRUCTIONS

MHZ = 1_000_000


@given(
    st.one_of(st.integers(0, 2**32 - 1), st.sampled_from([0, 9, 10, 999, 1000, 999_999, 10**6, 2**32 - 1]))
)
def test_numbers(probe, value):
    assert probe.number(value) == f"{value:,}"


@given(st.integers(0, 16), st.integers(0, 2**32 - 1))
def test_what_does_not_fit_is_left_out(probe, capacity, value):
    assert probe.shortened(capacity, value) == f"{value:,}"[:capacity]


def ratio(numerator: int, denominator: int) -> list[str]:
    """What text_add_ratio() may say: the decimals of the whole part, and one unit of the last digit if the
    denominator takes more than 22 bits.
    """
    whole = numerator // denominator
    decimals = 2 if whole < 10 else 1 if whole < 100 else 0
    unit = 10**decimals
    scaled = (2 * numerator * unit + denominator) // (2 * denominator)
    off = (0,) if denominator <= (2**32 - 1) // 1000 else (-1, 0, 1)
    return [
        f"{(scaled + o) // unit:,}" + (f".{(scaled + o) % unit:0{decimals}}" if decimals else "") for o in off
    ]


numbers = st.one_of(st.integers(1, 2**32 - 1), st.integers(0, 31).map(lambda n: 2**n), st.integers(1, 2000))


@given(numbers, numbers)
def test_ratios(probe, numerator, denominator):
    assert probe.ratio(numerator, denominator) in ratio(numerator, denominator)


@pytest.mark.parametrize(
    ("numerator", "denominator", "text"),
    [
        (216 * MHZ, 692_222, "312"), (216 * MHZ, 7_230_123, "29.9"), (168 * MHZ, 1, "168,000,000"),
        (1, 3, "0.33"), (2, 3, "0.67"), (9995, 1000, "10.00"), (99_950, 1000, "100.0"), (0, 5, "0.00"),
        (2**32 - 1, 2**32 - 1, "1.00"), (480 * MHZ, 4_000_000_000, "0.12"), (25, MHZ, "0.00"),
    ],
)  # fmt: skip
def test_some_ratios(probe, numerator, denominator, text):
    assert probe.ratio(numerator, denominator) == text


BOARD = dict(counter_kind=CYCLES, clock_hz=216 * MHZ, frames=30, count=216_903_690, elapsed=230 * MHZ, best=3)


def test_a_board(probe, region, compiled, samples):
    block = demo_block(compiled, samples, list("0123456789"))
    text = probe.line(block, 123, **BOARD, right=12, labelled=12)
    assert text == (
        'tinyconv demo digits: 29.9 FPS, 7,230,123 cycles a frame, class 3 "3" 98 %, 12 of 12 right\r'
    )
    assert parse(text.strip()) == DemoLine(
        "digits", "cycles", 7_230_123, 29.9, class_index=3, class_name="3", percent=98, right=12, labelled=12
    )
    drawn = probe.line(block, 123, **BOARD, drawn=1).strip()
    assert drawn.endswith(', 7,230,123 cycles a frame, 28.2 with display, class 3 "3" 98 %')
    assert parse(drawn).fps_with_display == 28.2


def test_an_emulated_board_never_says_fps_as_a_board_does(probe, compiled, samples):
    block = demo_block(compiled, samples)
    text = probe.line(block, -128, counter_kind=INSTRUCTIONS, clock_hz=168 * MHZ, frames=1, count=2_788_226)
    assert text.strip() == (
        "tinyconv demo digits: 2,788,226 instructions a frame (emulated, as if one instruction took one cycle at "
        "168 MHz: 60.3 FPS), class 0 0 %"
    )
    line = parse(text.strip())
    assert line == DemoLine("digits", "instructions", 2_788_226, None, 60.3, 168.0, class_index=0, percent=0)
    assert line.emulated and str(line) == text.strip()


def test_a_board_s_image_in_the_emulator(probe, compiled, samples):
    """It takes its counter for cycles; the host knows better."""
    block = demo_block(compiled, samples, list("0123456789"))
    line = on_emulator(parse(probe.line(block, 123, **BOARD).strip()), 216 * MHZ)
    assert line.fps is None and line.counter == "instructions" and line.fps_at_one_cycle == 29.9
    assert str(line).startswith(
        "tinyconv demo digits: 7,230,123 instructions a frame (emulated, as if one instruction took one cycle at "
        "216 MHz: 29.9 FPS), class 3"
    )


def test_without_counter(probe, compiled, samples):
    text = probe.line(demo_block(compiled, samples), 0, frames=24, best=9).strip()
    assert text == "tinyconv demo digits: 24 frames, speed unknown, class 9 50 %"
    assert parse(text).counter is None


def test_the_longest_line_fits(probe, compiled, samples):
    compiled.net.name, name = "n" * 31, compiled.net.name
    try:
        block = demo_block(compiled, samples, ["c" * 15] * 10)
    finally:
        compiled.net.name = name
    text = probe.line(
        block, 127, counter_kind=INSTRUCTIONS, clock_hz=2**32 - 1, frames=1, count=2**32 - 1, elapsed=1, drawn=1,
        right=65_535, labelled=65_535, best=9,
    )  # fmt: skip
    assert text.endswith(" 65,535 of 65,535 right\r") and len(text) + 1 <= 256
    assert parse(text.strip()) is not None


@given(
    st.sampled_from([CYCLES, INSTRUCTIONS]), st.integers(1, 480 * MHZ), st.integers(1, 2**32 - 1), st.integers(0, 9),
    st.integers(-128, 127), st.integers(0, 1),
)  # fmt: skip
def test_every_line_can_be_read(probe, compiled, samples, kind, clock_hz, count, best, score, drawn):
    block = demo_block(compiled, samples, list("0123456789"))
    text = probe.line(
        block, score, counter_kind=kind, clock_hz=clock_hz, frames=1, count=count, elapsed=count, best=best,
        drawn=drawn, right=1, labelled=2,
    )  # fmt: skip
    line = parse(text.strip())
    assert line is not None, text
    assert (line.per_frame, line.class_index, line.right) == (count, best, 1)
    assert (line.fps is None) == (kind == INSTRUCTIONS) and (line.fps_with_display is not None) == bool(drawn)


def test_other_text_is_no_line():
    assert parse("Hello") is None and parse("tinyconv demo digits: 1 FPS") is None
    assert (
        refusal("tinyconv demo: not run, wrong in the demo block: crc32") == "wrong in the demo block: crc32"
    )
    assert refusal("tinyconv demo digits: 24 frames, speed unknown") is None
