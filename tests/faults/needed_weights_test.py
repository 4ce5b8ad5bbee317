"""A node is sent, stores and keeps in memory the weights of the places that it hosts, and no others."""

import nodes
import small_plans

SIZE = 4608  # a product's weights are 81 MiB, and chunks have 64
HALF_BYTES = SIZE * SIZE * 4
CHUNK_BYTES = 64 << 20


def stored_bytes(node):
    return sum(path.stat().st_size for path in (node.folder / "data" / "weights").glob("?" * 64))


def test_each_of_two_nodes_has_its_half_of_the_weights(geniec, tmp_path):
    with nodes.Pool(["node1", "node2"], tmp_path / "pool", options=["--threads", "1"]) as pool:
        plan = small_plans.compile_plan(geniec, tmp_path, "a=local:cpu0", "b=local:cpu1", size=SIZE)
        idle = {name: node.status("VmRSS") for name, node in pool.nodes.items()}
        both = ("--place", "local:cpu0=node1:cpu0", "--place", "local:cpu1=node2:cpu0", *small_plans.inputs(SIZE))
        done = pool.genie("run", plan, *both, "-v")
        assert done.returncode == 0, done.stderr
        for name, node in pool.nodes.items():
            # Half of the plan, and of chunks that it shares with the other half the rest.
            assert HALF_BYTES <= stored_bytes(node) <= HALF_BYTES + CHUNK_BYTES, name
            grown = (node.status("VmHWM") - idle[name]) * 1024
            assert grown < HALF_BYTES + CHUNK_BYTES + (32 << 20), f"{name}: {grown >> 20} MiB"
        # All of it on one node: what it lacks is sent.
        again = pool.genie("run", plan, "--place", "local:cpu0=node1:cpu0", "--place", "local:cpu1=node1:cpu0", *small_plans.inputs(SIZE))
        assert again.returncode == 0, again.stderr
        assert 2 * HALF_BYTES <= stored_bytes(pool["node1"])
