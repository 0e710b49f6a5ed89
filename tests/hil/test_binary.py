"""The tests of tests/emulator/test_binary.py on the boards of the rig."""

from tests.emulator.test_binary import *  # noqa: F403
