"""A node under random and mutated bytes at both of its ports, while it serves: 3 s, or 60 s with --all."""

import pathlib
import random
import re
import subprocess
import sys

import nodes
import small_plans

SOAK = pathlib.Path(__file__).with_name("soak.py")
MOST_RESIDENT_KB = 400 * 1024
MOST_LINES_PER_SECOND = 60


def test_a_node_survives_random_and_mutated_bytes(geniec, is_full, tmp_path):
    seconds, seed = (60 if is_full else 3), random.randrange(1 << 30)
    with nodes.Pool([], tmp_path / "pool") as pool:
        node = pool.add("node1", "--threads", "1", "--metrics-listen", "0.0.0.0:0")
        plan = small_plans.compile_plan(geniec, tmp_path)
        port = re.search(r"metrics on port (\d+)", node.log())[1]
        arguments = [node.machine.address, node.port, port, seconds, seed, pool.key, plan]
        attack = pool.client.start([sys.executable, SOAK, *map(str, arguments)], stdout=subprocess.PIPE, text=True)
        served = 0
        while attack.poll() is None:
            done = pool.genie("run", plan, "--place", "local:cpu0=node1:cpu0", *small_plans.inputs())
            assert node.process.poll() is None, f"seed {seed}: ended with {node.process.returncode}\n{node.log()[-3000:]}"
            assert done.returncode == 0, f"seed {seed}: {done.stderr}\n{node.log()[-3000:]}"
            served += 1
        counts = dict(pair.split("=") for pair in attack.communicate()[0].split())
        print(f"seed {seed}: served {served} while {counts}")
        assert min(map(int, counts.values())) > seconds, f"seed {seed}: the attack stood still: {counts}"
        assert node.log().count("\n") < (seconds + 3) * MOST_LINES_PER_SECOND + 10 * served, f"seed {seed}: strangers fill the log"
        assert node.status("VmRSS") < MOST_RESIDENT_KB, f"seed {seed}"
        assert node.end() == 0, f"seed {seed}\n{node.log()[-3000:]}"
