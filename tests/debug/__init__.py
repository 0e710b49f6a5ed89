"""What stands in for a board and its probe in tests of `host flash`.

chip.py is a microcontroller as a debugger sees it, controllers.py its flash controllers; probe.py puts it behind a
probe of pyOCD's interface, jtag.py behind wires for OpenOCD, usb.c shows OpenOCD an ST-Link that fails; pack.py makes
a CMSIS pack from algorithm.c; boards.py has manifests, chips and the fixtures.
"""
