"""The tests of tests/emulator/test_kernels.py on the boards of the rig."""

from tests.emulator.test_kernels import *  # noqa: F403
