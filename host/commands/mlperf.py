"""`host mlperf`: a board that answers MLPerf Tiny's runner, and a small runner of our own."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from host.commands.common import (
    device_choice,
    device_options,
    json_option,
    network_path,
    plan_choices,
    plan_options,
    screen,
    write_json,
)
from host.errors import OutputError

if TYPE_CHECKING:
    from host.commands.common import Screen
    from host.mlperf.models import Model
    from host.selection import Device
    from host.transport.base import Transport

SCHEMA = 1
RANDOM_SEED = 1
EMULATED_RUNS = 10  # inferences there are the same to the instruction


@click.command("mlperf")
@click.option("--model", required=True, metavar="NAME", help="kws01, vww01, ic01 or ad01.")
@click.option("--network", metavar="NET", help="A network in place of the benchmark's own.")
@device_options
@click.option(
    "--energy",
    is_flag=True,
    help="Listen in energy mode: 9600 baud, and a pulse at a pin in place of each time.",
)
@click.option("--performance", is_flag=True, help="Time inferences, as the benchmark's runner does.")
@click.option("--accuracy", is_flag=True, help="Classify all of --data.")
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder in the runner's layout: y_labels.csv and the files that it names.",
)
@click.option("--samples", type=click.IntRange(1), help="Most entries of --data.")
@click.option(
    "--runs", type=click.IntRange(1), help="Inferences timed at a stretch.  [default: 10 s of them]"
)
@click.option("--transcript", metavar="FILE", help="Write what was said in both directions.")
@plan_options
@json_option
def command(
    model: str, network: str | None, board: str | None, port: str | None, energy: bool, performance: bool,
    accuracy: bool, data: Path | None, samples: int | None, runs: int | None, transcript: str | None,
    json_file: str | None, **plan: Any,
) -> None:  # fmt: skip
    """Put a network of MLPerf Tiny onto a board, and leave it listening for the benchmark's runner.

    A real board is flashed; an emulated one is started, and listens at a pseudo terminal until Ctrl-C. With
    --performance or --accuracy our own runner works with it instead.

    Times come from the device's clock. An emulated board counts instructions: its times are what those would take
    at one a cycle, and no board's. With --energy an energy monitor takes them at the board's pin.
    """
    from host.mlperf.models import find_model

    chosen = find_model(model)
    runner = performance or accuracy
    if energy and runner:
        raise click.UsageError("--energy leaves the board to the benchmark's runner and an energy monitor")
    if accuracy and not data:
        raise click.UsageError("--accuracy needs --data")
    if not runner and (data or samples or runs or transcript or json_file):
        raise click.UsageError(
            "--data, --samples, --runs, --transcript and --json are for --performance and --accuracy"
        )
    device = device_choice(board, port)
    with screen() as show:
        transport = _start(device, chosen, network, energy, plan, show)
        with closing(transport):
            if not runner:
                _listen(device, transport, chosen, energy)
                return
            report = _measure(
                device, transport, chosen, data, samples, runs, (performance, accuracy), transcript, show
            )
    if json_file:
        write_json(report, json_file)
    if json_file != "-":
        _print(report)


def _start(
    device: Device, model: Model, network: str | None, energy: bool, plan: dict, show: Screen
) -> Transport:
    from host import experiment
    from host.devices import is_emulated, open_device
    from host.errors import UnsupportedError
    from host.flashing.flash import flash
    from host.link.client import SLOW_BAUD
    from host.mlperf.block import plan_region_image
    from host.transport.model import EMULATE
    from host.transport.serial import open_port

    board = device.board
    if energy and not board.energy_pin:
        raise UnsupportedError(f"{board.id} has no energy_pin, which tells an energy monitor the time")
    options = experiment.Options(board=board.id, port=device.port, **plan_choices(**plan))
    compiled = experiment.compile_for(network_path(network or model.catalogue, show), board, options)
    image = plan_region_image(compiled, model, energy)
    if is_emulated(board, device.port):
        slow = ("--slow", str(SLOW_BAUD)) if energy and device.port == EMULATE else ()
        return open_device(board, device.port, plan=image, progress=show.say, extra=slow).transport
    flash(board, compiled, region=image, port=device.port, progress=show, say=show.say)
    assert device.port
    return open_port(device.port, board.uart.baud)


def _emulated(device: Device) -> bool:
    from host.devices import is_emulated

    return is_emulated(device.board, device.port)


def _listen(device: Device, transport: Transport, model: Model, energy: bool) -> None:
    from host.link.client import SLOW_BAUD
    from host.mlperf.terminal import Terminal

    name = device.board.id
    mode = f" in energy mode: {SLOW_BAUD} baud, pulses at {device.board.energy_pin}" if energy else ""
    if not _emulated(device):
        click.echo(f"{name} listens at {device.port} as {model.name}{mode}")
        return
    with closing(Terminal(transport)) as terminal:
        click.echo(f"{name} (emulated) listens at {terminal.path} as {model.name}{mode}; Ctrl-C ends")
        terminal.serve()


def _measure(
    device: Device, transport: Transport, model: Model, data: Path | None, samples: int | None,
    runs: int | None, modes: tuple[bool, bool], transcript: str | None, show: Screen,
) -> dict[str, Any]:  # fmt: skip
    from host.errors import DeviceError
    from host.mlperf import measure
    from host.mlperf.dataset import read_dataset
    from host.mlperf.dut import Dut
    from host.mlperf.models import random_raw

    entries = read_dataset(data, model, samples) if data else []
    dut = Dut(transport)
    report: dict[str, Any] = {"schema": SCHEMA, "board": device.board.id, "emulated": _emulated(device)}
    try:
        dut.hear_banner()
        report |= {"name": dut.name(), "model": dut.profile()}
        if report["model"] != model.name:
            raise DeviceError(f"the device has {report['model']} in its flash, not {model.name}")
        if modes[0]:
            inputs = [entry.inputs[0] for entry in entries[: measure.INPUTS]]
            inputs = inputs or [random_raw(model, RANDOM_SEED + i).tobytes() for i in range(measure.INPUTS)]
            few = EMULATED_RUNS if report["emulated"] else None
            timed = measure.performance(
                dut, inputs, show, runs or few, 1 if report["emulated"] else measure.WARM_UPS
            )
            report["performance"] = {
                "inputs": len(inputs),
                "runs": timed.runs,
                "rates": timed.rates,
                "median": timed.median,
                "time": "one instruction a cycle" if report["emulated"] else "measured",
            }
        if modes[1]:
            found = measure.accuracy(dut, model, entries, show)
            report["accuracy"] = {"entries": len(entries), "metric": found.metric, "value": found.value,
                                  "answers": found.answers}  # fmt: skip
    finally:
        if transcript:
            _write(transcript, "\n".join([*dut.transcript, ""]))
    return report


def _write(file: str, text: str) -> None:
    try:
        Path(file).write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"cannot write {file}: {error.strerror}") from error


def _print(report: dict[str, Any]) -> None:
    click.echo(f"{report['model']} on {report['name']}")
    if timed := report.get("performance"):
        how = "counted, not timed: one instruction a cycle" if report["emulated"] else "by the device's clock"
        click.echo(
            f"performance  {timed['median']:,.3f} inferences a second, median of {timed['inputs']} inputs, "
            f"{timed['runs']:,} inferences each; {how}"
        )
    if found := report.get("accuracy"):
        shown = f"{found['value']:.1%}" if found["metric"] == "top-1" else f"{found['value']:.4f}"
        click.echo(f"accuracy     {found['metric']} {shown} of {found['entries']} entries")
