"""The client of `./x bench semantics`, on a machine of its own: opens a session and calls when it is told to.

    semantics_client.py PLAN POOL KEY KNOWN_NODES INPUTS.safetensors OUTPUTS.safetensors calls|generate|stream BYTES_PER_S BURST_BYTES

Writes "ready", then for each line "N" on standard input makes N calls and writes a line of JSON: the milliseconds that they
took together, the bytes that the plan's traffic contract states for a call and those that were counted. For a line "trace N"
a session that records a trace makes the calls, and the line says what traced.py reads of links of that rate that let
through BURST_BYTES at once. Without POOL (an empty argument) all runs in this process.
"""

import functools
import json
import sys
import time

import safetensors.torch
import torch

import traced
from genie import runtime

CALLS_IN_FLIGHT = 6


def calls(session, inputs, count):
    for _ in range(count):
        outputs = session.run(inputs)
    return outputs


def stream(session, inputs, count):
    """Several calls at a time, as a server of images makes them."""
    flight, outputs = [], None
    for _ in range(count):
        if len(flight) == CALLS_IN_FLIGHT:
            outputs = flight.pop(0).wait()
        flight.append(session.submit(inputs))
    for submission in flight:
        outputs = submission.wait()
    return outputs


def generate(session, inputs, count):
    """Each call takes the token that the one before has made."""
    token, tokens = inputs[0], []
    for position in range(count):
        (token,) = session.run([token, torch.full_like(inputs[1], position)])
        tokens.append(token)
    return [torch.cat(tokens, 1)]


WAYS = {"calls": calls, "stream": stream, "generate": generate}


def measure_trace(open_session, way, values, count, bytes_per_s, burst_bytes):
    """Figures of a session of its own, after a first call: tracing costs time that other turns are to be free of."""
    session = open_session(trace=True)
    WAYS[way](session, values, 1)
    session.trace()
    if way == "generate":
        session.reset_state()
    begin_ns = time.monotonic_ns()
    WAYS[way](session, values, count)
    end_ns = time.monotonic_ns()
    events = session.trace()
    share, size = traced.link_use(events, bytes_per_s, burst_bytes)
    return {
        "traced_ms": 1e-6 * (end_ns - begin_ns),
        "compute_ms": 1e-6 * traced.compute_ns(events),
        "overhead_ms": 1e-6 * traced.overhead_ns(events, begin_ns, end_ns, bytes_per_s),
        "link_use": share,
        "large_bytes": size,
        "clock_error_us": 1e-3 * max((event["error_ns"] for event in events), default=0),
    }


def main(plan, pool, key, known_nodes, inputs, outputs, way, bytes_per_s, burst_bytes):
    torch.set_num_threads(1)
    model = runtime.Model(plan)
    remote = dict(pool=pool, key=key, known_nodes=known_nodes) if pool else {}
    session = runtime.Session(model, threads=1, **remote)
    tensors = safetensors.torch.load_file(inputs)
    values = [tensors[info.name] for info in model.inputs()]
    WAYS[way](session, values, 1)
    print("ready", flush=True)
    for line in sys.stdin:
        if line.startswith("trace "):
            open_session = functools.partial(runtime.Session, model, threads=1, **remote)
            print(json.dumps(measure_trace(open_session, way, values, int(line.split()[1]), float(bytes_per_s), float(burst_bytes))), flush=True)
            continue
        if way == "generate":
            session.reset_state()
        count = int(line)
        begin = time.perf_counter()
        results = WAYS[way](session, values, count)
        took = time.perf_counter() - begin
        safetensors.torch.save_file({str(i): value.contiguous() for i, value in enumerate(results)}, outputs)
        edges = session.traffic() if pool else []
        sums = {name: sum(edge[name] for edge in edges) for name in ("planned_bytes", "last_bytes")}
        print(json.dumps({"milliseconds": 1e3 * took, "edges": edges} | sums), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
