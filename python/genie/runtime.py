"""Plans from Python: a thin layer over libgenie's C API (include/genie/genie.h) by ctypes.

Tensors are not copied: a run reads the memory of contiguous input tensors and writes that of fresh output tensors.
"""

import os
import warnings
from ctypes import POINTER, byref, c_char_p, c_uint32, c_uint64, c_void_p, pointer

import torch

from genie import library
from genie.library import MAX_RANK, check
from genie.toolchain import GenieError

# Numbers of include/genie/dtype.def.
DTYPES = {
    1: torch.float32,
    2: torch.float64,
    3: torch.float16,
    4: torch.bfloat16,
    5: torch.int8,
    6: torch.int16,
    7: torch.int32,
    8: torch.int64,
    9: torch.uint8,
    10: torch.bool,
}
NUMBERS = {dtype: number for number, dtype in DTYPES.items()}


class TensorInfo:
    """Name, dtype and dimensions of an input, output or state; a dynamic dimension is a (minimum, maximum) pair."""

    def __init__(self, info):
        self.name = info.name.decode()
        self.dtype = DTYPES[info.dtype]
        dims = [(dim.minimum, dim.maximum) for dim in info.dims[: info.rank]]
        self.shape = tuple(low if low == high else (low, high) for low, high in dims)

    @property
    def is_static(self):
        return all(isinstance(size, int) for size in self.shape)


class Model:
    """An opened and verified plan."""

    def __init__(self, path):
        self._handle = c_void_p()
        check(library.load().genie_model_open(os.fsencode(path), None, byref(self._handle)))
        self.entries = [
            library.load().genie_model_entry_name(self._handle, entry).decode()
            for entry in range(library.load().genie_model_entry_count(self._handle))
        ]
        self.states = self._infos("state", library.load().genie_model_state_count(self._handle))

    def find_entry(self, name):
        entry = c_uint32()
        check(library.load().genie_model_find_entry(self._handle, name.encode(), byref(entry)))
        return entry.value

    def inputs(self, entry=0):
        return self._infos("input", library.load().genie_model_input_count(self._handle, entry), entry)

    def outputs(self, entry=0):
        return self._infos("output", library.load().genie_model_output_count(self._handle, entry), entry)

    def _infos(self, kind, count, *entry):
        read, infos = getattr(library.load(), f"genie_model_{kind}_info"), []
        for index in range(count):
            info = library.TensorInfo()
            check(read(self._handle, *entry, index, byref(info)))
            infos.append(TensorInfo(info))
        return infos

    def __del__(self):
        if getattr(self, "_handle", None):
            library.load().genie_model_close(self._handle)


def _remote_options(pool, places, key, known_nodes):
    pairs = [f"{place}={home}".encode() for place, home in (places or {}).items()]
    return library.RemoteOptions(
        pool=os.fsencode(pool),
        place_map=(c_char_p * len(pairs))(*pairs),
        place_map_count=len(pairs),
        key=key and os.fsencode(key),
        known_nodes=known_nodes and os.fsencode(known_nodes),
    )


class Session:
    """A model loaded into memory, with its state and threads. One thread at a time uses it.

    For a GPU: `library_path` has folders of cuBLASLt and cuDNN, `cache` keeps compiled code, and with `device_time` a run is
    also measured by the GPU's clock.

    `pool` is the path of a pool descriptor (docs/pool.md): the plan's places then run on its nodes, or where `places`,
    as in {"local:cpu0": "node1:cpu0"}, moves them; `key` and `known_nodes` are files as of `genie run`. With `trace` it
    records what every place and link does.
    """

    def __init__(
        self, model, threads=0, device=None, library_path=None, cache=None, device_time=False, pool=None, places=None, key=None, known_nodes=None, trace=False
    ):
        self.model = model
        self._handle = c_void_p()
        options = library.SessionOptions(
            device=device and device.encode(),
            thread_count=threads,
            has_device_time=device_time,
            has_trace=trace,
            cache_directory=cache and cache.encode(),
            library_path=library_path and library_path.encode(),
        )
        if pool is not None:
            options.remote = pointer(_remote_options(pool, places, key, known_nodes))
        check(library.load().genie_session_create(model._handle, byref(options), byref(self._handle)))
        self._entries = {}

    def run(self, inputs, entry=0):
        """Output tensors of a run; `inputs` are CPU tensors in the plan's order."""
        if entry not in self._entries:
            self._entries[entry] = _Entry(self, entry)
        return self._entries[entry].run(inputs)

    def submit(self, inputs, entry=0):
        """Starts a run and returns a Submission; runs of a session overlap where the plan has several places."""
        if entry not in self._entries:
            self._entries[entry] = _Entry(self, entry)
        return self._entries[entry].submit(inputs)

    def traffic(self, entry=0):
        """What moved in the last run of an entry: a dict for each edge of the plan's traffic contract."""
        rows = []
        for index in range(library.load().genie_session_traffic_count(self._handle, entry)):
            row = library.Traffic()
            check(library.load().genie_session_traffic(self._handle, entry, index, byref(row)))
            texts = {name: getattr(row, name).decode() for name in ("name", "phase", "source", "destination")}
            rows.append(texts | {name: getattr(row, name) for name in ("maximum_bytes", "planned_bytes", "last_bytes", "total_bytes")})
        return rows

    def trace(self):
        """What happened since the trace was read last, by begin: a dict for each event (genie_session_trace_event_t).

        A RuntimeWarning says how many did not fit; read it more often then.
        """
        events, count, dropped = POINTER(library.TraceEvent)(), c_uint32(), c_uint64()
        check(library.load().genie_session_trace(self._handle, byref(events), byref(count), byref(dropped)))
        if dropped.value > 0:
            warnings.warn(f"{dropped.value} events did not fit into the trace", RuntimeWarning, stacklevel=2)
        texts, numbers = ("what", "name", "module", "source", "destination"), ("call", "bytes", "begin_ns", "end_ns", "error_ns")
        return [
            {name: getattr(event, name).decode() for name in texts} | {name: getattr(event, name) for name in numbers}
            for event in events[: count.value]
        ]

    def read_state(self, name):
        info = self._state(name)
        value = torch.empty(info.shape, dtype=info.dtype)
        check(library.load().genie_session_read_state(self._handle, name.encode(), value.data_ptr(), value.nbytes))
        return value

    def write_state(self, name, value):
        info = self._state(name)
        value = value.to(info.dtype).contiguous()
        check(library.load().genie_session_write_state(self._handle, name.encode(), value.data_ptr(), value.nbytes))

    def reset_state(self):
        check(library.load().genie_session_reset_state(self._handle))

    def stats(self):
        stats = library.SessionStats()
        library.load().genie_session_get_stats(self._handle, byref(stats))
        return stats

    def _state(self, name):
        for info in self.model.states:
            if info.name == name:
                return info
        raise GenieError(f"no state {name!r}; there are: {', '.join(info.name for info in self.model.states)}")

    def __del__(self):
        if getattr(self, "_handle", None):
            library.load().genie_session_destroy(self._handle)


class Submission:
    """A run in flight."""

    def __init__(self, session, handle, kept, outputs):
        self._session, self._handle, self._kept, self._outputs = session, handle, kept, outputs

    def wait(self):
        """The outputs, when the run is done."""
        status = library.load().genie_submission_wait(self._handle, 2**64 - 1)
        if status:
            check(status)
        return self._outputs

    def cancel(self):
        library.load().genie_submission_cancel(self._handle)

    def __del__(self):
        if getattr(self, "_handle", None):
            library.load().genie_submission_destroy(self._handle)


class _Entry:
    """The call of one entry: its argument arrays are made once."""

    def __init__(self, session, entry):
        self._session, self._entry = session, entry
        self._inputs, self._outputs = session.model.inputs(entry), session.model.outputs(entry)
        self._input_array = (library.Tensor * len(self._inputs))()
        self._output_array = (library.Tensor * len(self._outputs))()
        self._shapes = None
        self._output_shapes = None
        self._run = library.load().genie_session_run

    def run(self, inputs):
        inputs, outputs = self._fill(inputs)
        status = self._run(self._session._handle, self._entry, self._input_array, len(inputs), self._output_array, len(outputs))
        if status:
            check(status)
        return outputs

    def submit(self, inputs):
        inputs, outputs = self._fill(inputs)
        arrays = type(self._input_array).from_buffer_copy(self._input_array), type(self._output_array).from_buffer_copy(self._output_array)
        handle = c_void_p()
        arguments = self._session._handle, self._entry, arrays[0], len(inputs), arrays[1], len(outputs), None
        check(library.load().genie_session_submit(*arguments, byref(handle)))
        return Submission(self._session, handle, (arrays, inputs), outputs)

    def _fill(self, inputs):
        """The inputs, dense, and new outputs, both bound to the argument arrays."""
        if len(inputs) != len(self._inputs):
            names = ", ".join(info.name for info in self._inputs)
            raise GenieError(f"{len(inputs)} inputs given, the plan takes {len(self._inputs)}: {names}")
        inputs = [tensor if tensor.is_contiguous() else tensor.contiguous() for tensor in inputs]
        shapes = [(tensor.shape, tensor.dtype, tensor.device.type) for tensor in inputs]
        if shapes != self._shapes:
            self._bind(inputs, shapes)
        for slot, tensor in zip(self._input_array, inputs):
            slot.data = tensor.data_ptr()
        outputs = [torch.empty(shape, dtype=dtype) for shape, dtype in self._output_shapes]
        for slot, tensor in zip(self._output_array, outputs):
            slot.data = tensor.data_ptr()
        return inputs, outputs

    def _bind(self, inputs, shapes):
        """Fills what only depends on the shapes, and learns the shapes of the outputs."""
        self._shapes = None
        for slot, tensor, info in zip(self._input_array, inputs, self._inputs):
            if tensor.device.type != "cpu":
                raise GenieError(f"input {info.name} is on {tensor.device}; Genie reads tensors of the CPU")
            if tensor.dtype not in NUMBERS or tensor.dim() > MAX_RANK:
                raise GenieError(f"input {info.name}: {tensor.dtype} of rank {tensor.dim()} is not supported")
            slot.dtype, slot.rank = NUMBERS[tensor.dtype], tensor.dim()
            slot.shape[: tensor.dim()] = tensor.shape
        arguments = self._input_array, len(inputs), self._output_array, len(self._outputs)
        check(library.load().genie_session_infer_outputs(self._session._handle, self._entry, *arguments))
        self._output_shapes = [(tuple(slot.shape[: slot.rank]), DTYPES[slot.dtype]) for slot in self._output_array]
        self._shapes = shapes
