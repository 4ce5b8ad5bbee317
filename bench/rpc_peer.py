"""torch.distributed.rpc as a peer of remote.py: one process calls a module that another holds.

usage: rpc_peer.py CASE          then a number of calls on each line of stdin; answers the milliseconds of each as JSON
"""

import json
import os
import socket
import sys
import time

import torch
import torch.distributed.rpc as rpc
import torch.multiprocessing

import remote_cases

_MODULE = None


def load(case):
    global _MODULE
    torch.set_num_threads(1)
    _MODULE, _ = remote_cases.make(case)


def call(inputs):
    with torch.inference_mode():
        return _MODULE(*inputs)


def nothing():
    pass


def init(name, rank, port):
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), GLOO_SOCKET_IFNAME="lo", TP_SOCKET_IFNAME="lo")
    rpc.init_rpc(name, rank=rank, world_size=2)


def serve(_, port):
    init("server", 1, port)
    rpc.shutdown()


def milliseconds(step, count):
    times = []
    for _ in range(count):
        begin = time.perf_counter()
        step()
        times.append(1e3 * (time.perf_counter() - begin))
    return times


def main(case):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = torch.multiprocessing.spawn(serve, args=(port,), join=False)
    init("client", 0, port)
    if case == "nothing":
        step = lambda: rpc.rpc_sync("server", nothing)  # noqa: E731
    else:
        rpc.rpc_sync("server", load, args=(case,))
        _, inputs = remote_cases.make(case)
        step = lambda: rpc.rpc_sync("server", call, args=(inputs,))  # noqa: E731
    milliseconds(step, 3)
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(milliseconds(step, int(line))), flush=True)
    rpc.shutdown()
    server.join()


if __name__ == "__main__":
    main(sys.argv[1])
