"""Genie beside PyTorch on this machine's GPU.

usage: bench.py [--cases NAME,...] [--peers eager,compile,reduce-overhead] [--json FILE] [--keep FOLDER] [--trace]

Each case is exported, compiled by geniec and run by Genie's executor, and run by PyTorch, with the same random weights and
inputs, in this process. Times are medians: of the device's clock around a call, inputs and outputs in place, and for Genie
also of the whole call from the C API, inputs and outputs in host memory. The error of each is that of its output against the
module in float32: the norm of the difference over the norm.
"""

import argparse
import copy
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
import warnings

import torch

import genie
from genie import runtime, toolchain

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import activity  # noqa: E402
import cases  # noqa: E402

warnings.filterwarnings("ignore")


def median_ms(function, runs=50, warm_up=5):
    """Of a PyTorch callable, by events around each call."""
    for _ in range(warm_up):
        function()
    torch.cuda.synchronize()
    times = []
    for _ in range(runs):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        function()
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end))
    return statistics.median(times)


def error_of(actual, reference):
    actual, reference = actual.double().cpu(), reference.double().cpu()
    return ((actual - reference).norm() / reference.norm()).item()


def reference_of(module, inputs):
    exact = copy.deepcopy(module).float().cuda()
    with torch.no_grad():
        result = exact(*[x.float().cuda() if x.is_floating_point() else x.cuda() for x in inputs]).cpu()
    del exact
    torch.cuda.empty_cache()
    return result


def peer(module, inputs, mode, reference):
    """{"ms", "error"} of PyTorch in one mode."""
    torch._dynamo.reset()
    on_gpu = copy.deepcopy(module).cuda()
    given = [x.cuda() for x in inputs]
    if given[0].dim() == 4:
        on_gpu, given[0] = on_gpu.to(memory_format=torch.channels_last), given[0].to(memory_format=torch.channels_last)
    run = on_gpu if mode == "eager" else torch.compile(on_gpu, **({"mode": mode} if mode != "compile" else {}))
    with torch.no_grad():
        result = run(*given).clone()
        found = {"ms": median_ms(lambda: run(*given)), "error": error_of(result, reference)}
    del on_gpu, given, run
    torch.cuda.empty_cache()
    return found


def compile_case(module, inputs, folder, target):
    """The plan's path, and the seconds that export and geniec took."""
    archive, plan = os.path.join(folder, "model.pt2"), os.path.join(folder, "model.gplan")
    begin = time.time()
    with torch.no_grad():
        genie.export(module, tuple(inputs), {}, path=archive)
    exported = time.time()
    toolchain.compile_archive(archive, plan, ["--target", target])
    os.remove(archive)
    return plan, exported - begin, time.time() - exported


def roomy_folder(weight_bytes):
    """Where an archive and a plan find room: in memory, or where temporary files go."""
    in_memory = "/dev/shm"
    has_room = os.path.isdir(in_memory) and shutil.disk_usage(in_memory).free > 3 * weight_bytes
    return in_memory if has_room else None


def run_stats(session, given, runs=60, warm_up=10):
    """The medians of a session's own clocks: on the device, whole, and to enqueue, in ns."""
    rows = []
    for _ in range(warm_up + runs):
        session.run(given)
        stats = session.stats()
        rows.append((stats.last_device_ns, stats.last_run_ns, stats.last_enqueue_ns))
    return [statistics.median(column) for column in zip(*rows[warm_up:])]


def open_session(model, device_time):
    return runtime.Session(
        model,
        library_path=os.environ.get("GENIE_LIBRARY_PATH"),
        cache=os.environ.get("GENIE_CACHE"),
        device_time=device_time,
    )


def ours(module, inputs, reference, options):
    folder = tempfile.mkdtemp(dir=roomy_folder(sum(x.nbytes for x in module.state_dict().values())))
    try:
        plan, export_s, compile_s = compile_case(module, inputs, folder, options.target)
        if options.keep:
            os.makedirs(options.keep, exist_ok=True)
            shutil.copy(plan, options.keep)
        model = runtime.Model(plan)
        if options.trace:
            activity.warm()
        session = open_session(model, device_time=True)
        given = [x.contiguous() for x in inputs]
        result = session.run(given)[0].clone()
        device, _, _ = run_stats(session, given)
        stats = session.stats()
        found = {
            "ms": device / 1e6,
            "error": error_of(result, reference),
            "launches": stats.last_launch_count,
            "export_s": export_s,
            "compile_s": compile_s,
            "load_s": stats.load_ns / 1e9,
        }
        # A user's session measures no device time, which are two nodes of the graph more.
        session = None
        session = open_session(model, device_time=False)
        _, whole, enqueue = run_stats(session, given)
        found.update(whole_ms=whole / 1e6, enqueue_us=enqueue / 1e3)
        if options.trace:
            rows = activity.steps(activity.record(lambda: session.run(given), 10), 10)
            found["trace"] = rows
            for row in activity.summary(rows):
                print(row, flush=True)
        return found
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def measure(name, options):
    make, known, goal = cases.CASES[name]
    torch.manual_seed(0)
    module, inputs = make()
    module = module.eval().requires_grad_(False)
    row = {"case": name, "goal_ms": goal, "known_ms": known}
    try:
        reference = reference_of(module, inputs)
    except torch.cuda.OutOfMemoryError as error:
        return {**row, "genie": {"failed": str(error)[:200]}}
    runs = [("genie", lambda: ours(module, inputs, reference, options))]
    runs += [(mode, lambda mode=mode: peer(module, inputs, mode, reference)) for mode in options.peers]
    for label, run in runs:
        try:
            row[label] = run()
        except Exception as error:
            row[label] = {"failed": (str(error).strip() or type(error).__name__).splitlines()[0][:300]}
        shown = {key: value for key, value in row[label].items() if key != "trace"}
        print(json.dumps({"case": name, label: shown}), flush=True)
    return row


def table(rows, peers):
    def cell(found, key="ms"):
        return "-" if not found or key not in found else f"{found[key]:.3f}"

    lines = ["| case | genie ms | end to end | enqueue us | " + " | ".join(peers) + " | goal | reached | error / eager |"]
    lines.append("|" + "---|" * (7 + len(peers)))
    for row in rows:
        found = row.get("genie", {})
        reached = "yes" if found.get("ms", 1e9) <= row["goal_ms"] else "no"
        errors = f"{found.get('error', float('nan')):.1e} / {row.get('eager', {}).get('error', float('nan')):.1e}"
        enqueue = f"{found['enqueue_us']:.1f}" if "enqueue_us" in found else "-"
        others = " | ".join(cell(row.get(mode)) for mode in peers)
        lines.append(
            f"| {row['case']} | {cell(found)} | {cell(found, 'whole_ms')} | {enqueue} | {others} | {row['goal_ms']} | "
            f"{reached} | {errors} |"
        )
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", default=",".join(cases.CASES))
    parser.add_argument("--peers", default="eager,compile,reduce-overhead")
    parser.add_argument("--target", default="cuda:sm_90")
    parser.add_argument("--json")
    parser.add_argument("--keep")
    parser.add_argument("--trace", action="store_true", help="also each kernel's time, by CUPTI")
    parser.add_argument("--seconds", type=float, default=540, help="start no case after this")
    options = parser.parse_args()
    options.peers = [mode for mode in options.peers.split(",") if mode]
    begin, rows = time.time(), []
    for name in options.cases.split(","):
        if time.time() - begin > options.seconds:
            print(f"no time is left for {name}")
            continue
        rows.append(measure(name, options))
        if options.json:
            with open(options.json, "w") as file:
                json.dump({"device": torch.cuda.get_device_name(), "torch": torch.__version__, "rows": rows}, file, indent=1)
    print(f"{torch.cuda.get_device_name()}, PyTorch {torch.__version__}")
    print(table(rows, options.peers))


if __name__ == "__main__":
    main()
