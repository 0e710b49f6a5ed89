"""Every fuzz target for some thousand executions with gcc's sanitizers; README.md tells how to run more."""

from __future__ import annotations

import os
import subprocess

import pytest

from host import native
from host.project import firmware_dir
from tests.fuzz.make_corpus import write_seeds
from tests.fuzz.targets import FIRMWARE, include_folder, sources
from tests.native_build import ENVIRONMENT, SANITIZE

EXECUTIONS = {"frame": 100_000, "plan": 10_000, "block": 20_000, "session": 4_000}
SEED = 1


@pytest.fixture(scope="session")
def seeds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("seeds")
    write_seeds(folder, 60)
    return folder


def test_every_target_is_run():
    assert set(EXECUTIONS) == set(FIRMWARE)


@pytest.mark.parametrize("target", FIRMWARE)
def test_nothing_is_found(target, seeds):
    driver = [*sources(target), sources(target)[0].with_name("driver.c")]
    flags = (*SANITIZE, f"-I{include_folder()}", f"-I{firmware_dir()}")
    program = native.build(f"fuzz_{target}", driver, flags)
    files = sorted((seeds / target).iterdir())
    done = subprocess.run(
        [program, str(EXECUTIONS[target]), str(SEED), *files],
        capture_output=True,
        text=True,
        env={**os.environ, **ENVIRONMENT},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{EXECUTIONS[target]} executions\n"
