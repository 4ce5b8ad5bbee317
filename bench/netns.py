"""Machines on one machine: network namespaces on a switch, their links shaped and cut as a test asks.

    with netns.Network() as network:
        node, client = network.machine("node", gbit_per_s=10), network.machine("client")
        server = node.start(["genied", "--listen", f"{node.address}:7447"])
        client.run(["genie", "run", ...])
        node.cut()                    # from now on nothing arrives, and nobody is told
        print(node.counters())        # what the kernel saw pass: {"sent_bytes": ..., "received_bytes": ...}

Each machine has one interface with an address of 10.191.0.0/24, by a veth pair on a bridge in a namespace of its own, so
nothing of it shows outside. Shaping is a token bucket on both ends of the pair. Where the kernel can, interfaces take packets
of more than 64 KiB that are never cut ("BIG TCP", what a network card's offload is to its host): passing a switch and a bucket
then leaves the processors to those who are measured. The rate is limited all the same. This needs root and a kernel with veth,
bridge and tbf: where they are missing, `Network.unavailable()` says why, and `Loopback` offers the same machines as
addresses of 127.0.0.0/8, without shaping, cutting or counting.
"""

import json
import os
import socket
import struct
import subprocess
import sys

MTU = 9000
_PACKET_BYTES = 128 * 1024  # of an offloaded packet; no bucket is smaller, or it would cut packets up one by one
_BURST_SECONDS = 400e-6  # what the bucket holds: at 10 Gb/s as much as a few offloaded packets of 64 KiB
_LEAST_BURST = 160 * 1024


class Unavailable(Exception):
    """The kernel, or this user, has no network namespaces, or not all that they need."""


def _ip(*arguments, tool="ip"):
    done = subprocess.run([tool, *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Unavailable(f"{tool} {' '.join(arguments)}: {done.stderr.strip() or done.returncode}")
    return done.stdout


def burst_bytes(gbit_per_s):
    """What the bucket of a link of that rate holds: so much goes through at once after a pause."""
    return max(_LEAST_BURST, int(gbit_per_s * 1e9 / 8 * _BURST_SECONDS))


def enlarge_packets(device):
    """Lets `device` of this namespace take packets of _PACKET_BYTES; raises OSError where the kernel has no such thing."""
    new_link, request_and_acknowledge, error = 16, 5, 2
    gso_max, gro_max, gso_ipv4_max, gro_ipv4_max = 41, 58, 63, 64  # IFLA_*, linux/if_link.h
    sizes = b"".join(struct.pack("=HHI", 8, name, _PACKET_BYTES) for name in (gso_max, gro_max, gso_ipv4_max, gro_ipv4_max))
    body = struct.pack("=BxHiII", socket.AF_UNSPEC, 0, socket.if_nametoindex(device), 0, 0) + sizes
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as netlink:
        netlink.bind((0, 0))
        netlink.send(struct.pack("=IHHII", 16 + len(body), new_link, request_and_acknowledge, 1, 0) + body)
        _, kind, _, _, _, code = struct.unpack_from("=IHHIIi", netlink.recv(4096))
    if kind != error or code != 0:
        raise OSError(-code, os.strerror(-code))


def _enlarge_packets(namespace, devices):
    """The same in another namespace. Without it all works, at a higher cost in processor time."""
    subprocess.run(["ip", "netns", "exec", namespace, sys.executable, __file__, *devices], capture_output=True, check=False)


class Machine:
    """A namespace with one interface, eth0."""

    def __init__(self, network, name, index):
        self.name, self.address = name, f"10.191.0.{index + 1}"
        self._switch, self._port = network.switch, f"p{index}"
        self.namespace = f"{network.prefix}-{name}"
        _ip("netns", "add", self.namespace)
        _ip("-n", self._switch, "link", "add", self._port, "mtu", str(MTU), "type", "veth", "peer", "name", "eth0", "mtu", str(MTU), "netns", self.namespace)
        _ip("-n", self._switch, "link", "set", self._port, "master", "bridge", "up")
        _ip("-n", self.namespace, "address", "add", f"{self.address}/24", "dev", "eth0")
        _ip("-n", self.namespace, "link", "set", "eth0", "up")
        _ip("-n", self.namespace, "link", "set", "lo", "up")
        _enlarge_packets(self.namespace, ["eth0"])
        _enlarge_packets(self._switch, ["bridge", self._port])

    def command(self, command):
        """The command line that runs `command` on this machine."""
        return ["ip", "netns", "exec", self.namespace, *map(os.fspath, command)]

    def run(self, command, **options):
        return subprocess.run(self.command(command), **options)

    def start(self, command, **options):
        return subprocess.Popen(self.command(command), **options)

    def shape(self, gbit_per_s):
        """Limits both directions; None lifts the limit."""
        for namespace, device in ((self.namespace, "eth0"), (self._switch, self._port)):
            subprocess.run(["tc", "-n", namespace, "qdisc", "del", "dev", device, "root"], capture_output=True, check=False)
            if gbit_per_s is not None:
                rate = f"{int(gbit_per_s * 1e6)}kbit"
                _ip("-n", namespace, "qdisc", "add", "dev", device, "root", "tbf", "rate", rate, "burst", str(burst_bytes(gbit_per_s)), "latency", "20ms", tool="tc")

    def cut(self):
        """Takes the cable out without a click: no side learns of it."""
        _ip("-n", self._switch, "link", "set", self._port, "nomaster")

    def restore(self):
        _ip("-n", self._switch, "link", "set", self._port, "master", "bridge")

    def counters(self):
        """What went through the interface since it was made, headers and retransmissions included."""
        (link,) = json.loads(_ip("-n", self.namespace, "-s", "-j", "link", "show", "eth0"))
        stats = link["stats64"]
        return {
            "sent_bytes": stats["tx"]["bytes"],
            "received_bytes": stats["rx"]["bytes"],
            "sent_packets": stats["tx"]["packets"],
            "received_packets": stats["rx"]["packets"],
        }


class Network:
    """A switch and the machines on it; leaving the context ends the namespaces, not the processes in them."""

    _count = 0

    def __init__(self):
        Network._count += 1
        self.prefix = f"genie-{os.getpid()}-{Network._count}"
        self.switch = f"{self.prefix}-switch"
        self._machines = []

    @staticmethod
    def unavailable():
        """Why there can be no network here; None when there can."""
        try:
            with Network() as network:
                network.machine("probe", gbit_per_s=1)
        except (Unavailable, FileNotFoundError) as error:
            return str(error)
        return None

    def __enter__(self):
        try:
            _ip("netns", "add", self.switch)
            _ip("-n", self.switch, "link", "add", "bridge", "mtu", str(MTU), "type", "bridge")
            _ip("-n", self.switch, "link", "set", "bridge", "up")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for namespace in [machine.namespace for machine in self._machines] + [self.switch]:
            subprocess.run(["ip", "netns", "del", namespace], capture_output=True, check=False)

    def machine(self, name, gbit_per_s=None):
        machine = Machine(self, name, len(self._machines))
        self._machines.append(machine)
        if gbit_per_s is not None:
            machine.shape(gbit_per_s)
        return machine


class LoopbackMachine:
    """An address of 127.0.0.0/8 in the place of a machine."""

    def __init__(self, name, index):
        self.name, self.address = name, f"127.0.1.{index + 1}"

    def command(self, command):
        return [*map(os.fspath, command)]

    def run(self, command, **options):
        return subprocess.run(self.command(command), **options)

    def start(self, command, **options):
        return subprocess.Popen(self.command(command), **options)

    def _refuse(self, *_):
        raise Unavailable("addresses of 127.0.0.0/8 cannot be shaped, cut or counted")

    shape = cut = restore = counters = _refuse


class Loopback:
    """The same without namespaces."""

    def __init__(self):
        self._count = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def machine(self, name, gbit_per_s=None):
        machine = LoopbackMachine(name, self._count)
        self._count += 1
        if gbit_per_s is not None:
            machine.shape(gbit_per_s)
        return machine


if __name__ == "__main__":
    for name in sys.argv[1:]:
        enlarge_packets(name)
