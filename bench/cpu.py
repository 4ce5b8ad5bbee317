"""Genie beside PyTorch eager, torch.compile, ONNX Runtime and OpenVINO on the CPU.

Each peer has a process of its own, which loads its artefact once. The processes then take turns, a slice of steps each,
so that a disturbance of the machine meets them all; the outputs are compared with eager PyTorch in the same run.
"""

import argparse
import concurrent.futures
import datetime
import hashlib
import importlib.metadata
import json
import math
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "python")]

import cases  # noqa: E402
import peers  # noqa: E402
from genie import toolchain  # noqa: E402

ROOT = HERE.parent / "build" / "bench"
PAUSE_SECONDS = 0.03  # lets the last peer's spinning threads go to sleep
TOLERANCE = 1e-4
DISTURBED = ("compile_seconds", "cold_ms", "geniec_seconds")  # of processes that start beside others


def version_of(*paths):
    """A key of everything that shapes an artefact."""
    digest = hashlib.sha256(importlib.metadata.version("torch").encode())
    for path in paths:
        digest.update(pathlib.Path(path).read_bytes())
    return digest.hexdigest()[:12]


class Worker:
    """A process of worker.py."""

    def __init__(self, stage, *arguments, cpus):
        command = [sys.executable, HERE / "worker.py", stage, *map(str, arguments)]
        environment = dict(os.environ, OMP_NUM_THREADS=str(len(cpus)), MKL_NUM_THREADS=str(len(cpus)))
        self._log = tempfile.TemporaryFile("w+")
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True, env=environment,
            preexec_fn=lambda: os.sched_setaffinity(0, cpus),
        )  # fmt: skip

    def answer(self):
        """The next line of JSON; {"error": ...} when the process ended without one."""
        for line in self._process.stdout:
            if line.startswith("answer "):
                return json.loads(line.removeprefix("answer "))
        self._process.wait()
        self._log.seek(0)
        lines = self._log.read().strip().splitlines()
        return {} if self._process.returncode == 0 else {"error": (lines or ["no output"])[-1]}

    def pin(self, cpus):
        """Keeps all threads of the process on these CPUs from now on."""
        for thread in os.listdir(f"/proc/{self._process.pid}/task"):
            os.sched_setaffinity(int(thread), cpus)

    def step(self, count):
        self._process.stdin.write(f"{count}\n")
        self._process.stdin.flush()
        return self.answer()

    def close(self):
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()
        self._log.close()


def prepare(case, form):
    folder = ROOT / f"{case}-{form}-{version_of(HERE / 'cases.py', HERE / 'worker.py')}"
    if not (folder / "case.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        result = once("prepare", case, form, folder)
        if "error" in result:
            raise SystemExit(f"bench: {case}: {result['error']}")
    return folder


def start_tool(folder, threads, cpus):
    """`genie run` from its start to its end, as a deployment without Python would start it."""
    command = [toolchain.find("bin/genie"), "run", folder / "model.gplan", "--inputs", folder / "inputs.safetensors"]
    return once("start", *command, "--threads", threads, "--outputs", folder / "outputs.safetensors", cpus=cpus)


def once(stage, *arguments, cpus=None):
    worker = Worker(stage, *arguments, cpus=cpus or os.sched_getaffinity(0))
    result = worker.answer()
    worker.close()
    return result


def build(peer, case_folder, is_fresh):
    """The artefact's folder and what building it cost. Peers' artefacts are kept; Genie's is always made anew."""
    folder = case_folder / peer
    record = folder / "build.json"
    kept = json.loads(record.read_text()) if record.exists() else {"error": "not built"}
    if "error" not in kept and not is_fresh and peer != "genie":
        return folder, kept
    folder.mkdir(exist_ok=True)
    result = once("build", peer, case_folder, folder)
    record.write_text(json.dumps(result))
    return folder, result


def measure(workers, seconds, rounds):
    """Times of each worker over `rounds` turns of about `seconds` a turn."""
    counts = {}
    for name, worker in workers.items():
        warm = worker.step(3)
        counts[name] = max(1, min(2000, int(1e3 * seconds / max(statistics.median(warm["times_ms"]), 1e-3))))
    turns = {name: [] for name in workers}
    peaks = {}
    for _ in range(rounds):
        for name, worker in workers.items():
            time.sleep(PAUSE_SECONDS)
            result = worker.step(counts[name])
            turns[name].append(result["times_ms"])
            peaks[name] = result["peak_mb"]
    return turns, peaks


def start(case, name, threads, options):
    """A peer's row, and its worker once its model is loaded."""
    cpus = set(sorted(os.sched_getaffinity(0))[-threads:])
    row = dict(case=case, peer=name, threads=threads)
    case_folder = prepare(case, peers.PEERS[name].form)
    folder, built = build(name, case_folder, options.rebuild)
    row.update(built)
    if "error" in built:
        return row, None
    where = os.sched_getaffinity(0) if options.quick else cpus
    worker = Worker("run", name, case_folder, folder, threads, time.clock_gettime(time.CLOCK_MONOTONIC), cpus=where)
    row.update(worker.answer())
    if "error" in row:
        worker.close()
        return row, None
    if options.quick:
        worker.pin(cpus)
        return {key: value for key, value in row.items() if key not in DISTURBED}, worker
    if name == "genie":
        row.update(start_tool(folder, threads, cpus))
    return row, worker


def start_all(case, names, threads, options):
    """Starts one peer after the other; if quick, as many at a time as there are CPUs, and leaves out what that disturbs."""
    at_a_time = len(os.sched_getaffinity(0)) if options.quick else 1
    with concurrent.futures.ThreadPoolExecutor(at_a_time) as pool:
        list(pool.map(lambda form: prepare(case, form), sorted({peers.PEERS[name].form for name in names})))
        return list(pool.map(lambda name: start(case, name, threads, options), names))


def run_case(case, names, threads, options):
    """One row a peer, for one case and number of threads."""
    started = start_all(case, names, threads, options)
    rows = [row for row, _ in started]
    workers = {row["peer"]: worker for row, worker in started if worker is not None}
    turns, peaks = measure(workers, options.seconds, options.rounds) if workers else ({}, {})
    for row in rows:
        if row["peer"] in turns:
            times = sorted(value for turn in turns[row["peer"]] for value in turn)
            row.update(median_ms=statistics.median(times), min_ms=times[0], steps=len(times), peak_mb=peaks[row["peer"]])
            row["turn_ms"] = [statistics.median(turn) for turn in turns[row["peer"]]]
    for worker in workers.values():
        worker.close()
    return rows


def with_ratios(rows):
    """Adds Genie's time over the best peer's: of the medians, of the minima, and the median over paired turns."""
    ours = next((row for row in rows if row["peer"] == "genie" and "median_ms" in row), None)
    others = [row for row in rows if row["peer"] != "genie" and "median_ms" in row]
    if ours and others:
        best = min(others, key=lambda row: row["median_ms"])
        ours["best_peer"] = best["peer"]
        ours["ratio_median"] = ours["median_ms"] / best["median_ms"]
        ours["ratio_min"] = ours["min_ms"] / min(row["min_ms"] for row in others)
        ours["ratio_turns"] = statistics.median(a / b for a, b in zip(ours["turn_ms"], best["turn_ms"]))
    return rows


def is_correct(row):
    if row["eager_difference"] > 0:
        return row["difference"] <= 1.5 * row["eager_difference"] + 2.0**-10
    return row["difference"] <= TOLERANCE


def cell(row, key, scale=1.0, digits=3):
    value = row.get(key)
    if not value or (key == "compile_seconds" and row["peer"] == "eager"):
        return "-"
    value *= scale
    return f"{value:.{max(0, digits - 1 - math.floor(math.log10(abs(value))))}f}" if value < 10**digits else f"{value:.0f}"


COLUMNS = ["case", "threads", "peer", "median ms", "min ms", "difference", "compile s", "artefact MB", "peak MB", "cold ms"]


def table(rows):
    lines = [COLUMNS, ["---"] * len(COLUMNS)]
    for row in rows:
        head = [row["case"], str(row["threads"]), row["peer"]]
        if "error" in row:
            lines.append(head + [row["error"][:60].replace("|", "/")] + [""] * (len(COLUMNS) - 4))
            continue
        difference = f"{row['difference']:.0e}" + ("" if is_correct(row) else " WRONG")
        lines.append(
            head + [cell(row, "median_ms"), cell(row, "min_ms"), difference, cell(row, "compile_seconds", digits=2)]
            + [cell(row, "artefact_bytes", 1e-6), cell(row, "peak_mb"), cell(row, "cold_ms")]
        )  # fmt: skip
    widths = [max(len(line[i]) for line in lines) for i in range(len(COLUMNS))]
    return "\n".join("| " + " | ".join(text.ljust(width) for text, width in zip(line, widths)) + " |" for line in lines)


def ratio_lines(rows):
    for row in rows:
        if "ratio_median" in row:
            yield (
                f"{row['case']}, {row['threads']} thread{'s' * (row['threads'] > 1)}: {row['ratio_median']:.2f} of the best peer's "
                f"median ({row['best_peer']}), {row['ratio_min']:.2f} of the best minimum, {row['ratio_turns']:.2f} over paired turns"
            )
        if "tool_cold_ms" in row:
            yield (
                f"{row['case']}, {row['threads']} thread{'s' * (row['threads'] > 1)}: geniec {row['geniec_seconds']:.1f} s; genie run "
                f"{row['tool_cold_ms']:.0f} ms from start to end, {row['tool_peak_mb']:.0f} MB peak"
            )


def machine():
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "unknown")
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=HERE, capture_output=True, text=True, check=False)
    names = ["torch", "transformers", "timm", "onnx", "onnxruntime", "openvino", "numpy"]
    versions = {}
    for name in names:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            pass
    return dict(
        date=datetime.datetime.now().isoformat(timespec="minutes"),
        commit=commit.stdout.strip(),
        cpu=cpu,
        cores=len(os.sched_getaffinity(0)),
        memory_gb=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9),
        load_before=os.getloadavg()[0],
        python=platform.python_version(),
        versions=versions,
    )


def keep(rows, about, label):
    folder = HERE / "results"
    folder.mkdir(exist_ok=True)
    path = folder / f"{about['date'][:10]}-{label}"
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    text = [
        f"# CPU benchmark, {about['date']}, commit {about['commit']}", "",
        f"{about['cpu']}, {about['cores']} cores, {about['memory_gb']} GB; load before the run {about['load_before']:.1f}.",
        f"Python {about['python']}, {versions}.", "", *[f"- {line}" for line in ratio_lines(rows)], "", table(rows), "",
    ]  # fmt: skip
    path.with_suffix(".md").write_text("\n".join(text))
    path.with_suffix(".json").write_text(json.dumps(dict(about=about, rows=rows), indent=1) + "\n")
    return path


def parse(arguments):
    parser = argparse.ArgumentParser(prog="./x bench cpu", description=__doc__.split("\n")[0])
    choices = lambda known: lambda text: [checked(name, known) for name in text.split(",")]  # noqa: E731
    parser.add_argument("--case", type=choices(cases.CASES), default=list(cases.CASES), help=", ".join(cases.CASES))
    parser.add_argument("--peer", type=choices(peers.PEERS), default=list(peers.PEERS), help=", ".join(peers.PEERS))
    parser.add_argument("--threads", type=lambda text: [int(n) for n in text.split(",")], metavar="N,...",
                        help="default 1,2; 1 if quick")
    parser.add_argument("--seconds", type=float, help="of steps a peer does in one turn (default 0.4; 0.2 if quick)")
    parser.add_argument("--rounds", type=int, help="turns of each peer (default 15; 5 if quick)")
    parser.add_argument("--quick", action="store_true", help="one thread, fewer and shorter turns, peers start beside each other: "
                        "a table in a quarter of the time, noisier, without times of compiles and starts")
    parser.add_argument("--rebuild", action="store_true", help="build the peers' artefacts again, too")
    parser.add_argument("--keep", metavar="LABEL", help="of bench/results/DATE-LABEL.md and .json (default cpu, or the cases)")
    parser.add_argument("--no-keep", action="store_true", help="write no results")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON instead of tables")
    options = parser.parse_args(arguments)
    options.threads = options.threads or ([1] if options.quick else [1, 2])
    options.seconds = options.seconds or (0.2 if options.quick else 0.4)
    options.rounds = options.rounds or (5 if options.quick else 15)
    options.keep = options.keep or (
        ("cpu" if options.case == list(cases.CASES) else "-".join(options.case)) + ("-quick" if options.quick else "")
    )
    return options


def checked(name, known):
    if name not in known:
        raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(known)}")
    return name


def main(arguments):
    options = parse(arguments)
    about, rows = machine(), []
    for case in options.case:
        for threads in options.threads:
            measured = with_ratios(run_case(case, options.peer, threads, options))
            rows += measured
            if not options.json:
                print("\n".join([table(measured), *ratio_lines(measured), ""]), flush=True)
    if options.json:
        print(json.dumps(dict(about=about, rows=rows), indent=1))
    if not options.no_keep:
        print(f"kept as {keep(rows, about, options.keep)}.md and .json", file=sys.stderr)
    wrong = [row for row in rows if "difference" in row and not is_correct(row) and row["peer"] == "genie"]
    return 1 if wrong or any("error" in row and row["peer"] == "genie" for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
