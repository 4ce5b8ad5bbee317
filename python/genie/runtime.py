"""Plans from Python: a thin layer over libgenie's C API (include/genie/genie.h) by ctypes.

Tensors are not copied: a run reads the memory of contiguous input tensors and writes that of fresh output tensors.
"""

import ctypes
import functools
import os
from ctypes import POINTER, Structure, byref, c_bool, c_char_p, c_int, c_int32, c_int64, c_uint32, c_uint64, c_void_p

import torch

from genie import toolchain
from genie.toolchain import GenieError

MAX_RANK = 8

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


class _Tensor(Structure):
    _fields_ = [("data", c_void_p), ("dtype", c_int), ("rank", c_int32), ("shape", c_int64 * MAX_RANK)]


class _Dim(Structure):
    _fields_ = [("minimum", c_int64), ("maximum", c_int64), ("expression", c_char_p)]


class _TensorInfo(Structure):
    _fields_ = [
        ("name", c_char_p),
        ("dtype", c_int),
        ("rank", c_int32),
        ("dims", _Dim * MAX_RANK),
        ("maximum_bytes", c_uint64),
    ]


class _SessionOptions(Structure):
    _fields_ = [
        ("device", c_char_p),
        ("thread_count", c_uint32),
        ("has_profile", c_bool),
        ("reserved", c_uint64 * 4),
    ]


class SessionStats(Structure):
    """What genie_session_get_stats() measures; the header documents the fields."""

    _fields_ = [
        ("run_count", c_uint64),
        ("last_run_ns", c_uint64),
        ("last_launch_count", c_uint64),
        ("last_copy_bytes", c_uint64),
        ("load_ns", c_uint64),
        ("weight_bytes", c_uint64),
        ("state_bytes", c_uint64),
        ("slab_bytes", c_uint64),
        ("scratch_bytes", c_uint64),
        ("code_bytes", c_uint64),
        ("thread_count", c_uint32),
        ("reserved", c_uint32),
        ("target", c_char_p),
    ]


# name: (result, arguments); a status result is checked by `_check`.
_STATUS = c_uint64
_FUNCTIONS = {
    "genie_version": (c_char_p, []),
    "genie_status_message": (c_char_p, [c_uint64]),
    "genie_status_free": (None, [c_uint64]),
    "genie_model_open": (_STATUS, [c_char_p, c_void_p, POINTER(c_void_p)]),
    "genie_model_close": (None, [c_void_p]),
    "genie_model_entry_count": (c_uint32, [c_void_p]),
    "genie_model_entry_name": (c_char_p, [c_void_p, c_uint32]),
    "genie_model_find_entry": (_STATUS, [c_void_p, c_char_p, POINTER(c_uint32)]),
    "genie_model_input_count": (c_uint32, [c_void_p, c_uint32]),
    "genie_model_output_count": (c_uint32, [c_void_p, c_uint32]),
    "genie_model_state_count": (c_uint32, [c_void_p]),
    "genie_model_input_info": (_STATUS, [c_void_p, c_uint32, c_uint32, POINTER(_TensorInfo)]),
    "genie_model_output_info": (_STATUS, [c_void_p, c_uint32, c_uint32, POINTER(_TensorInfo)]),
    "genie_model_state_info": (_STATUS, [c_void_p, c_uint32, POINTER(_TensorInfo)]),
    "genie_session_create": (_STATUS, [c_void_p, POINTER(_SessionOptions), POINTER(c_void_p)]),
    "genie_session_destroy": (None, [c_void_p]),
    "genie_session_run": (_STATUS, [c_void_p, c_uint32, c_void_p, c_uint32, c_void_p, c_uint32]),
    "genie_session_infer_outputs": (_STATUS, [c_void_p, c_uint32, c_void_p, c_uint32, c_void_p, c_uint32]),
    "genie_session_reset_state": (_STATUS, [c_void_p]),
    "genie_session_read_state": (_STATUS, [c_void_p, c_char_p, c_void_p, c_uint64]),
    "genie_session_write_state": (_STATUS, [c_void_p, c_char_p, c_void_p, c_uint64]),
    "genie_session_get_stats": (None, [c_void_p, POINTER(SessionStats)]),
}


@functools.cache
def _library():
    library = ctypes.CDLL(toolchain.libgenie())
    for name, (result, arguments) in _FUNCTIONS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def _check(status):
    if status:
        library = _library()
        message = library.genie_status_message(status).decode()
        library.genie_status_free(status)
        raise GenieError(message)


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
        _check(_library().genie_model_open(os.fsencode(path), None, byref(self._handle)))
        self.entries = [
            _library().genie_model_entry_name(self._handle, entry).decode()
            for entry in range(_library().genie_model_entry_count(self._handle))
        ]
        self.states = self._infos("state", _library().genie_model_state_count(self._handle))

    def find_entry(self, name):
        entry = c_uint32()
        _check(_library().genie_model_find_entry(self._handle, name.encode(), byref(entry)))
        return entry.value

    def inputs(self, entry=0):
        return self._infos("input", _library().genie_model_input_count(self._handle, entry), entry)

    def outputs(self, entry=0):
        return self._infos("output", _library().genie_model_output_count(self._handle, entry), entry)

    def _infos(self, kind, count, *entry):
        read, infos = getattr(_library(), f"genie_model_{kind}_info"), []
        for index in range(count):
            info = _TensorInfo()
            _check(read(self._handle, *entry, index, byref(info)))
            infos.append(TensorInfo(info))
        return infos

    def __del__(self):
        if getattr(self, "_handle", None):
            _library().genie_model_close(self._handle)


class Session:
    """A model loaded into memory, with its state and threads. One thread at a time uses it."""

    def __init__(self, model, threads=0, device=None):
        self.model = model
        self._handle = c_void_p()
        options = _SessionOptions(device=device and device.encode(), thread_count=threads)
        _check(_library().genie_session_create(model._handle, byref(options), byref(self._handle)))
        self._entries = {}

    def run(self, inputs, entry=0):
        """Output tensors of a run; `inputs` are CPU tensors in the plan's order."""
        if entry not in self._entries:
            self._entries[entry] = _Entry(self, entry)
        return self._entries[entry].run(inputs)

    def read_state(self, name):
        info = self._state(name)
        value = torch.empty(info.shape, dtype=info.dtype)
        _check(_library().genie_session_read_state(self._handle, name.encode(), value.data_ptr(), value.nbytes))
        return value

    def write_state(self, name, value):
        info = self._state(name)
        value = value.to(info.dtype).contiguous()
        _check(_library().genie_session_write_state(self._handle, name.encode(), value.data_ptr(), value.nbytes))

    def reset_state(self):
        _check(_library().genie_session_reset_state(self._handle))

    def stats(self):
        stats = SessionStats()
        _library().genie_session_get_stats(self._handle, byref(stats))
        return stats

    def _state(self, name):
        for info in self.model.states:
            if info.name == name:
                return info
        raise GenieError(f"no state {name!r}; there are: {', '.join(info.name for info in self.model.states)}")

    def __del__(self):
        if getattr(self, "_handle", None):
            _library().genie_session_destroy(self._handle)


class _Entry:
    """The call of one entry: its argument arrays are made once."""

    def __init__(self, session, entry):
        self._session, self._entry = session, entry
        self._inputs, self._outputs = session.model.inputs(entry), session.model.outputs(entry)
        self._input_array = (_Tensor * len(self._inputs))()
        self._output_array = (_Tensor * len(self._outputs))()
        self._shapes = None
        self._output_shapes = None
        self._run = _library().genie_session_run

    def run(self, inputs):
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
        status = self._run(self._session._handle, self._entry, self._input_array, len(inputs), self._output_array, len(outputs))
        if status:
            _check(status)
        return outputs

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
        _check(_library().genie_session_infer_outputs(self._session._handle, self._entry, *arguments))
        self._output_shapes = [(tuple(slot.shape[: slot.rank]), DTYPES[slot.dtype]) for slot in self._output_array]
        self._shapes = shapes
