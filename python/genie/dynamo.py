"""`torch.compile(model, backend="genie")`: inference with static shapes.

Each graph that dynamo captures is exported again with its parameters and buffers as weights, compiled ahead of time and run
by libgenie. A graph that Genie cannot compile runs in eager PyTorch, with one warning that says why.
"""

import warnings

import torch

from genie import capture, compiled
from genie.toolchain import GenieError


class GenieWarning(UserWarning):
    """A graph runs in eager PyTorch."""


class _Bound(torch.nn.Module):
    """A captured graph whose weight inputs are this module's own: what is left are the user's inputs."""

    def __init__(self, graph, inputs, is_weight):
        super().__init__()
        self._graph, self._is_weight = graph, is_weight
        for position, (value, weight) in enumerate(zip(inputs, is_weight)):
            if weight and isinstance(value, torch.nn.Parameter):
                self.register_parameter(f"weight{position}", value)
            elif weight:
                self.register_buffer(f"weight{position}", value)

    def forward(self, *inputs):
        given = iter(inputs)
        merged = (getattr(self, f"weight{i}") if weight else next(given) for i, weight in enumerate(self._is_weight))
        return self._graph(*merged)


_REMOTE_OPTIONS = ("pool", "key", "known_nodes")


def _remote_of(options):
    return {name: options[name] for name in _REMOTE_OPTIONS if name in options}


def backend(graph, example_inputs, options=None):
    """The backend: `options` may hold `threads`, `geniec` (a list of options for geniec) and, to run on the nodes of a pool,
    `pool` (its descriptor), `key` and `known_nodes` (files as of `genie run`)."""
    try:
        return _compile(graph, example_inputs, options or {})
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        warnings.warn(f"genie: this graph runs in eager PyTorch: {reason}", GenieWarning, stacklevel=2)
        return graph.forward


def _compile(graph, example_inputs, options):
    unknown = set(options) - {"threads", "geniec", *_REMOTE_OPTIONS}
    if unknown:
        raise GenieError(f"unknown option {sorted(unknown)[0]}; there are threads, geniec, {', '.join(_REMOTE_OPTIONS)}")
    _check_inputs(example_inputs)
    placeholders = [node for node in graph.graph.nodes if node.op == "placeholder"]
    is_weight = [_is_weight(node, value) for node, value in zip(placeholders, example_inputs)]
    user_inputs = tuple(value for value, weight in zip(example_inputs, is_weight) if not weight)
    exported = capture.export(_Bound(graph, example_inputs, is_weight), user_inputs)
    signature = exported.graph_signature
    written = [*signature.buffers_to_mutate.values(), *signature.user_inputs_to_mutate.values()]
    if written:
        raise GenieError(f"it writes into {written[0]} in place; use genie.compile, which keeps such state in its session")
    program = compiled.Program(exported, options.get("threads", 0), options.get("geniec", ()), _remote_of(options))

    def run(*inputs):
        return tuple(program.run([value for value, weight in zip(inputs, is_weight) if not weight]))

    return run


def _check_inputs(example_inputs):
    if any(isinstance(value, torch.SymInt) for value in example_inputs):
        raise GenieError("its shapes are dynamic; pass dynamic=False to torch.compile")
    tensors = [value for value in example_inputs if isinstance(value, torch.Tensor)]
    if any(size for tensor in tensors for size in tensor.shape if isinstance(size, torch.SymInt)):
        raise GenieError("its shapes are dynamic; pass dynamic=False to torch.compile")
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors):
        raise GenieError("it needs gradients; call it under torch.no_grad()")


def _is_weight(node, value):
    """Dynamo passes parameters and buffers as inputs and marks them as static."""
    return isinstance(value, torch.nn.Parameter) or "_dynamo_static_input_type" in node.meta.get("tensor_dict", {})
