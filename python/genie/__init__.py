"""Genie from Python: capture a PyTorch model, compile it ahead of time, run its plan."""

from genie.capture import annotate, export, save

__version__ = "0.1.0"
__all__ = ["annotate", "export", "save"]
