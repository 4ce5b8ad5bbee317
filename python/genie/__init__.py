"""Genie from Python: capture a PyTorch model, compile it ahead of time, run its plan."""

import importlib

__version__ = "0.1.0"

_HOMES = {
    "CompiledModel": "compiled",
    "GenieError": "toolchain",
    "Model": "runtime",
    "Session": "runtime",
    "annotate": "capture",
    "compile": "compiled",
    "export": "capture",
    "save": "capture",
}
__all__ = sorted(_HOMES)


def __getattr__(name):
    """Names are imported when they are first used: running a plan needs little of this package."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
