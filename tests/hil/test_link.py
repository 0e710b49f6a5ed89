"""The tests of tests/emulator/test_link.py on the boards of the rig."""

from tests.emulator.test_link import *  # noqa: F403
