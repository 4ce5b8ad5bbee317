"""The client of `./x bench semantics`, on a machine of its own: opens a session and calls when it is told to.

    semantics_client.py PLAN POOL KEY KNOWN_NODES INPUTS.safetensors OUTPUTS.safetensors calls|generate|stream

Writes "ready", then for each line "N" on standard input makes N calls and writes a line of JSON: the milliseconds that they
took together, the bytes that the plan's traffic contract states for a call and those that were counted. Without POOL (an
empty argument) all runs in this process.
"""

import json
import sys
import time

import safetensors.torch
import torch

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


def main(plan, pool, key, known_nodes, inputs, outputs, way):
    torch.set_num_threads(1)
    model = runtime.Model(plan)
    remote = dict(pool=pool, key=key, known_nodes=known_nodes) if pool else {}
    session = runtime.Session(model, threads=1, **remote)
    tensors = safetensors.torch.load_file(inputs)
    values = [tensors[info.name] for info in model.inputs()]
    WAYS[way](session, values, 1)
    print("ready", flush=True)
    for line in sys.stdin:
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
