"""The processes of a benchmark: `prepare` a case, `build` a peer's artefact, `run`, which steps when it is told to, and
`start`, which measures a program from its start to its end.

`run` reads a number of steps a line from stdin and answers each with one line of JSON; an empty line ends it.
"""

import json
import os
import pathlib
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "python")]


def answer(**values):
    print("answer " + json.dumps(values), flush=True)


def prepare(case, form, case_folder):
    """Writes the module's tensors, the inputs, and the reference: eager PyTorch, and float64 for a bfloat16 case."""
    import copy

    import numpy
    import torch

    import cases
    import peers

    module, inputs = cases.make(case, form)
    torch.save({name: group[key] for name, (group, key) in peers.slots(module).items()}, case_folder / "tensors.pt")
    torch.save(inputs, case_folder / "inputs.pt")
    numpy.savez(case_folder / "inputs.npz", **{f"input{i}{_suffix(t)}": _to_numpy(t) for i, t in enumerate(inputs)})
    with torch.no_grad():
        results = {"eager": module(*inputs)}
        if any(tensor.dtype == torch.bfloat16 for tensor in module.parameters()):
            wide = [tensor.double() if tensor.is_floating_point() else tensor for tensor in inputs]
            results["exact"] = copy.deepcopy(module).double()(*wide)
    for name, result in results.items():
        numpy.save(case_folder / f"{name}.npy", peers.as_numpy(peers._first(result)))
    (case_folder / "case.json").write_text(json.dumps(dict(case=case, form=form)))


def _suffix(tensor):
    return "_bf16" if str(tensor.dtype) == "torch.bfloat16" else ""


def _to_numpy(tensor):
    import torch

    return tensor.contiguous().view(torch.uint16).numpy() if _suffix(tensor) else tensor.numpy()


def build(peer, case_folder, folder):
    import peers

    module, inputs = peers.load_module(case_folder)
    started, used = time.monotonic(), sum(os.times()[:4])
    files, parts = peers.PEERS[peer].build(module, inputs, folder)
    answer(
        compile_seconds=time.monotonic() - started,
        compile_cpu_seconds=sum(os.times()[:4]) - used,
        artefact_bytes=peers.file_bytes(files),
        **parts,
    )


def run(peer, case_folder, folder, threads, started):
    import peers

    step = peers.PEERS[peer].load(folder, case_folder, threads)
    result = step()
    cold = time.clock_gettime(time.CLOCK_MONOTONIC) - started
    answer(cold_ms=1e3 * cold, **_compare(peers.as_numpy(result), case_folder))
    for line in sys.stdin:
        if not line.strip():
            break
        times = []
        for _ in range(int(line)):
            begun = time.perf_counter()
            step()
            times.append(1e3 * (time.perf_counter() - begun))
        answer(times_ms=times, peak_mb=_peak_mb())


def start(command):
    """The fastest start of several, and the peak memory. This process is small: a child's peak includes its parent's."""
    walls, peaks = [], []
    for _ in range(5):
        begun = time.monotonic()
        child = os.posix_spawn(command[0], command, os.environ)
        _, status, usage = os.wait4(child, 0)
        walls.append(1e3 * (time.monotonic() - begun))
        peaks.append(usage.ru_maxrss / 1024)
        if status != 0:
            raise RuntimeError(f"{command[0]} ended with {os.waitstatus_to_exitcode(status)}")
    answer(tool_cold_ms=min(walls), tool_peak_mb=max(peaks))


def _peak_mb():
    """Of this program only: getrusage() would include the parent's, from before the exec."""
    status = pathlib.Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def _compare(result, case_folder):
    """The largest difference, relative to the reference's largest value; for bfloat16 also eager's own to float64."""
    import numpy

    eager = numpy.load(case_folder / "eager.npy")
    reference, own = eager, 0.0
    if (case_folder / "exact.npy").exists():
        reference = numpy.load(case_folder / "exact.npy")
        own = float(numpy.abs(eager - reference).max() / numpy.abs(reference).max())
    if result.shape != reference.shape:
        raise ValueError(f"shape {result.shape}, expected {reference.shape}")
    return dict(difference=float(numpy.abs(result - reference).max() / numpy.abs(reference).max()), eager_difference=own)


def main(stage, *arguments):
    try:
        if stage == "prepare":
            prepare(*arguments[:2], pathlib.Path(arguments[2]))
        elif stage == "build":
            build(arguments[0], *map(pathlib.Path, arguments[1:]))
        elif stage == "start":
            start(arguments)
        else:
            peer, case_folder, folder, threads, started = arguments
            run(peer, pathlib.Path(case_folder), pathlib.Path(folder), int(threads), float(started))
    except Exception as error:
        text = (str(error).strip() or type(error).__name__).splitlines()[0]
        answer(error=f"{type(error).__name__}: {text}")
        raise


if __name__ == "__main__":
    main(*sys.argv[1:])
