"""What knowing the model saves: the same kernels over the same links, compiled with and without semantics.

    ./x bench semantics [--case vqa,generation,pipeline,dlrm] [--gbit 1,10] [--mode full,handle,delta,off] [--rounds N] [--keep [LABEL]] [--json]

The client and each daemon are machines of their own: network namespaces on a switch whose links are shaped. Node 1 has one
core; node 2 half of one, where the kernel can divide it. `genie pool measure` describes them and their links; the client's own
core is no place of the pool, so that it computes nothing in `full`. `geniec --semantics` compiles a plan for each mode:

    off     a blind system: every call of a part ships its weights and state, and its results go back to the client
    delta   only what changes travels: inputs, results, and state, which is read and written by each call
    handle  the strongest blind one: weights and state stay on the devices, parts lie where memory is, results go back to
            the client between parts
    full    places by cost, results go straight to where they are read

The parts of a blind system are the children of the model's root module, which is what a user of remote procedure calls
would call; what the root itself computes it computes at the client. All modes run the same kernels on the same executor,
and their outputs are compared. Modes take turns. The kernel of the client's and the nodes' interfaces counts the bytes on
the wire, headers included; the contract is what the plan states. Figures are medians over the turns, for one call (a
token, an image). The exit status is 1 when an output differs, a count is not what the contract says, or the wire carries
more than 3 % beside it (not looked at where a call moves less than 16 KiB: control messages are most of what travels then).

Two figures come from a further turn whose session records a trace (traced.py). Link use: the share of what a link lets
through that transfers of 1 MiB and more reach while one is under way; a link lets through its rate, and after a pause the
bucket of its shaper at once. Overhead: time in which no place computes, less what the bytes that are on their way then take
at the link's rate, as a share of the time in which some place computes.
"""

import argparse
import contextlib
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
import semantics_cases
import traced
from cpu import machine
from genie import toolchain

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("GENIE_BUILD", HERE.parent / "build" / "release"))
MODES = ("full", "handle", "delta", "off")
CPU_GROUP = pathlib.Path("/sys/fs/cgroup/cpu")
TOLERANCE = 1e-5
HEADERS, LEAST_BYTES = 0.03, 16384  # what the wire may carry beside the payload, of calls that move as much


@contextlib.contextmanager
def half_a_core(pid):
    """Gives the process half of a core in slices of 1 ms, so that what it receives waits no longer; yields whether the kernel can."""
    group = CPU_GROUP / f"genie-bench-{pid}"
    try:
        group.mkdir()
        (group / "cpu.cfs_period_us").write_text("2000")
        (group / "cpu.cfs_quota_us").write_text("1000")
        (group / "cpu.shares").write_text("262144")  # of what it may have, before all others
        (group / "cgroup.procs").write_text(str(pid))
    except OSError:
        yield False
        return
    try:
        yield True
    finally:
        (CPU_GROUP / "cgroup.procs").write_text(str(pid))
        group.rmdir()


def pin(pid, cpu):
    subprocess.run(["taskset", "-a", "-p", "-c", str(cpu % os.cpu_count()), str(pid)], capture_output=True, check=True)


class Client:
    """semantics_client.py on the client's machine."""

    def __init__(self, pool, plan, tensors, outputs, way, gbit, is_local=False):
        remote = ("", "", "") if is_local else (pool.path, pool.key, pool.folder / "known_nodes")
        command = [sys.executable, HERE / "semantics_client.py", plan, *remote, tensors, outputs, way, str(gbit * 1e9 / 8), str(netns.burst_bytes(gbit))]
        self.outputs = outputs
        self.process = pool.client.start(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            raise SystemExit(f"semantics.py: {plan.name}: the client does not start")

    def run(self, count, command=""):
        self.process.stdin.write(f"{command}{count}\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("semantics.py: the client ended")
        return json.loads(line)

    def trace(self, count):
        return self.run(count, "trace ")

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=60)


def wire_bytes(pool):
    """Bytes that left an interface: each crosses the switch once."""
    return sum(m.counters()["sent_bytes"] for m in [pool.client, *(node.machine for node in pool.nodes.values())])


def differs(outputs, expected):
    """Largest difference relative to the expected tensor's largest value; of tokens, whether one differs."""
    worst = 0.0
    for name, value in safetensors.torch.load_file(expected).items():
        actual = outputs[name][:, : value.shape[1]] if value.dtype == torch.int64 else outputs[name]
        value = value[:, : actual.shape[1]] if value.dtype == torch.int64 else value
        scale = 1 if value.dtype == torch.int64 else value.abs().max().item()
        worst = max(worst, ((actual - value).abs().max() / scale).item())
    return worst


def compile_mode(mode, archive, pool, objective, folder):
    plan = folder / f"{mode}.gplan"
    extra = ("--objective", objective) if mode == "full" else ("--semantics", mode)
    subprocess.run([toolchain.find("bin/geniec"), archive, "--pool", pool.path, *extra, "-o", plan], check=True)
    return plan


def local_figures(pool, archive, tensors, folder, way, count):
    """The same calls in the client's process: outputs that all others must give, and the time without a network."""
    plan = folder / "local.gplan"
    subprocess.run([toolchain.find("bin/geniec"), archive, "-o", plan], check=True)
    client = Client(pool, plan, tensors, folder / "expected.safetensors", way, 1, is_local=True)
    figures = client.run(count)
    client.close()
    plan.unlink()
    return figures["milliseconds"] / count


def measure_mode(client, pool, count):
    before = wire_bytes(pool)
    figures = client.run(count)
    figures["wire_bytes"] = (wire_bytes(pool) - before) / count
    figures["milliseconds"] /= count
    figures["is_contract_kept"] = figures["planned_bytes"] == figures["last_bytes"] > 0
    return figures


def summary(turns, folder, client):
    """Medians over the turns of one mode."""
    outputs = safetensors.torch.load_file(client.outputs)
    row = {name: statistics.median(turn[name] for turn in turns) for name in ("milliseconds", "wire_bytes", "planned_bytes")}
    row["is_contract_kept"] = all(turn["is_contract_kept"] for turn in turns)
    row["difference"] = differs(outputs, folder / "expected.safetensors")
    row["edges"] = turns[-1]["edges"]
    return row


def describe_pool(pool):
    done = pool.client.run([pool.program("genie"), "pool", "measure", "--pool", pool.path, "--key", pool.key, "--known-nodes", pool.folder / "known_nodes"], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"semantics.py: {done.stderr.strip()[-500:]}")
    return json.loads(pool.path.read_text())


def measure_case(name, gbit, options, folder):
    _, way, count, shipped_count, objective, node_count = semantics_cases.CASES[name]
    folder = folder / f"{name}-{gbit}"
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"node{i + 1}" for i in range(node_count)]
    with nodes.Pool(names, folder / "pool", options=["--threads", "1"], build=BUILD) as pool, contextlib.ExitStack() as stack:
        is_unequal = False
        for index, node in enumerate(pool.nodes.values()):
            pin(node.process.pid, index + 1)
            if index == 1:
                is_unequal = stack.enter_context(half_a_core(node.process.pid))
        for box in [pool.client, *(node.machine for node in pool.nodes.values())]:
            box.shape(gbit)
        described = describe_pool(pool)
        archive, tensors = prepare(name, folder)
        row = {"case": name, "gbit_per_s": gbit, "is_second_node_slower": is_unequal, "pool": described, "modes": {}}
        row["local_ms"] = local_figures(pool, archive, tensors, folder, way, count)
        counts = {mode: shipped_count if mode == "off" else count for mode in options.mode}
        clients = {}
        for mode in options.mode:
            plan = compile_mode(mode, archive, pool, objective, folder)
            clients[mode] = Client(pool, plan, tensors, folder / f"{mode}.outputs.safetensors", way, gbit)
        turns = [{mode: measure_mode(clients[mode], pool, counts[mode]) for mode in options.mode} for _ in range(options.rounds)]
        for mode, client in clients.items():
            row["modes"][mode] = summary([turn[mode] for turn in turns], folder, client) | {"calls": counts[mode]} | client.trace(counts[mode])
            client.close()
            (folder / f"{mode}.gplan").unlink()
    return row


def prepare(name, folder):
    """The archive and the inputs, by the plan's names."""
    archive, tensors = folder.parent / f"{name}.pt2", folder.parent / f"{name}.inputs.safetensors"
    if not tensors.exists():
        module, inputs = semantics_cases.make(name)
        genie.export(module, inputs, path=archive)
        plan = folder.parent / f"{name}.names.gplan"
        toolchain.compile_archive(archive, plan)
        safetensors.torch.save_file(dict(zip([info.name for info in genie.Model(plan).inputs()], inputs)), tensors)
        plan.unlink()
    return archive, tensors


def percent_less(row, figure, mode, than):
    modes = row["modes"]
    if mode not in modes or than not in modes:
        return None
    return 100 * (1 - modes[mode][figure] / modes[than][figure])


def crossing_bytes(figures):
    """The contract's bytes between two machines, of one call."""
    return sum(edge["planned_bytes"] for edge in figures["edges"] if traced.machine_of(edge["source"]) != traced.machine_of(edge["destination"]))


def headers(figures):
    """What the wire carries beside the payload, as a share of it."""
    planned = crossing_bytes(figures)
    return figures["wire_bytes"] / planned - 1 if planned else 0.0


def overhead(figures):
    return figures["overhead_ms"] / figures["compute_ms"] if figures["compute_ms"] else 0.0


def declared_ratio(pool):
    """What the nodes compute in the time that a link takes for a byte, as `genie pool measure` found both."""
    devices = [(node["name"], device["flops_per_s"]["f32"]) for node in pool["nodes"] for device in node["devices"] if "flops_per_s" in device]
    rate = statistics.median(link["bytes_per_s"] for link in pool["links"])
    return f"link {rate / 1e9:.3f} GB/s; " + ", ".join(f"{name} {flops / 1e9:.0f} GFLOP/s: {flops / rate:.0f} FLOP a byte" for name, flops in devices)


def report(result):
    lines = []
    for row in result["cases"]:
        unequal = "node 2 has half a core" if row["is_second_node_slower"] else "equal nodes"
        lines.append(f"{row['case']}, {row['gbit_per_s']:g} Gb/s, {unequal}; in one process {row['local_ms']:.2f} ms a call")
        lines.append(f"    {declared_ratio(row['pool'])}")
        lines.append("    mode      ms a call   bytes on the wire    contract's bytes   kept    headers   link use   overhead   difference")
        for mode, figures in row["modes"].items():
            kept, use = "yes" if figures["is_contract_kept"] else "NO", "-" if figures["link_use"] is None else f"{100 * figures['link_use']:.0f} %"
            lines.append(
                f"    {mode:<8}{figures['milliseconds']:>11.2f}{figures['wire_bytes']:>20,.0f}{figures['planned_bytes']:>20,.0f}{kept:>7}{100 * headers(figures):>9.2f} %"
                f"{use:>11}{100 * overhead(figures):>9.1f} %{figures['difference']:>13.1e}"
            )
        for than in ("off", "handle"):
            less = percent_less(row, "wire_bytes", "full", than), percent_less(row, "milliseconds", "full", than)
            if None not in less:
                lines.append(f"    full against {than}: {less[0]:.1f} % fewer bytes, {less[1]:.1f} % less time")
        lines.append("")
    return "\n".join(lines)


def keep(result, label):
    about = result["about"]
    path = HERE / "results" / f"{about['date'][:10]}-{label}"
    head = f"# Semantics benchmark, {about['date']}, commit {about['commit']}\n\n{about['cpu']}, {about['cores']} cores; load before the run {about['load_before']:.1f}.\n\n"
    path.with_suffix(".md").write_text(head + __doc__.split("\n\n", 2)[2].strip() + "\n\n" + "\n".join(f"    {line}".rstrip() for line in report(result).splitlines()) + "\n")
    path.with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n")
    return path


def parse(arguments):
    parser = argparse.ArgumentParser(prog="./x bench semantics", description=__doc__.split("\n")[0])
    parser.add_argument("--case", type=lambda text: text.split(","), default=list(semantics_cases.CASES), help=", ".join(semantics_cases.CASES))
    parser.add_argument("--mode", type=lambda text: text.split(","), default=list(MODES), help=", ".join(MODES))
    parser.add_argument("--gbit", type=lambda text: [float(rate) for rate in text.split(",")], default=[1.0, 10.0], help="rates of the links (default 1,10)")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each (default 3)")
    parser.add_argument("--keep", metavar="LABEL", nargs="?", const="semantics", help="write bench/results/DATE-LABEL.md and .json")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args(arguments)


def is_right(result):
    return all(figures["is_contract_kept"] and figures["difference"] <= TOLERANCE and (headers(figures) <= HEADERS or crossing_bytes(figures) < LEAST_BYTES) for row in result["cases"] for figures in row["modes"].values())


def main(arguments):
    options = parse(arguments)
    folder = BUILD / "bench-semantics"
    torch.set_num_threads(1)
    result = {"about": machine(), "cases": []}
    for gbit in options.gbit:
        for name in options.case:
            result["cases"].append(measure_case(name, gbit, options, folder))
            if options.keep:
                kept = keep(result, options.keep)  # what there is, should the run be cut
            if not options.json:
                print(report({"cases": result["cases"][-1:]}), flush=True)
    if options.json:
        print(json.dumps(result, indent=1))
    if options.keep:
        print(f"kept as {kept}.md and .json", file=sys.stderr)
    return 0 if is_right(result) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
