"""Makes firmware/kernels/hot.def: functions by their share of the modelled time, the mean over some networks.

    python -m host.cyclemodel.hot kws_ref_model vww_96_int8 pretrainedResnet_quant ad01_int8 te_vww

The chip is one whose code waits for flash behind a cache, so that a function that waits much comes sooner.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Sequence

from host import catalogue, experiment
from host.profile import profile
from host.project import firmware_dir

BOARD, MEMORY = "emu_cortex_m7", "f746-axi"
LEAST_SHARE = 0.0005
HEAD = """/* HOT(function, share)   what runs from tightly coupled memory on boards whose manifest names a bank for it.
 * As many from the top as fit. The share is that of the modelled cycles on an STM32F746 with all code in flash, mean
 * over the README's networks. `python -m host.cyclemodel.hot` made it of these:
 * {networks} */
"""


def shares(networks: Sequence[str]) -> dict[str, float]:
    """Each function's part of an inference with its clones', the mean over the networks; the largest first."""
    sums: defaultdict[str, float] = defaultdict(float)
    for name in networks:
        print(f"modelling {name}", file=sys.stderr)
        found = profile(catalogue.get(name), experiment.Options(BOARD, source="random:1"), mem=MEMORY)
        cycles = found.modelled.cycles
        for function, cost in found.functions().items():
            sums[function.split(".")[0]] += cost.cycles / cycles / len(networks)
    return dict(sorted(sums.items(), key=lambda item: (-item[1], item[0])))


def hot_def(shares: dict[str, float], networks: Sequence[str]) -> str:
    """The text of hot.def."""
    lines = [f'HOT({name}, "{100 * share:.2f} %")' for name, share in shares.items() if share >= LEAST_SHARE]
    return HEAD.format(networks=" ".join(networks)) + "\n".join(lines) + "\n"


def main(networks: Sequence[str]) -> None:
    """Writes the list anew."""
    (firmware_dir() / "kernels" / "hot.def").write_text(hot_def(shares(networks), networks))


if __name__ == "__main__":
    main(sys.argv[1:])
