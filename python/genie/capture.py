"""Captures a PyTorch module as a `.pt2` archive that geniec reads."""

import contextlib
import io
import os
import tempfile
import warnings

import torch
from torch.utils import _pytree as pytree

from genie import decompositions


def annotate(phase=None, **notes):
    """A context manager for model code: the ops inside carry `genie.phase` and other `genie.*` notes into the archive.

    Nested contexts merge. Exports made by `genie.export` keep the notes; a bare `torch.export.export` drops them.
    """
    if phase is not None:
        notes["phase"] = phase
    return torch.fx.traceback.annotate({f"genie.{key}": str(value) for key, value in notes.items()})


def export(model, args=(), kwargs=None, dynamic_shapes=None, path=None, strict=False):
    """Captures `model` for inference; returns the `torch.export.ExportedProgram`, and writes it to `path` if one is given.

    `args`, `kwargs` and `dynamic_shapes` are those of `torch.export.export`. The result keeps composite ops whole, and it
    replaces in-place writes to buffers (a KV cache) by updates that the archive's signature names. The module is not changed.
    """
    args, kwargs = _distinct((tuple(args), dict(kwargs or {})))
    with torch.no_grad(), torch.fx.traceback.preserve_node_meta(), _inference_mode(model), _quiet():
        program = torch.export.export(model, args, kwargs, dynamic_shapes=dynamic_shapes, strict=strict)
        program = program.run_decompositions(decompositions.table())
    if path is not None:
        save(program, path)
    return program


def save(program, path):
    """Writes an exported program; `path` is replaced when all bytes are there, never before."""
    path = os.fspath(path)
    if os.path.exists(path) and not os.path.isfile(path):
        raise OSError(f"{path}: is not a regular file")
    try:
        handle, partial = tempfile.mkstemp(suffix=".pt2", prefix=".genie-", dir=os.path.dirname(path) or ".")
    except OSError as error:
        raise type(error)(error.errno, error.strerror, path) from None
    try:
        with open(handle, "wb") as file, _quiet():
            os.fchmod(handle, 0o666 & ~_umask())
            sink = _Sink(file)
            torch.export.save(program, sink)
            if sink.failure is not None:
                raise type(sink.failure)(sink.failure.errno, sink.failure.strerror, path)
        os.replace(partial, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(partial)
        raise


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


class _Sink(io.RawIOBase):
    """Passes bytes on to a file until that fails, and keeps the failure: PyTorch's writer ends the process when its own fails."""

    def __init__(self, file):
        self._file, self.failure = file, None

    def writable(self):
        return True

    def seekable(self):
        return True

    def seek(self, offset, whence=os.SEEK_SET):
        """PyTorch goes back to the start when all is written, for a reader that is not there."""
        return offset

    def write(self, data):
        if self.failure is None:
            try:
                self._file.write(data)
                self._file.flush()
            except OSError as error:
                self.failure = error
        return len(data)


def _distinct(tree):
    """Clones tensors that occur twice: torch.export merges inputs that are the same object into one."""
    seen = set()

    def distinct(leaf):
        if not isinstance(leaf, torch.Tensor):
            return leaf
        if id(leaf) in seen:
            return leaf.detach().clone()
        seen.add(id(leaf))
        return leaf

    return pytree.tree_map(distinct, tree)


@contextlib.contextmanager
def _quiet():
    """Hides what PyTorch tells its own developers about its own calls."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.filterwarnings("ignore", message=r"The tensor attributes? self\._flat_weights")
        yield


@contextlib.contextmanager
def _inference_mode(model):
    """Sets evaluation mode and restores what each submodule had."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True
