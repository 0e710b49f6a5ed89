"""The tests of tests/emulator/test_transposed.py on the boards of the rig."""

from tests.emulator.test_transposed import *  # noqa: F403
