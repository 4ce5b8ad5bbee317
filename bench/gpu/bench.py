"""Genie beside PyTorch on this machine's GPU.

usage: bench.py [--cases NAME,...] [--peers eager,compile,reduce-overhead] [--json FILE] [--jobs N] [--trace] [--predict]

Each case is exported, compiled by geniec and run by Genie's executor, and run by PyTorch, with the same random weights and
inputs, in this process. Times are medians: of the device's clock around a call, inputs and outputs in place, and for Genie
also of the whole call from the C API, inputs and outputs in host memory. The error of each is that of its output against the
module in float32: the norm of the difference over the norm. A case reaches its goal only if its output is right: its error at
most 1.5 times that of eager PyTorch, or 1e-5. Exits 1 where a case failed, is wrong or had no time left.
"""

import argparse
import copy
import json
import os
import shutil
import statistics
import subprocess
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

PARITY = 1e-5  # of float32
EAGER_MARGIN = 1.5  # of eager PyTorch's own error, where the case computes in less than float32


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


def on_device(module, inputs):
    on_gpu = copy.deepcopy(module).cuda()
    given = [x.cuda() for x in inputs]
    if given[0].dim() == 4:
        on_gpu, given[0] = on_gpu.to(memory_format=torch.channels_last), given[0].to(memory_format=torch.channels_last)
    return on_gpu, given


def compiled(on_gpu, mode):
    return on_gpu if mode == "eager" else torch.compile(on_gpu, **({"mode": mode} if mode != "compile" else {}))


def peer(module, inputs, mode, reference):
    """{"ms", "error"} of PyTorch in one mode."""
    torch._dynamo.reset()
    on_gpu, given = on_device(module, inputs)
    run = compiled(on_gpu, mode)
    with torch.no_grad():
        result = run(*given).clone()
        found = {"ms": median_ms(lambda: run(*given)), "error": error_of(result, reference)}
    del on_gpu, given, run
    torch.cuda.empty_cache()
    return found


def eager_error(module, inputs, reference):
    on_gpu, given = on_device(module, inputs)
    with torch.no_grad():
        return error_of(on_gpu(*given), reference)


def verdict(row):
    """Of a case: "failed", "wrong", "yes" or "no": whether it is right, and then whether it reached its goal."""
    found = row.get("genie", {})
    if "failed" in found or "ms" not in found:
        return "failed"
    # Written so that an error that is no number is wrong.
    if not found["error"] <= max(PARITY, EAGER_MARGIN * row["eager_error"]):
        return "wrong"
    return "yes" if found["ms"] <= row["goal_ms"] else "no"


def compile_case(module, inputs, folder, options):
    """The plan, and the seconds that export and geniec took: {"plan", "export_s", "compile_s", "predicted_ms"}."""
    archive, plan = os.path.join(folder, "model.pt2"), os.path.join(folder, "model.gplan")
    begin = time.time()
    with torch.no_grad():
        genie.export(module, tuple(inputs), {}, path=archive)
    exported = time.time()
    command = [toolchain.geniec(), archive, "-o", plan, "--target", options.target]
    if options.pool:
        command += ["--pool", options.pool, "--explain", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip()[:300])
    os.remove(archive)
    made = {"plan": plan, "export_s": exported - begin, "compile_s": time.time() - exported}
    if options.pool:
        made["predicted_ms"] = sum(place["predicted_ms"] for place in json.loads(done.stdout)["explain"]["places"])
    return made


def make(name):
    torch.manual_seed(0)
    module, inputs = cases.CASES[name][0]()
    return module.eval().requires_grad_(False), inputs


def prepare(name, options):
    """In a process of its own, before anything is measured: the plan is made, and what torch.compile makes is kept on disk."""
    module, inputs = make(name)
    with open(os.path.join(options.into, "made.json"), "w") as file:
        json.dump(compile_case(module, inputs, options.into, options), file)
    for mode in options.peers:
        if mode != "eager":
            on_gpu, given = on_device(module, inputs)
            with torch.no_grad():
                compiled(on_gpu, mode)(*given)
            del on_gpu, given


def prepare_all(names, options):
    """{name: folder}; `options.jobs` processes at a time."""
    waiting, running, folders = list(names), {}, {}
    while waiting or running:
        while waiting and len(running) < options.jobs:
            name = waiting.pop(0)
            folders[name] = tempfile.mkdtemp(dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
            command = [sys.executable, __file__, "--cases", name, "--into", folders[name], "--target", options.target]
            command += ["--peers", ",".join(options.peers), "--pool", options.pool or ""]
            with open(os.path.join(folders[name], "log"), "w") as log:
                running[name] = subprocess.Popen(command, stdout=log, stderr=log)
        time.sleep(0.2)
        running = {name: process for name, process in running.items() if process.poll() is None}
    return folders


def what_was_prepared(folder):
    path = os.path.join(folder, "made.json")
    if not os.path.exists(path):
        with open(os.path.join(folder, "log")) as log:
            raise RuntimeError((log.read().strip() or "the preparation ended without a word").splitlines()[-1])
    with open(path) as file:
        return json.load(file)


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


def ours(module, inputs, reference, options, prepared):
    folder = prepared or tempfile.mkdtemp(dir=roomy_folder(sum(x.nbytes for x in module.state_dict().values())))
    try:
        if prepared:
            made = what_was_prepared(folder)
        else:
            made = compile_case(module, inputs, folder, options)
        model = runtime.Model(made.pop("plan"))
        session = open_session(model, device_time=True)
        given = [x.contiguous() for x in inputs]
        result = session.run(given)[0].clone()
        device, _, _ = run_stats(session, given)
        stats = session.stats()
        found = {
            "ms": device / 1e6,
            "error": error_of(result, reference),
            "launches": stats.last_launch_count,
            "load_s": stats.load_ns / 1e9,
            **made,
        }
        # A user's session measures no device time, which are two nodes of the graph more.
        session = None
        session = open_session(model, device_time=False)
        _, whole, enqueue = run_stats(session, given)
        found.update(whole_ms=whole / 1e6, enqueue_us=enqueue / 1e3)
        if options.trace:
            session = None
            activity.warm()
            session = open_session(model, device_time=False)
            rows = activity.steps(activity.record(lambda: session.run(given), 10), 10)
            found["trace"] = rows
            for row in activity.summary(rows):
                print(row, flush=True)
        return found
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def measure(name, options, prepared):
    _, known, goal = cases.CASES[name]
    module, inputs = make(name)
    row = {"case": name, "goal_ms": goal, "known_ms": known}
    try:
        reference = reference_of(module, inputs)
        row["eager_error"] = eager_error(module, inputs, reference)
        torch.cuda.empty_cache()
    except torch.cuda.OutOfMemoryError as error:
        return {**row, "genie": {"failed": str(error)[:200]}}
    runs = [("genie", lambda: ours(module, inputs, reference, options, prepared))]
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

    lines = ["| case | genie ms | predicted | end to end | enqueue us | " + " | ".join([*peers, "goal"]) + " | reached | error / eager |"]
    lines.append("|" + "---|" * (8 + len(peers)))
    for row in rows:
        found = row.get("genie", {})
        errors = f"{found.get('error', float('nan')):.1e} / {row.get('eager_error', float('nan')):.1e}"
        enqueue = f"{found['enqueue_us']:.1f}" if "enqueue_us" in found else "-"
        lines.append(
            f"| {row['case']} | {cell(found)} | {cell(found, 'predicted_ms')} | {cell(found, 'whole_ms')} | {enqueue} | "
            + " | ".join([cell(row.get(mode)) for mode in peers] + [str(row["goal_ms"])])
            + f" | {verdict(row)} | {errors} |"
        )
    return "\n".join(lines)


def measured_pool(folder):
    """A descriptor with this machine's GPU, as `genie pool measure` finds it; the compiler's predictions rest on it."""
    path = os.path.join(folder, "pool.json")
    with open(path, "w") as file:
        json.dump({"version": 1, "nodes": [{"name": "local", "devices": [{"name": "cuda0", "kind": "cuda"}]}]}, file)
    command = [toolchain.find("bin/genie"), "pool", "measure", "--pool", path, "--no-links"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    print(done.stdout.strip() + done.stderr.strip(), flush=True)
    return path if done.returncode == 0 else None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", default=",".join(cases.CASES))
    parser.add_argument("--peers", default="eager,compile,reduce-overhead")
    parser.add_argument("--target", default="cuda:sm_90")
    parser.add_argument("--json")
    parser.add_argument("--trace", action="store_true", help="also each kernel's time, by CUPTI")
    parser.add_argument("--predict", action="store_true", help="measure the GPU for the compiler first, and list what it then predicts")
    parser.add_argument("--jobs", type=int, default=0, help="first make all plans, and what torch.compile makes, this many at a time")
    parser.add_argument("--start-when", metavar="FILE", help="measure nothing before this file exists")
    parser.add_argument("--seconds", type=float, default=540, help="start no case after this")
    parser.add_argument("--pool", help=argparse.SUPPRESS)
    parser.add_argument("--into", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.peers = [mode for mode in options.peers.split(",") if mode]
    if options.into:
        prepare(options.cases, options)
        return 0
    names = options.cases.split(",")
    folder = tempfile.mkdtemp()
    options.pool = measured_pool(folder) if options.predict else None
    begin, rows = time.time(), []
    prepared = prepare_all(names, options) if options.jobs else {}
    while options.start_when and not os.path.exists(options.start_when):
        time.sleep(0.2)
    if prepared:
        print(f"prepared in {time.time() - begin:.0f} s", flush=True)
    for name in names:
        if time.time() - begin > options.seconds:
            print(f"no time is left for {name}")
            continue
        rows.append(measure(name, options, prepared.get(name)))
        if options.json:
            with open(options.json, "w") as file:
                json.dump({"device": torch.cuda.get_device_name(), "torch": torch.__version__, "rows": rows}, file, indent=1)
    print(f"{torch.cuda.get_device_name()}, PyTorch {torch.__version__}")
    print(table(rows, options.peers))
    shutil.rmtree(folder, ignore_errors=True)
    are_all_right = len(rows) == len(names) and all(verdict(row) in ("yes", "no") for row in rows)
    return 0 if are_all_right else 1


if __name__ == "__main__":
    sys.exit(main())
