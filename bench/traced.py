"""What a trace (genie.runtime.Session.trace) says of links and of the system around the kernels."""

LARGE_BYTES = 1 << 20
MOVES = ("transfer", "inputs", "outputs")


def union(intervals):
    """The same time, as intervals that do not touch, in their order."""
    merged = []
    for begin, end in sorted(intervals):
        if merged and begin <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], end)
        else:
            merged.append([begin, end])
    return merged


def length(intervals):
    return sum(end - begin for begin, end in intervals)


def interval(event):
    return event["begin_ns"], event["end_ns"]


def machine_of(place):
    """The machine of a place; the caller's own places are on the caller's."""
    return place.split(":")[0] or "local"


def travels(event):
    return event["what"] in MOVES and machine_of(event["source"]) != machine_of(event["destination"])


def allowance(intervals, bytes_per_s, burst_bytes):
    """The bytes that a shaped link lets through in intervals that do not touch: its rate, and what its bucket holds when one
    begins, which fills at that rate while nothing is under way and is full at first."""
    gaps_ns = [begin - end for (_, end), (begin, _) in zip(intervals, intervals[1:])]
    bursts = burst_bytes + sum(min(burst_bytes, bytes_per_s * gap * 1e-9) for gap in gaps_ns)
    return bytes_per_s * length(intervals) * 1e-9 + bursts


def link_use(events, bytes_per_s, burst_bytes):
    """The share of what their link lets through that transfers of 1 MiB and more reach while one is under way, and their
    bytes; None without such a transfer. Each machine has one link; what it sends at a time shares it."""
    large = [event for event in events if travels(event) and event["bytes"] >= LARGE_BYTES]
    if not large:
        return None, 0
    sources = {machine_of(event["source"]) for event in large}
    busy = [union(map(interval, (event for event in large if machine_of(event["source"]) == source))) for source in sources]
    size = sum(event["bytes"] for event in large)
    return size / sum(allowance(intervals, bytes_per_s, burst_bytes) for intervals in busy), size


def compute_ns(events):
    """Time in which at least one place computes."""
    return length(union(interval(event) for event in events if event["what"] in ("launch", "library_call", "copy")))


def overhead_ns(events, begin_ns, end_ns, bytes_per_s):
    """Time from begin to end in which no place computes, less what the bytes that are on their way then take at the
    link's rate: what the system costs."""
    busy = union((max(event["begin_ns"], begin_ns), min(event["end_ns"], end_ns)) for event in events if event["what"] in ("launch", "library_call", "copy"))
    edges = [begin_ns, *(edge for one in busy if one[0] < one[1] for edge in one), end_ns]
    moves = [event for event in events if travels(event) and event["bytes"] > 0]
    left_ns = 0
    for begin, end in zip(edges[::2], edges[1::2]):
        wire_ns = 0
        for move in moves:
            shared = min(end, move["end_ns"]) - max(begin, move["begin_ns"])
            if shared > 0:
                wire_ns += 1e9 * move["bytes"] / bytes_per_s * shared / (move["end_ns"] - move["begin_ns"])
        left_ns += max(0, end - begin - wire_ns)
    return left_ns
