"""Chooses a kernel for every step: the first line of kernels.def, for its operator, that supports its parameters."""

from __future__ import annotations

from collections.abc import Callable

from host import defs, native
from host.errors import UnsupportedError
from host.plan import pack
from host.plan.network import Network, Step


def any_kernel(name: str) -> bool:
    """Admits every kernel."""
    return True


def reference_only(name: str) -> bool:
    """Admits only the obvious twins."""
    return name.endswith("_ref")


def choose(net: Network, admits: Callable[[str], bool] = any_kernel) -> None:
    """Sets `kernel` and `scratch_bytes` of every step.

    Raises UnsupportedError with operator, index and the offending parameter if no admitted kernel can do it.
    """
    for step in net.steps:
        candidates = candidates_of(step, admits)
        if not candidates:
            bad = native.params_valid(step.op, step.packed_params)
            reason = (
                f"its {bad} is out of the range of the kernels" if bad else "no kernel supports its shape"
            )
            raise UnsupportedError(f"operator {step.op_index} ({step.op_kind}, {step.name!r}): {reason}")
        step.kernel = candidates[0]
        step.scratch_bytes = native.scratch_bytes(step.kernel, step.packed_params)


def candidates_of(step: Step, admits: Callable[[str], bool] = any_kernel) -> list[str]:
    """Names of all admitted kernels that compute this step, in order of preference."""
    params = step.packed_params
    if native.params_valid(step.op, params) is not None:
        return []
    kernels = [k for k in defs.kernels().values() if k.op == step.op and admits(k.name)]
    return [k.name for k in kernels if native.supports(k.name, params) and pack.accepts(k, step)]
