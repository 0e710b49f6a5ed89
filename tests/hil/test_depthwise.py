"""The tests of tests/emulator/test_depthwise.py on the boards of the rig."""

from tests.emulator.test_depthwise import *  # noqa: F403
