"""Which pins each board's user manual ties to the probe's virtual COM port, or to its serial header.

Written apart from the manifests, which are tested against it. The pins of all but disco_f407vg were compared with those
in Zephyr's device trees of these boards (boards/st, boards/adafruit); `source` says which manual has them, but the
manuals themselves were not at hand. The alternate functions are the chips' datasheets'. `energy` is a pin at a header
that nothing on the board uses: D9 of the Arduino or Feather header (D7 of disco_f746ng, whose D9 is the debugger's
JTDI; disco_f407vg has no such header).
"""

from __future__ import annotations

from typing import NamedTuple


class Wiring(NamedTuple):
    """One board's."""

    tx: str
    rx: str
    af: int
    usart: str
    energy: str
    source: str


WIRING = {
    "adafruit_feather_f405": Wiring(
        "PB10", "PB11", 7, "USART3", "PB8", "Adafruit's pinout: TX, RX of the header"
    ),
    "disco_f407vg": Wiring("PA2", "PA3", 7, "USART2", "PE7", "UM1472 table 5: P1 pins 14, 13"),
    "disco_f746ng": Wiring("PA9", "PB7", 7, "USART1", "PI3", "UM1907 4.9, table 12: VCP_TX, VCP_RX"),
    "nucleo_f446re": Wiring("PA2", "PA3", 7, "USART2", "PC7", "UM1724 6.8: SB13, SB14"),
    "nucleo_f746zg": Wiring("PD8", "PD9", 7, "USART3", "PD15", "UM1974 6.9: SB5, SB6"),
    "nucleo_f767zi": Wiring("PD8", "PD9", 7, "USART3", "PD15", "UM1974 6.9: SB5, SB6"),
    "nucleo_h743zi": Wiring("PD8", "PD9", 7, "USART3", "PD15", "UM1974 6.9 and UM2407: virtual COM port"),
    "nucleo_h7a3zi_q": Wiring("PD8", "PD9", 7, "USART3", "PD15", "UM2408: virtual COM port"),
    "nucleo_l4r5zi": Wiring("PG7", "PG8", 8, "LPUART1", "PD15", "UM2179 6.9: virtual COM port"),
    "nucleo_u575zi_q": Wiring("PA9", "PA10", 7, "USART1", "PD15", "UM2861: virtual COM port, T_VCP"),
}

ONE_OF_EACH_FAMILY = ("nucleo_f446re", "disco_f746ng", "nucleo_h743zi", "nucleo_l4r5zi", "nucleo_u575zi_q")
