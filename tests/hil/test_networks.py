"""The tests of tests/emulator/test_networks.py on the boards of the rig."""

from tests.emulator.test_networks import *  # noqa: F403
