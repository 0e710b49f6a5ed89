"""`host quantize`: a float network to an int8 one that every other command takes."""

from __future__ import annotations

from pathlib import Path

import click

from host.commands.common import json_option, network_path, results, screen, write_json


class _RangeType(click.ParamType):
    """Two numbers with a comma between them, the first one lower."""

    name = "LOW,HIGH"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, float]:
        """The two numbers."""
        try:
            low, high = (float(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is not LOW,HIGH, as in 0,1", param, ctx)
        if not (low <= 0 <= high and low < high and high - low < float("inf")):
            self.fail(f"{value!r}: zero must lie in the range", param, ctx)
        return low, high


_border_types = click.Choice(("float32", "int8"))


@click.command("quantize")
@click.argument("network", metavar="NET")
@click.option(
    "--samples", "-s", "source", metavar="FILE", required=True,
    help="What the network will see: .npy, .npz (x and labels y), an image or a folder of images.",
)  # fmt: skip
@click.option(
    "--output", "-o", type=click.Path(path_type=Path, dir_okay=False),
    help="The int8 network; NET_int8.tflite in this folder if not given.",
)  # fmt: skip
@click.option(
    "--ranges", default="minmax", show_default=True, metavar="minmax|percentile[:P]",
    help="Range of each tensor: its extremes, or what holds P % (99.99) of its values.",
)  # fmt: skip
@click.option("--per-tensor", is_flag=True, help="One weight scale an operator rather than one a channel.")
@click.option(
    "--input-type", type=_border_types, default="float32", show_default=True,
    help="What the int8 network takes; int8 images have their channels last.",
)  # fmt: skip
@click.option(
    "--output-type", type=_border_types, default="float32", show_default=True, help="What it gives, likewise."
)
@click.option(
    "--input-range", type=_RangeType(),
    help="Range of the inputs, such as 0,1 or -1,1. Pixels (uint8 samples) are spread over it, over 0,255 without.",
)  # fmt: skip
@click.option("--resize", is_flag=True, help="Resize arrays of images to the network's input.")
@click.option(
    "--compare", metavar="FILE",
    help="Compare float and int8 on these samples rather than on those that give the ranges.",
)  # fmt: skip
@click.option("--layers", is_flag=True, help="Compare every layer's tensor, not the outputs alone.")
@json_option
def command(
    network: str, source: str, output: Path | None, ranges: str, per_tensor: bool, input_type: str, output_type: str,
    input_range: tuple[float, float] | None, resize: bool, compare: str | None, layers: bool, json_file: str | None,
) -> None:  # fmt: skip
    """Quantise NET, a float .tflite or .onnx file or a network script, to an int8 .tflite file.

    The samples give the range of each tensor. Both networks then run on them, and the report says how much they differ:
    accuracy if there are labels, errors of the outputs in their own units, signal to noise in decibels.
    """
    from host.quantize import files
    from host.quantize.convert import Choices
    from host.report.quantize import print_quantised

    options = files.Options(
        ranges, Choices(not per_tensor, input_type, output_type), input_range, compare, resize
    )
    with screen() as show:
        path = network_path(network, show)
        output = output or Path(f"{path.stem}_int8.tflite")
        if output.resolve() == path.resolve():
            raise click.UsageError("the int8 network would replace the float one: give another --output")
        quantised = files.quantise_file(path, source, options, show)
        files.write(output, quantised.content)
    if json_file:
        write_json({**quantised.to_json(layers=layers), "output": str(output)}, json_file)
    if json_file != "-":
        print_quantised(results(), quantised, str(output), layers=layers)
