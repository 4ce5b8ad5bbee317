"""Throws random and mutated bytes at the ports of a running genied.

usage: soak.py HOST PORT METRICS_PORT SECONDS SEED KEY.pem PLAN.gplan

Three kinds of peer at once: one that knows nothing sends bytes, whole or half TLS hellos and HTTP; one with a key that the
node trusts speaks the protocol and breaks it after a while, in the messages' framing, in their fields and in the plan that it
brings; one asks the metrics port nonsense. Prints how many connections each made. Whether the node survived is for the
caller to see.
"""

import contextlib
import pathlib
import random
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time

MAGIC = 0x4D454E47
GREETING = b"genie/1\n"
HELLO, PING, OPEN_SESSION, WEIGHT_CHUNK, CONNECT_PEERS, CLOSE_SESSION = 1, 4, 16, 18, 20, 22
GET_NODE_INFO, GET_NODE_STATS, CALL, CANCEL, TENSOR, HEARTBEAT, CREDIT = 32, 34, 256, 258, 259, 260, 261
CONTROL_ROLE = 1


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out + bytes([value]))


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def fixed64(number, value):
    return varint(number << 3 | 1) + struct.pack("<Q", value)


def message(kind, body=b"", payload=b""):
    header = struct.pack("<HHI", kind, 0, 8 + len(body)) + body
    return struct.pack("<IIQ", MAGIC, len(header), len(payload)) + header + payload


def mutate(rng, data):
    """Flips, cuts, repeats and invents bytes of `data`."""
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        if not data:
            break
        at, action = rng.randrange(len(data)), rng.randrange(5)
        if action == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif action == 1:
            data[at : at + 8] = rng.choice((b"\xff" * 8, bytes(8), b"\x00\x00\x00\x00\x00\x00\x00\x80", rng.randbytes(8)))
        elif action == 2:
            del data[at : at + rng.randrange(1, 64)]
        elif action == 3:
            data[at:at] = data[at : at + rng.randrange(1, 64)]
        else:
            data[at:at] = rng.randbytes(rng.randrange(1, 64))
    return bytes(data)


def head_of(plan):
    """The plan without its weights, as a client sends it."""
    (count,) = struct.unpack_from("<I", plan, 12)
    (offset,) = struct.unpack_from("<Q", plan, 240 + 56 * (count - 1) + 8)
    return plan[:offset]


def dialogue(rng, head, plan_bytes):
    """Messages of a client that knows the protocol, one of them spoiled."""
    import hashlib

    brought = mutate(rng, head) if rng.random() < 0.5 else head
    place = field(1, 0) + field(2, rng.choice((b"cpu0", b"cpu0", b"cuda9", b"")))
    opening = fixed64(1, 1) + field(2, plan_bytes) + field(3, hashlib.sha256(brought).digest()) + field(4, place)
    opening += field(6, rng.choice((b"", b"/etc/passwd", b"../../x"))) + field(7, b"soak")
    session = rng.randrange(1 << 64)
    parts = [
        message(HELLO, field(1, 1) + field(2, 1) + field(3, CONTROL_ROLE) + field(4, b"soak")),
        message(PING, fixed64(1, 7) + field(2, rng.choice((0, 100, 1 << 40))), rng.randbytes(rng.choice((0, 10, 70000)))),
        message(GET_NODE_INFO),
        message(OPEN_SESSION, opening, brought),
        message(WEIGHT_CHUNK, fixed64(1, session) + field(2, rng.randrange(4)), rng.randbytes(1000)),
        message(CONNECT_PEERS, fixed64(1, session) + field(2, field(1, b"x") + field(2, b"127.0.0.1:1"))),
        message(HEARTBEAT, struct.pack("<QQ", 1, 1)),
        message(CANCEL, struct.pack("<QQII", session, 1, 0, 0)),
        message(CALL, struct.pack("<QQQIIII", session, 1, 0, 0, 0, 1, 1) + bytes(24)),
        message(TENSOR, struct.pack("<QQIIQQ", session, 1, 0, 0, 8, 0), bytes(8)),
        message(CREDIT, struct.pack("<Q", 1 << 63)),
        message(GET_NODE_STATS),
        message(CLOSE_SESSION, fixed64(1, session)),
    ]
    order = parts[:1] + rng.sample(parts[1:], rng.randrange(1, len(parts)))
    if rng.random() < 0.9:
        spoiled = rng.randrange(len(order))
        order[spoiled] = mutate(rng, order[spoiled])
    return order


def drain(peer, seconds):
    with contextlib.suppress(OSError):
        peer.settimeout(seconds)
        peer.recv(65536)


class Attack:
    def __init__(self, host, port, metrics_port, key, plan):
        self.host, self.port, self.metrics_port = host, port, metrics_port
        self.head, self.plan_bytes = head_of(plan), len(plan)
        self.counts = {}
        with tempfile.TemporaryDirectory() as folder:
            certificate = pathlib.Path(folder) / "cert.pem"
            command = ["openssl", "req", "-x509", "-new", "-key", key, "-subj", "/CN=soak", "-out", certificate]
            subprocess.run(command, check=True, capture_output=True)
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            self.context.check_hostname, self.context.verify_mode = False, ssl.CERT_NONE
            self.context.minimum_version = ssl.TLSVersion.TLSv1_3
            self.context.load_cert_chain(certificate, key)

    def connect(self, port):
        return socket.create_connection((self.host, port), timeout=5)

    def client_hello(self):
        """The first bytes of a TLS handshake."""
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        connection = self.context.wrap_bio(incoming, outgoing)
        with contextlib.suppress(ssl.SSLWantReadError):
            connection.do_handshake()
        return outgoing.read()

    def raw(self, rng):
        kind = rng.randrange(4)
        data = [rng.randbytes(rng.randrange(1, 4096)), mutate(rng, self.client_hello()), self.client_hello(), b"GET / HTTP/1.1\r\n\r\n"][kind]
        with self.connect(self.port) as peer:
            peer.sendall(data)
            if rng.random() < 0.2:
                drain(peer, 0.02)

    def trusted(self, rng):
        with self.connect(self.port) as plain, self.context.wrap_socket(plain) as peer:
            drain(peer, 2)
            for part in dialogue(rng, self.head, self.plan_bytes):
                peer.sendall(part)
                if rng.random() < 0.3:
                    drain(peer, 0.02)
            if rng.random() < 0.2:
                peer.sendall(rng.randbytes(rng.randrange(1, 2000)))
            drain(peer, 0.05)

    def metrics(self, rng):
        request = rng.choice((b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\nx", rng.randbytes(500)))
        with self.connect(self.metrics_port) as peer:
            peer.sendall(mutate(rng, request) if rng.random() < 0.7 else request)
            drain(peer, 0.02)

    def keep_on(self, name, seed, end):
        rng, step, count = random.Random(f"{seed} {name}"), getattr(self, name), 0
        while time.monotonic() < end:
            # Refusals, resets and timeouts are what the node is supposed to answer with.
            with contextlib.suppress(OSError):
                step(rng)
            count += 1
        self.counts[name] = count


def main():
    host, port, metrics_port, seconds, seed, key, plan = sys.argv[1:]
    attack = Attack(host, int(port), int(metrics_port), key, pathlib.Path(plan).read_bytes())
    end = time.monotonic() + float(seconds)
    threads = [threading.Thread(target=attack.keep_on, args=(name, seed, end)) for name in ("raw", "trusted", "metrics")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(" ".join(f"{name}={count}" for name, count in sorted(attack.counts.items())))


if __name__ == "__main__":
    main()
