"""Register sequences with one thing changed."""

from __future__ import annotations

from tests.bringup.bench import Step


def changed(steps: dict[str, Step], **new: Step) -> dict[str, Step]:
    """The sequence with other steps in the place of some; names with _ for blanks."""
    replaced = {name.replace("_", " "): step for name, step in new.items()}
    assert set(replaced) <= set(steps), set(replaced) - set(steps)
    return {**steps, **replaced}


def moved(steps: dict[str, Step], name: str, before: str) -> dict[str, Step]:
    """The sequence with one step done earlier or later."""
    rest = [n for n in steps if n != name]
    rest.insert(rest.index(before), name)
    return {n: steps[n] for n in rest}
