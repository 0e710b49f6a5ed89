"""python -m tests.soak --seed S --cases N: seeded faults between a host and the firmware, for as long as you like.

Cases are what tests/faults/cases.py says. Ends with status 1 if one went wrong, whose line
names the seed that shows it again.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.pool import Pool

import click
from rich.console import Console
from rich.progress import Progress

from host.cli import INTERRUPTED, TERMINATED
from tests.faults.board import library
from tests.faults.cases import Outcome, WrongError, run_case
from tests.faults.networks import nets


def _one(seed: int) -> Outcome | str:
    try:
        return run_case(seed)
    except WrongError as error:
        return str(error)


@contextmanager
def workers(jobs: int) -> Iterator[Pool]:
    """Processes that Ctrl-C in the terminal does not reach: they end with the block, however it ends."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # which they inherit
    with multiprocessing.get_context("fork").Pool(
        jobs, initializer=signal.signal, initargs=(signal.SIGTERM, signal.SIG_DFL)
    ) as pool:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        yield pool


@click.command()
@click.option("--seed", default=0, help="Of the first case; the others follow.")
@click.option("--cases", default=10_000, show_default=True)
@click.option("--jobs", default=os.cpu_count(), show_default="all cores")
def main(seed: int, cases: int, jobs: int) -> None:
    """Runs seeded fault cases and tells how they ended."""
    library(), nets()  # built once, before there are several of us
    ends: Counter = Counter()
    wrong, simulated, begin = 0, 0.0, time.monotonic()
    console = Console(stderr=True)
    with (
        workers(jobs) as pool,
        Progress(console=console, transient=True, disable=not console.is_terminal) as progress,
    ):
        task = progress.add_task("cases", total=cases)
        for outcome in pool.imap_unordered(_one, range(seed, seed + cases), chunksize=8):
            progress.advance(task)
            if isinstance(outcome, str):
                wrong += 1
                print(outcome, flush=True)
            else:
                ends += outcome.ends
                simulated += outcome.seconds
    operations = ", ".join(f"{count:,} {end}" for end, count in ends.most_common())
    print(f"{cases - wrong:,} of {cases:,} cases right, {simulated / 3600:.1f} simulated hours")
    print(f"operations: {operations}")
    print(f"took {time.monotonic() - begin:.0f} s", file=sys.stderr)
    sys.exit(1 if wrong else 0)


def _terminate(number: int, frame: object) -> None:
    raise SystemExit(TERMINATED)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _terminate)
    try:
        main(standalone_mode=False)
    except (KeyboardInterrupt, click.Abort):
        print("interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
