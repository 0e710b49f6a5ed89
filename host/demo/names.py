"""What the classes of a known network are called."""

from __future__ import annotations

from collections.abc import Sequence

from host import catalogue
from host.compile import Compiled
from host.data import digits


def class_names(compiled: Compiled) -> Sequence[str]:
    """Names of the network's classes in their order: the catalogue's, the built-in network's, or none."""
    sha256 = compiled.net.sha256
    if sha256 == digits.MODEL_SHA256:
        return digits.CLASS_NAMES
    for entry in catalogue.entries().values():
        if entry.sha256 == sha256:
            return entry.classes
    return ()
