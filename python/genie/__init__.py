"""Genie from Python: capture a PyTorch model, compile it ahead of time, run its plan."""

from genie.capture import annotate, export, save
from genie.compiled import CompiledModel, compile
from genie.runtime import Model, Session
from genie.toolchain import GenieError

__version__ = "0.1.0"
__all__ = ["CompiledModel", "GenieError", "Model", "Session", "annotate", "compile", "export", "save"]
