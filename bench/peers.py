"""How each peer builds a case and steps through it.

`build(module, inputs, folder)` writes files and returns those that deployment needs, and the seconds of its parts. `load(folder, case_folder, threads)`
returns `step()`, which computes once and returns the first output. Peers that need no PyTorch to run do not import it.
"""

import dataclasses
import json
import os
import pathlib
import time
import typing

import numpy


@dataclasses.dataclass(frozen=True)
class Peer:
    build: typing.Callable
    load: typing.Callable
    form: str = "inplace"  # of a decoder: see cases.py
    distributions: tuple = ("torch",)


def slots(module):
    """Every parameter and buffer of a module, tied and non-persistent ones too: name -> (its dict, its key)."""
    return {
        f"{prefix}.{key}": (group, key)
        for prefix, part in module.named_modules()
        for group in (part._parameters, part._buffers)
        for key, value in group.items()
        if value is not None
    }


def load_module(case_folder):
    """The prepared module, its tensors mapped from the file, and its inputs."""
    import torch

    import cases

    case = json.loads((case_folder / "case.json").read_text())
    with torch.device("meta"):
        module, _ = cases.make(case["case"], case["form"])
    saved = torch.load(case_folder / "tensors.pt", mmap=True)
    for name, (group, key) in slots(module).items():
        group[key] = saved[name]
    return module, torch.load(case_folder / "inputs.pt")


def load_arrays(case_folder):
    """(array, is bfloat16 stored as uint16) of each input, without PyTorch."""
    with numpy.load(case_folder / "inputs.npz") as arrays:
        return [(arrays[name], name.endswith("bf16")) for name in arrays.files]


def _first(result):
    return result[0] if isinstance(result, (tuple, list)) else result


def _torch_step(function, inputs):
    import torch

    def step():
        with torch.inference_mode():
            return _first(function(*inputs))

    return step


def _build_nothing(module, inputs, folder):
    return [], {}


def _load_eager(folder, case_folder, threads):
    import torch

    torch.set_num_threads(threads)
    module, inputs = load_module(case_folder)
    return _torch_step(module, inputs)


def _inductor(folder, is_tuned):
    """torch.compile as configured by default, or with freezing and max-autotune."""
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(folder / "cache")
    import torch
    import torch._inductor.config as config

    config.freezing = is_tuned
    if is_tuned:
        config.max_autotune, config.max_autotune_gemm_backends = True, "CPP,ATEN"
    return torch


def _inductor_peer(is_tuned):
    def build(module, inputs, folder):
        torch = _inductor(folder, is_tuned)
        torch.set_num_threads(1)
        _torch_step(torch.compile(module), inputs)()
        return [], {}

    def load(folder, case_folder, threads):
        torch = _inductor(folder, is_tuned)
        torch.set_num_threads(threads)
        module, inputs = load_module(case_folder)
        return _torch_step(torch.compile(module), inputs)

    return Peer(build, load)


def _build_onnxruntime(module, inputs, folder):
    import torch

    torch.onnx.export(module, inputs, folder / "model.onnx", dynamo=True, external_data=True, verbose=False)
    return [folder / "model.onnx", folder / "model.onnx.data"], {}


def _load_onnxruntime(folder, case_folder, threads):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(folder / "model.onnx", options, providers=["CPUExecutionProvider"])
    binding = session.io_binding()
    for info, (array, _) in zip(session.get_inputs(), load_arrays(case_folder)):
        binding.bind_cpu_input(info.name, array)
    for info in session.get_outputs():
        binding.bind_output(info.name)

    def step():
        session.run_with_iobinding(binding)
        return binding.get_outputs()[0]

    return step


def _compile_openvino(folder, threads):
    import openvino

    is_bf16 = json.loads((folder / "precision.json").read_text()) == "bf16"
    settings = dict(PERFORMANCE_HINT="LATENCY", INFERENCE_NUM_THREADS=threads, NUM_STREAMS=1, ENABLE_CPU_PINNING=False)
    settings["INFERENCE_PRECISION_HINT"] = "bf16" if is_bf16 else "f32"
    return openvino, openvino.Core().compile_model(folder / "model.xml", "CPU", settings)


def _build_openvino(module, inputs, folder):
    import openvino
    import torch

    with torch.no_grad():
        model = openvino.convert_model(torch.export.export(module, inputs))
    openvino.save_model(model, folder / "model.xml", compress_to_fp16=False)
    is_bf16 = any(tensor.dtype == torch.bfloat16 for tensor in module.parameters())
    (folder / "precision.json").write_text(json.dumps("bf16" if is_bf16 else "f32"))
    _compile_openvino(folder, 1)
    return [folder / "model.xml", folder / "model.bin"], {}


def _load_openvino(folder, case_folder, threads):
    openvino, model = _compile_openvino(folder, threads)
    request, arrays = model.create_infer_request(), load_arrays(case_folder)
    for index, (array, is_bf16) in enumerate(arrays):
        tensor = openvino.Tensor(array, array.shape, openvino.Type.bf16) if is_bf16 else openvino.Tensor(array)
        request.set_input_tensor(index, tensor)

    def step(kept=arrays):  # a bfloat16 tensor is a view of its array
        request.infer()
        return request.get_output_tensor(0).data

    return step


def _build_genie(module, inputs, folder):
    import safetensors.torch

    import genie
    from genie import toolchain

    program = genie.export(module, inputs, path=folder / "model.pt2")
    names = program.graph_signature.user_inputs
    safetensors.torch.save_file(dict(zip(names, inputs, strict=True)), folder / "inputs.safetensors")
    started = time.monotonic()
    toolchain.compile_archive(folder / "model.pt2", folder / "model.gplan")
    seconds = time.monotonic() - started
    (folder / "model.pt2").unlink()
    return [folder / "model.gplan"], {"geniec_seconds": seconds}


def _load_genie(folder, case_folder, threads):
    """Through libgenie by ctypes on numpy memory; outputs stay in the session's memory."""
    from ctypes import byref, c_int64, c_void_p, cast, c_float, POINTER

    from genie import library

    functions, model, session = library.load(), c_void_p(), c_void_p()
    library.check(functions.genie_model_open(os.fsencode(folder / "model.gplan"), None, byref(model)))
    options = library.SessionOptions(thread_count=threads)
    library.check(functions.genie_session_create(model, byref(options), byref(session)))
    arrays = [_aligned(array) for array, _ in load_arrays(case_folder)]
    inputs = (library.Tensor * len(arrays))()
    for index, array in enumerate(arrays):
        info = library.TensorInfo()
        library.check(functions.genie_model_input_info(model, 0, index, byref(info)))
        shape = (c_int64 * library.MAX_RANK)(*array.shape)
        inputs[index] = library.Tensor(array.ctypes.data, info.dtype, array.ndim, shape)
    outputs = (library.Tensor * functions.genie_model_output_count(model, 0))()

    def step(kept=(arrays, model)):
        for output in outputs:
            output.data = None
        library.check(functions.genie_session_run(session, 0, inputs, len(inputs), outputs, len(outputs)))
        shape = outputs[0].shape[: outputs[0].rank]
        return numpy.ctypeslib.as_array(cast(outputs[0].data, POINTER(c_float)), shape)

    return step


def _aligned(array):
    """A copy whose memory starts at a multiple of 64 bytes, which libgenie uses in place."""
    memory = numpy.empty(array.nbytes + 64, numpy.uint8)
    start = -memory.ctypes.data % 64
    copy = memory[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


PEERS = {
    "genie": Peer(_build_genie, _load_genie, distributions=()),
    "eager": Peer(_build_nothing, _load_eager),
    "inductor": _inductor_peer(False),
    "inductor-max": _inductor_peer(True),
    "onnxruntime": Peer(_build_onnxruntime, _load_onnxruntime, "rows", ("onnxruntime",)),
    "openvino": Peer(_build_openvino, _load_openvino, "rows", ("openvino",)),
}


def as_numpy(value):
    """The first output of any peer as float32."""
    if hasattr(value, "float"):
        value = value.float()
    array = value.numpy() if hasattr(value, "numpy") else numpy.asarray(value)
    return numpy.array(array, dtype=numpy.float32)


def file_bytes(paths):
    return sum(pathlib.Path(path).stat().st_size for path in paths if pathlib.Path(path).exists())
