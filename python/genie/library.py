"""The functions and structures of libgenie (include/genie/genie.h) for ctypes. Imports no PyTorch."""

import ctypes
import functools
from ctypes import POINTER, Structure, c_bool, c_char_p, c_int, c_int32, c_int64, c_uint32, c_uint64, c_void_p

from genie import toolchain
from genie.toolchain import GenieError

MAX_RANK = 8


class Tensor(Structure):
    _fields_ = [("data", c_void_p), ("dtype", c_int), ("rank", c_int32), ("shape", c_int64 * MAX_RANK)]


class Dim(Structure):
    _fields_ = [("minimum", c_int64), ("maximum", c_int64), ("expression", c_char_p)]


class TensorInfo(Structure):
    _fields_ = [
        ("name", c_char_p),
        ("dtype", c_int),
        ("rank", c_int32),
        ("dims", Dim * MAX_RANK),
        ("maximum_bytes", c_uint64),
    ]


class RemoteOptions(Structure):
    _fields_ = [
        ("pool", c_char_p),
        ("place_map", POINTER(c_char_p)),
        ("place_map_count", c_uint32),
        ("may_retry", c_bool),
        ("is_strict", c_bool),
        ("key", c_char_p),
        ("known_nodes", c_char_p),
        ("call_timeout_ns", c_uint64),
        ("progress", c_void_p),
        ("progress_context", c_void_p),
        ("weights_path", c_char_p),
        ("reserved", c_uint64 * 7),
    ]


class SessionOptions(Structure):
    _fields_ = [
        ("device", c_char_p),
        ("thread_count", c_uint32),
        ("has_profile", c_bool),
        ("has_device_time", c_bool),
        ("cache_directory", c_char_p),
        ("library_path", c_char_p),
        ("remote", POINTER(RemoteOptions)),
        ("has_trace", c_bool),
        ("reserved", c_uint64 * 2),
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
        ("last_device_ns", c_uint64),
        ("last_enqueue_ns", c_uint64),
    ]


class Traffic(Structure):
    """One edge of the traffic contract with its counters; the header documents the fields."""

    _fields_ = [
        ("name", c_char_p),
        ("phase", c_char_p),
        ("source", c_char_p),
        ("destination", c_char_p),
        ("maximum_bytes", c_uint64),
        ("planned_bytes", c_uint64),
        ("last_bytes", c_uint64),
        ("total_bytes", c_uint64),
        ("reserved", c_uint64 * 2),
    ]


class TraceEvent(Structure):
    """Something that happened in a session; the header documents the fields."""

    _fields_ = [
        ("kind", c_uint32),
        ("what", c_char_p),
        ("name", c_char_p),
        ("module", c_char_p),
        ("source", c_char_p),
        ("destination", c_char_p),
        ("call", c_uint64),
        ("bytes", c_uint64),
        ("begin_ns", c_uint64),
        ("end_ns", c_uint64),
        ("error_ns", c_uint64),
        ("reserved", c_uint64 * 2),
    ]


# name: (result, arguments); a status result is checked by `check`.
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
    "genie_model_input_info": (_STATUS, [c_void_p, c_uint32, c_uint32, POINTER(TensorInfo)]),
    "genie_model_output_info": (_STATUS, [c_void_p, c_uint32, c_uint32, POINTER(TensorInfo)]),
    "genie_model_state_info": (_STATUS, [c_void_p, c_uint32, POINTER(TensorInfo)]),
    "genie_session_create": (_STATUS, [c_void_p, POINTER(SessionOptions), POINTER(c_void_p)]),
    "genie_session_destroy": (None, [c_void_p]),
    "genie_session_run": (_STATUS, [c_void_p, c_uint32, c_void_p, c_uint32, c_void_p, c_uint32]),
    "genie_session_infer_outputs": (_STATUS, [c_void_p, c_uint32, c_void_p, c_uint32, c_void_p, c_uint32]),
    "genie_session_submit": (_STATUS, [c_void_p, c_uint32, c_void_p, c_uint32, c_void_p, c_uint32, c_void_p, POINTER(c_void_p)]),
    "genie_submission_wait": (_STATUS, [c_void_p, c_uint64]),
    "genie_submission_cancel": (None, [c_void_p]),
    "genie_submission_destroy": (None, [c_void_p]),
    "genie_session_traffic_count": (c_uint32, [c_void_p, c_uint32]),
    "genie_session_traffic": (_STATUS, [c_void_p, c_uint32, c_uint32, POINTER(Traffic)]),
    "genie_session_trace": (_STATUS, [c_void_p, POINTER(POINTER(TraceEvent)), POINTER(c_uint32), POINTER(c_uint64)]),
    "genie_session_reset_state": (_STATUS, [c_void_p]),
    "genie_session_read_state": (_STATUS, [c_void_p, c_char_p, c_void_p, c_uint64]),
    "genie_session_write_state": (_STATUS, [c_void_p, c_char_p, c_void_p, c_uint64]),
    "genie_session_get_stats": (None, [c_void_p, POINTER(SessionStats)]),
}


@functools.cache
def load():
    library = ctypes.CDLL(toolchain.libgenie())
    for name, (result, arguments) in _FUNCTIONS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def check(status):
    if status:
        library = load()
        message = library.genie_status_message(status).decode()
        library.genie_status_free(status)
        raise GenieError(message)
