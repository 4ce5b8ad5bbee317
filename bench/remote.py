"""What a call on another node costs: a round trip, two models, large tensors, shaped links; beside torch.distributed.rpc.

    ./x bench remote [--case minilm,resnet50] [--rounds N] [--keep [LABEL]] [--json]

A daemon and its clients are on this machine and speak TLS over loopback TCP. Whoever is compared takes turns, so that a
disturbance meets them all; figures are medians over the turns. Outputs of the node are compared with those of this
process, bit by bit. The exit status is 1 when one differs.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

import safetensors.torch
import torch

import genie
import netns
import nodes
import record
import remote_cases
from cpu import machine
from genie import toolchain

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("GENIE_BUILD", HERE.parent / "build" / "release"))
ON_NODE = ("--place", "local:cpu0=node1:cpu0")
TARGETS = {"round_trip_us": 60, "round_trip_idle_us": 250, "model_ratio": 1.05, "shaped_ratio": 0.95}
SHAPED_GBIT_PER_S = (1, 10)
SHAPED_ELEMENTS = 1 << 24  # of f32, in and out
SIZES = ("64 KiB", "1 MiB", "64 MiB")  # of channel_bench


class RpcPeer:
    """torch.distributed.rpc in processes of its own, which sleep between turns."""

    def __init__(self, case):
        command = [sys.executable, HERE / "rpc_peer.py", case]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        if self.process.stdout.readline() != "ready\n":
            raise RuntimeError("torch.distributed.rpc does not start")

    def median_ms(self, count):
        self.process.stdin.write(f"{count}\n")
        self.process.stdin.flush()
        return statistics.median(json.loads(self.process.stdout.readline()))

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()


def bench(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"remote.py: {done.stderr.strip()[-500:]}")
    return json.loads(done.stdout)["median_ms"]


def round_trips(pool, folder, rounds):
    """The smallest call there is: three additions of six numbers."""
    plan = folder / "smallest.gplan"
    subprocess.run([BUILD / "bin" / "write_sample_plan", plan], check=True)
    peer = RpcPeer("nothing")
    local, awake, idle, theirs = [], [], [], []
    for _ in range(rounds):
        local.append(1e3 * bench([pool.program("genie"), "bench", plan, "--threads", "1", "--runs", "2000", "--json"]))
        awake.append(1e3 * bench(pool.command("bench", plan, *ON_NODE, "--runs", "5000", "--json")))
        idle.append(1e3 * bench(pool.command("bench", plan, *ON_NODE, "--runs", "100", "--pause", "0.01", "--json")))
        theirs.append(1e3 * peer.median_ms(500))
    peer.close()
    return {
        "round_trip_us": statistics.median(awake),
        "round_trip_idle_us": statistics.median(idle),
        "in_process_us": statistics.median(local),
        "torch_rpc_us": statistics.median(theirs),
    }


def compile_case(case, folder):
    module, inputs = remote_cases.make(case)
    archive, plan, tensors = folder / f"{case}.pt2", folder / f"{case}.gplan", folder / f"{case}.safetensors"
    genie.export(module, inputs, path=archive)
    toolchain.compile_archive(archive, plan)
    names = [info.name for info in genie.Model(plan).inputs()]
    safetensors.torch.save_file(dict(zip(names, inputs)), tensors)
    return plan, tensors, module, inputs


def check_outputs(pool, plan, tensors, module, inputs, folder):
    """(same bits as in this process, largest difference from eager PyTorch relative to its largest value)"""
    here, there = folder / "here.safetensors", folder / "there.safetensors"
    subprocess.run([pool.program("genie"), "run", plan, "--threads", "1", "--inputs", tensors, "--outputs", here], check=True)
    done = pool.genie("run", plan, *ON_NODE, "--inputs", tensors, "--outputs", there)
    if done.returncode != 0:
        raise SystemExit(f"remote.py: {done.stderr.strip()}")
    (value,) = safetensors.torch.load_file(there).values()
    with torch.inference_mode():
        eager = module(*(inputs or safetensors.torch.load_file(tensors).values()))
    difference = ((value - eager).abs().max() / eager.abs().max()).item()
    return here.read_bytes() == there.read_bytes(), difference


def measure_case(case, pool, folder, rounds, runs):
    plan, tensors, module, inputs = compile_case(case, folder)
    is_same, difference = check_outputs(pool, plan, tensors, module, inputs, folder)
    arguments = ("--inputs", tensors, "--runs", str(runs), "--json")
    peer = RpcPeer(case)
    local, remote, theirs = [], [], []
    for _ in range(rounds):
        local.append(bench([pool.program("genie"), "bench", plan, "--threads", "1", *arguments]))
        remote.append(bench(pool.command("bench", plan, *ON_NODE, *arguments)))
        theirs.append(peer.median_ms(runs))
    peer.close()
    return {
        "case": case,
        "in_process_ms": statistics.median(local),
        "remote_ms": statistics.median(remote),
        "torch_rpc_ms": statistics.median(theirs),
        "turns": list(zip(local, remote, theirs)),
        "is_same": is_same,
        "difference": difference,
    }


def with_ratio(row, trips):
    """Remote over in-process plus the round trip, as the median over paired turns."""
    trip_ms = trips["round_trip_us"] / 1e3
    row["ratio"] = statistics.median(remote / (local + trip_ms) for local, remote, _ in row["turns"])
    return row


def channel_rates(rounds, host=None, machines=None):
    """What channel_bench says of carriers and plain loops between two processes: {name: {"p50_us": ..., "gb_per_s": ...}}."""
    command = [BUILD / "bin" / "channel_bench", str(rounds)]
    if machines:
        client, server = machines
        command = client.command([*command, host, server.namespace])
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"remote.py: {done.stderr.strip()}")
    rows = {}
    for line in done.stdout.splitlines()[1:]:
        trip, rates, costs = line[20:].split("|")
        rates, costs = ([float(number) for number in part.split()] for part in (rates, costs))
        rows[line[:20].strip()] = {"p50_us": float(trip), "gb_per_s": dict(zip(SIZES, rates)), "cpu_s_per_gb": dict(zip(SIZES, costs))}
    return rows


def start_shaped_pool(folder):
    """A node in a network namespace; and whether it takes UCX."""
    for options in (["--threads", "1", "--ucx"], ["--threads", "1"]):
        pool = nodes.Pool(["node1"], folder, options=options, build=BUILD)
        try:
            return pool.__enter__(), "--ucx" in options
        except RuntimeError as error:
            if "no ucx carrier" not in str(error):
                raise
    raise AssertionError


def use_carrier(pool, carrier):
    described = json.loads(pool.write().read_text())
    if carrier == "ucx":
        described["links"] = [{"from": "local", "to": "node1", "carrier": "ucx", "trusted": True}]
        pool.path.write_text(json.dumps(described))


def call_shares(pool, plan, gbit, carriers, rounds, folder):
    """Share of the link's rate in which a call moves its input there and its output back, beyond what the call takes here."""
    timing = ("--runs", "11", "--warm-up", "2", "--json")
    seen = {carrier: [] for carrier in carriers}
    for carrier in carriers:
        use_carrier(pool, carrier)
        is_same, _ = check_outputs(pool, plan, pool.folder.parent / "large.safetensors", torch.nn.ReLU(), None, folder)
        if not is_same:
            raise SystemExit(f"remote.py: over {carrier} the outputs differ from those of this process")
    for _ in range(rounds):
        here = bench([pool.program("genie"), "bench", plan, "--threads", "1", *timing])
        for carrier in carriers:
            use_carrier(pool, carrier)
            there = bench(pool.command("bench", plan, *ON_NODE, *timing))
            seen[carrier].append(2 * 4 * SHAPED_ELEMENTS / ((there - here) / 1e3) / (gbit * 1e9 / 8))
    return {carrier: statistics.median(values) for carrier, values in seen.items()}


def shaped_links(folder, rounds):
    """Carriers, plain loops and calls between two network namespaces, by the links' rate; why not, where there are none."""
    why_not = netns.Network.unavailable()
    if why_not:
        return why_not
    archive, plan = folder / "large.pt2", folder / "large.gplan"
    genie.export(torch.nn.ReLU(), (torch.zeros(SHAPED_ELEMENTS),), path=archive)
    toolchain.compile_archive(archive, plan)
    (info,) = genie.Model(plan).inputs()
    safetensors.torch.save_file({info.name: torch.randn(SHAPED_ELEMENTS)}, folder / "large.safetensors")
    rows = {}
    pool, has_ucx = start_shaped_pool(folder / "shaped")
    try:
        node = pool["node1"].machine
        for gbit in SHAPED_GBIT_PER_S:
            node.shape(gbit)
            rows[gbit] = {
                "channels": channel_rates(rounds if gbit >= 10 else max(1, rounds // 3), node.address, (pool.client, node)),
                "calls": call_shares(pool, plan, gbit, ["stream", "ucx"] if has_ucx else ["stream"], max(1, rounds // 3), folder),
            }
    finally:
        pool.__exit__()
    return rows


def report(result):
    trips = result["round_trips"]
    lines = [
        f"round trip of the smallest call, p50   {trips['round_trip_us']:.1f} us awake, {trips['round_trip_idle_us']:.1f} us from idle "
        f"(targets {TARGETS['round_trip_us']}, {TARGETS['round_trip_idle_us']}); in process {trips['in_process_us']:.2f} us; torch.distributed.rpc {trips['torch_rpc_us']:.1f} us",
    ]
    for row in result["cases"]:
        equal = "same bits as in process" if row["is_same"] else "OUTPUT DIFFERS"
        lines.append(
            f"{row['case']:<10} {row['remote_ms']:.3f} ms on the node, {row['in_process_ms']:.3f} ms in process: {row['ratio']:.3f} of it plus the round "
            f"trip (target {TARGETS['model_ratio']}); torch.distributed.rpc {row['torch_rpc_ms']:.3f} ms; {equal}, {row['difference']:.0e} from eager"
        )
    lines += ["", *report_shaped(result["shaped"]), "", "large tensors between two processes, over loopback:", *report_channels(result["transfers"])]
    return "\n".join(lines)


def report_channels(rows, gbit=None):
    """A table; with the rate of the link, what part of it the payloads are."""
    unit = "share of the link" if gbit else "GB/s"
    scale = 8 / gbit if gbit else 1
    lines = [f"  {'':<20} {'p50 us':>8} | {unit}: " + " ".join(f"{size:>7}" for size in SIZES) + " | CPU-s/GB: " + " ".join(f"{size:>7}" for size in SIZES)]
    for name, row in rows.items():
        rates = " ".join(f"{row['gb_per_s'][size] * scale:7.2f}" for size in SIZES)
        costs = " ".join(f"{row['cpu_s_per_gb'][size]:7.2f}" for size in SIZES)
        lines.append(f"  {name:<20} {row['p50_us']:8.1f} | {'':<{len(unit)}}  {rates} | {'':<9} {costs}")
    return lines


def report_shaped(shaped):
    if isinstance(shaped, str):
        return [f"shaped links: not measured: {shaped}"]
    lines = []
    for gbit, row in shaped.items():
        calls = ", ".join(f"{share:.2f} over {carrier}" for carrier, share in row["calls"].items())
        lines += [f"a link of {gbit} Gb/s between two network namespaces (target {TARGETS['shaped_ratio']} for 1 MiB and more):"]
        lines += report_channels(row["channels"], gbit)
        lines += [f"  a call's 64 MiB in and 64 MiB out, beyond its time in this process: {calls}"]
    return lines


def markdown(result):
    about = result["about"]
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    return f"Python {about['python']}, {versions}.\n\n{record.literal(report(result))}"


def parse(arguments):
    parser = argparse.ArgumentParser(prog="./x bench remote", description=__doc__.split("\n")[0])
    parser.add_argument("--case", type=lambda text: text.split(","), default=list(remote_cases.MAKERS), help=", ".join(remote_cases.MAKERS))
    parser.add_argument("--rounds", type=int, default=9, help="turns of each (default 9)")
    parser.add_argument("--runs", type=int, default=15, help="calls of a turn (default 15)")
    record.add_options(parser, "remote")
    return parser.parse_args(arguments)


def main(arguments):
    options = parse(arguments)
    folder = BUILD / "bench-remote"
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["ninja", "-C", BUILD, "--quiet", "channel_bench"], check=True, stdout=subprocess.DEVNULL)
    torch.set_num_threads(1)
    result = {"about": machine()}
    with nodes.Pool(["node1"], folder / "pool", options=["--threads", "1"], build=BUILD, has_namespaces=False) as pool:
        result["round_trips"] = round_trips(pool, folder, options.rounds)
        result["cases"] = [with_ratio(measure_case(case, pool, folder, options.rounds, options.runs), result["round_trips"]) for case in options.case]
    result["shaped"] = shaped_links(folder, options.rounds)
    result["transfers"] = channel_rates(options.rounds)
    record.finish(options, result, "Remote benchmark", report(result), markdown(result))
    return 0 if all(row["is_same"] for row in result["cases"]) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
