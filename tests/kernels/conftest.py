from __future__ import annotations

import pytest

from tests.kernels.runner import Runner


@pytest.fixture(scope="session")
def sanitized():
    """The sanitized runner."""
    runner = Runner()
    yield runner
    runner.close()
