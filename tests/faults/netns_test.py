"""The network that fault tests and benchmarks stand on: it counts, shapes and cuts as it says."""

import socket
import subprocess
import sys
import textwrap
import time

import netns
import pytest

WHY_NOT = netns.Network.unavailable()
pytestmark = pytest.mark.skipif(WHY_NOT is not None, reason=f"no network namespaces: {WHY_NOT}")

RECEIVE = """
    import socket, sys, time
    listener = socket.create_server((sys.argv[1], 7000))
    print("ready", flush=True)
    peer, _ = listener.accept()
    total, first = 0, None
    while data := peer.recv(1 << 20):
        first = first or time.monotonic()
        total += len(data)
    print(total, time.monotonic() - first, flush=True)
"""
SEND = """
    import socket, sys
    peer = socket.create_connection((sys.argv[1], 7000))
    block = bytes(1 << 20)
    for _ in range(int(sys.argv[2])):
        peer.sendall(block)
"""


def python(machine, text, *arguments):
    return machine.start([sys.executable, "-c", textwrap.dedent(text), *arguments], stdout=subprocess.PIPE, text=True)


def push(network, mebibytes, gbit_per_s):
    """(bytes per second that arrived, the receiver's machine)"""
    receiver, sender = network.machine("receiver", gbit_per_s=gbit_per_s), network.machine("sender")
    receiving = python(receiver, RECEIVE, receiver.address)
    assert receiving.stdout.readline() == "ready\n"
    sending = python(sender, SEND, receiver.address, str(mebibytes))
    total, seconds = receiving.communicate(timeout=60)[0].split()
    assert sending.wait(timeout=10) == 0
    assert int(total) == mebibytes << 20
    return int(total) / float(seconds), receiver


def test_a_shaped_link_has_its_rate_and_is_counted():
    with netns.Network() as network:
        rate, receiver = push(network, 60, gbit_per_s=0.5)
        assert 0.85 < rate / (0.5e9 / 8) < 1.1
        assert 1.0 < receiver.counters()["received_bytes"] / (60 << 20) < 1.1


def test_a_cut_is_silent_and_heals():
    with netns.Network() as network:
        left, right = network.machine("left"), network.machine("right")
        probe = "import socket,sys; s=socket.socket(); s.settimeout(0.5); sys.exit(s.connect_ex((sys.argv[1], 7000)))"
        refused = 111

        def reach():
            return left.run([sys.executable, "-c", probe, right.address], capture_output=True).returncode

        assert reach() == refused
        right.cut()
        assert reach() != refused
        right.restore()
        deadline = time.monotonic() + 10
        while reach() != refused and time.monotonic() < deadline:
            time.sleep(0.2)
        assert reach() == refused


def test_loopback_addresses_stand_in_and_say_what_they_lack():
    with netns.Loopback() as network:
        machine = network.machine("a")
        with socket.create_server((machine.address, 0)):
            pass
        with pytest.raises(netns.Unavailable):
            machine.cut()
