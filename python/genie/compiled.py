"""`genie.compile`: a PyTorch module as a callable that runs a plan."""

import os
import tempfile

import torch
from torch.export.graph_signature import ConstantArgument, OutputKind, TensorArgument
from torch.utils import _pytree as pytree

from genie import capture, runtime, toolchain
from genie.toolchain import GenieError


class Program:
    """An exported program, compiled and loaded: flat tensors in, flat outputs out."""

    def __init__(self, exported, threads=0, options=(), remote=None):
        """`remote` holds arguments of runtime.Session that name a pool and keys; the plan is then placed on the pool."""
        remote = remote or {}
        if remote.get("pool") is not None:
            options = [*options, "--pool", os.fspath(remote["pool"])]
        with tempfile.TemporaryDirectory(prefix="genie-") as folder:
            archive, plan = os.path.join(folder, "model.pt2"), os.path.join(folder, "model.gplan")
            capture.save(exported, archive)
            toolchain.compile_archive(archive, plan, options)
            os.unlink(archive)
            self.session = runtime.Session(runtime.Model(plan), threads, **remote)
        self._results = [spec.arg for spec in exported.graph_signature.output_specs if spec.kind == OutputKind.USER_OUTPUT]
        names = [getattr(spec.arg, "name", None) for spec in exported.graph_signature.input_specs if spec.kind.name == "USER_INPUT"]
        self._taken = [names.index(info.name) for info in self.session.model.inputs()]

    def run(self, flat):
        """`flat` holds every leaf of the arguments, `None` and numbers included; so does the result."""
        tensors = iter(self.session.run([flat[position] for position in self._taken]))
        return [next(tensors) if isinstance(result, TensorArgument) else _constant(result) for result in self._results]


def _constant(result):
    if isinstance(result, ConstantArgument):
        return result.value
    raise GenieError(f"output {result.name} is neither a tensor nor a constant")


class CompiledModel:
    """Callable like the module that it was made from; compiles once for each combination of shapes and dtypes.

    Weights are those of the time of compilation. State (buffers that the module writes) lives in the session: calls advance
    it, the module's own buffers stay as they are.
    """

    def __init__(self, model, dynamic_shapes=None, threads=0, options=()):
        self._model, self._dynamic_shapes = model, dynamic_shapes
        self._threads, self._options = threads, options
        self._programs = {}

    def __call__(self, *args, **kwargs):
        flat, spec = pytree.tree_flatten((args, kwargs))
        program, out_spec = self._programs.get(self._key(flat, spec)) or self.prepare(args, kwargs)
        return pytree.tree_unflatten(program.run(flat), out_spec)

    def prepare(self, args, kwargs=None):
        """Compiles for these arguments, if that was not done before; returns what `__call__` runs."""
        kwargs = kwargs or {}
        flat, spec = pytree.tree_flatten((tuple(args), kwargs))
        key = self._key(flat, spec)
        if key not in self._programs:
            if any(program.session.model.states for program, _ in self._programs.values()):
                raise GenieError("this model keeps state, which belongs to the shapes that it was compiled for")
            exported = capture.export(self._model, args, kwargs, self._dynamic_shapes)
            self._programs[key] = Program(exported, self._threads, self._options), exported.call_spec.out_spec
        return self._programs[key]

    @property
    def sessions(self):
        """The `genie.runtime.Session` of each compiled shape."""
        return [program.session for program, _ in self._programs.values()]

    def _key(self, flat, spec):
        if self._dynamic_shapes is not None:
            return spec
        leaves = tuple((leaf.shape, leaf.dtype) if isinstance(leaf, torch.Tensor) else leaf for leaf in flat)
        return spec, leaves


def compile(model, args=(), kwargs=None, dynamic_shapes=None, threads=0, options=()):
    """Compiles `model` for arguments like these and returns a callable with the module's signature.

    Arguments of other shapes are compiled when they first come, unless `dynamic_shapes` (as of `torch.export.export`) lets
    one plan serve them all. `threads` is 0 for one per CPU; `options` go to geniec. GenieError says what cannot be compiled.
    """
    compiled = CompiledModel(model, dynamic_shapes, threads, options)
    compiled.prepare(args, kwargs)
    return compiled
