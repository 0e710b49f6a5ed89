"""Fixtures of unit tests that more than one file uses."""

from tests.debug.boards import bench, host  # noqa: F401
