"""The tests of tests/emulator/test_winograd.py on the boards of the rig."""

from tests.emulator.test_winograd import *  # noqa: F403
