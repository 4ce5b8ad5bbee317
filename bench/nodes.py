"""Daemons and a client that knows them, for tests, benchmarks and the demo.

    with nodes.Pool(["node1", "node2"], folder) as pool:
        pool.genie("run", plan, "--inputs", ...)     # on the client's machine, with --pool and --key set
        pool["node2"].kill()                         # SIGKILL; stop() and go_on() are SIGSTOP and SIGCONT

Each daemon and the client is on a machine of its own where the kernel has network namespaces (netns.py), else on an
address of 127.0.0.0/8: `pool.where` says which.
"""

import json
import os
import pathlib
import re
import signal
import subprocess
import time

import netns
from genie import toolchain

START_SECONDS = 20


class Node:
    """One daemon."""

    def __init__(self, pool, name, machine, options):
        self.name, self.machine, self.pool = name, machine, pool
        self.folder = pool.folder / name
        self.folder.mkdir(exist_ok=True)
        self.log_path = self.folder / "log"
        self.options = options
        self.port = 0
        self.start()

    def start(self):
        """Starts the daemon, again at the same port after it has ended."""
        begin = time.monotonic()
        command = [self.pool.program("genied"), "--listen", f"{self.machine.address}:{self.port}", "--data-dir", self.folder / "data"]
        command += ["--authorized-keys", self.pool.authorized_keys, *self.options]
        offset = len(self.log())
        with open(self.log_path, "ab") as log:
            self.process = self.machine.start(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        while not (match := re.search(r"listens on (\S+):(\d+), .* key (sha256:[0-9a-f]{64})", self.log()[offset:])):
            if self.process.poll() is not None or time.monotonic() > begin + START_SECONDS:
                raise RuntimeError(f"genied does not start: {self.log()[offset:][-500:]}")
            time.sleep(0.002)
        self.ready_seconds = time.monotonic() - begin
        self.port, self.key = int(match[2]), match[3]

    @property
    def address(self):
        return f"{self.machine.address}:{self.port}"

    @property
    def devices(self):
        """Rows of the pool's description."""
        options = list(map(str, self.options))
        names = options[options.index("--devices") + 1].split(",") if "--devices" in options else ["cpu0"]
        return [{"name": name, "kind": name.rstrip("0123456789")} for name in names]

    def log(self):
        return self.log_path.read_text() if self.log_path.exists() else ""

    def status(self, field):
        """A number of /proc/PID/status, as in "VmRSS" (in kB) or "Threads"."""
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"^{field}:\s*(\d+)", text, re.M)[1])

    def file_count(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def end(self):
        """SIGTERM; gives the exit status."""
        self.go_on()
        self.process.terminate()
        try:
            return self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.kill()
            raise


class Pool:
    """`names` are started in their order, each with `options`; all is under `folder`."""

    def __init__(self, names, folder, options=(), build=None, has_namespaces=True):
        self.folder, self._build = pathlib.Path(folder), build
        self.folder.mkdir(parents=True, exist_ok=True)
        self._why_not = netns.Network.unavailable() if has_namespaces else "not asked for"
        self.network = netns.Loopback() if self._why_not else netns.Network()
        self.where = f"addresses of 127.0.0.0/8 ({self._why_not})" if self._why_not else "network namespaces"
        self._names, self._options = list(names), list(options)
        self.nodes = {}

    def program(self, name):
        return os.path.join(self._build, "bin", name) if self._build else toolchain.find(f"bin/{name}")

    def __enter__(self):
        self.network.__enter__()
        try:
            self.client = self.network.machine("client")
            self.key = self.make_key("client")
            self.authorized_keys = self.folder / "authorized_keys"
            self.authorized_keys.write_text(pathlib.Path(f"{self.key}.pub").read_text())
            self.authorized_keys.chmod(0o600)
            for name in self._names:
                self.add(name)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for node in self.nodes.values():
            if node.process.poll() is None:
                node.kill()
        self.network.__exit__()

    def make_key(self, name):
        path = self.folder / f"{name}.pem"
        if not path.exists():
            subprocess.run([self.program("genie"), "keygen", path], check=True, capture_output=True)
        return path

    def add(self, name, *options):
        self.nodes[name] = Node(self, name, self.network.machine(name), [*self._options, *options])
        self.write()
        return self.nodes[name]

    def write(self, path=None):
        """Writes pool.json and gives its path."""
        rows = [{"name": node.name, "address": node.address, "key": node.key, "devices": node.devices} for node in self.nodes.values()]
        self.path = self.folder / "pool.json" if path is None else path
        self.path.write_text(json.dumps({"version": 1, "nodes": rows}))
        return self.path

    def describe(self, path, device, link):
        """Writes the descriptor to `path`, every device and every link between two nodes with these figures; gives the path."""
        described = json.loads(self.path.read_text())
        for node in described["nodes"]:
            node["devices"][0] |= device
        described["links"] = [{"from": a, "to": b} | link for a in self.nodes for b in self.nodes if a != b]
        path.write_text(json.dumps(described))
        return path

    def __getitem__(self, name):
        return self.nodes[name]

    def command(self, command, plan, *arguments):
        """The command line of `genie COMMAND PLAN ...` on the pool."""
        remote = ["--pool", self.path, "--key", self.key, "--known-nodes", self.folder / "known_nodes"]
        return self.client.command([self.program("genie"), command, plan, *remote, *map(os.fspath, arguments)])

    def genie(self, command, plan, *arguments, timeout=300):
        return subprocess.run(self.command(command, plan, *arguments), capture_output=True, text=True, timeout=timeout, check=False)
