"""What bench/traced.py reads from a trace."""

import pytest

import traced

MIB = 1 << 20


def move(begin, end, size, source="node1:cpu0", destination="node2:cpu0", what="transfer"):
    return dict(what=what, source=source, destination=destination, begin_ns=begin, end_ns=end, bytes=size)


def launch(begin, end, place="node1:cpu0"):
    return dict(what="launch", source=place, destination="", begin_ns=begin, end_ns=end, bytes=0)


def test_only_large_transfers_between_machines_use_a_link():
    assert traced.link_use([move(0, 10, MIB - 1), move(0, 10, MIB, destination="node1:cpu1")], 1e9, 0) == (None, 0)
    share, size = traced.link_use([move(0, 2e6, MIB)], MIB * 1e3, 0)
    assert share == pytest.approx(0.5) and size == MIB


def test_what_a_machine_sends_at_a_time_shares_its_link():
    both = [move(0, 2e6, MIB), move(0, 2e6, MIB, destination="node3:cpu0")]
    assert traced.link_use(both, MIB * 1e3, 0)[0] == pytest.approx(1.0)
    apart = [move(0, 1e6, MIB), move(5e6, 6e6, MIB), move(0, 1e6, MIB, source="", what="inputs")]
    assert traced.link_use(apart, MIB * 1e3, 0)[0] == pytest.approx(1.0)


def test_what_the_bucket_of_a_shaped_link_holds_is_no_use_of_its_rate():
    after_a_pause = [move(0, 1e6, 1.5 * MIB), move(5e6, 6e6, 1.5 * MIB)]
    assert traced.link_use(after_a_pause, MIB * 1e3, MIB / 2)[0] == pytest.approx(1.0)
    soon_after = [move(0, 1e6, 1.5 * MIB), move(1.25e6, 2.25e6, 1.25 * MIB)]
    assert traced.link_use(soon_after, MIB * 1e3, MIB / 2)[0] == pytest.approx(1.0)


def test_overhead_is_neither_computing_nor_the_links_time():
    events = [launch(0, 100), launch(50, 120, "node2:cpu0"), launch(200, 300), move(120, 180, 40)]
    assert traced.compute_ns(events) == 220
    assert traced.overhead_ns(events, 0, 310, bytes_per_s=1e9) == pytest.approx(80 - 40 + 10)
    assert traced.overhead_ns(events, 0, 310, bytes_per_s=1e3) == pytest.approx(10)
