"""Says why bars that were not reached were not; the profiles beside it on the page show it."""

from collections.abc import Mapping
from typing import Final

__all__ = ["REASONS", "reason_for"]

REASONS: Final[Mapping[str, str]] = {
    "CPU time of an event that comes alone": (
        "It shares nothing with others: a read, a write to Redis, the read of its answer and the "
        "write of ours are four calls of the kernel and as many turns of the event loop for each "
        "event. They are in both sides, and the kernel's part alone is more than half of what was "
        "aimed at. What is left is spread over many small parts."
    ),
    "CPU time of an event, stream to log": (
        "An absolute figure, on a machine whose clock changes: in the hour of these runs a bare "
        "aiohttp handler took 61 µs, in another one 40, and this took 19.3 then."
    ),
    "events a second to a handler of batches, beside a plain loop": (
        "Both read and decode alike. The plain loop then forgets what it has read; the runtime "
        "keeps for each entry where it is, in the order of its subject, until it is acknowledged: "
        "that is `consumers/runtime`."
    ),
    "events a CPU second to a handler of events, beside before": (
        "Decoding, Redis's client and a task of the event loop for each subject are in both sides; "
        "what became cheaper is what lies between them."
    ),
    "notifications a second": (
        "One process sends by as many threads as a target may have, but Python runs one at a time: "
        "the rate is what a core can do. Each notification is built by Apprise and sent by "
        "requests and urllib3, which together take more than the notifier itself."
    ),
    "events a second from the stream": (
        "By the clock: consumer, loading process, Redis and database share the cores, and other "
        "work on the machine counts in full; see the load average."
    ),
    "CPU time of a start, as a program": (
        "Most of it is imports, of which aiohttp and redis-py are the most; every process "
        "needs both. `gateway up` imports once for all of them, which is where the bar is reached."
    ),
    "CPU time of a start in `gateway up`": (
        "It is the first start in an empty directory: a process imports dlt and makes the "
        "warehouse's tables, which later starts find there."
    ),
    "time of a start in `gateway up`": (
        "By the clock: what else runs on the cores meanwhile counts, as the starts of the others "
        "do. The warehouse's is the first in an empty directory, and makes its tables."
    ),
    "the receiver's loop stands still: learning of a portal that was added": (
        "Portals are read and learnt a few at a time; the longest piece that is left takes about "
        "as long as the bar."
    ),
}
"""By the beginning of the name of a figure or a curve."""


def reason_for(name: str) -> str:
    """Why a figure misses its bar; empty where nobody has written it down."""
    return next((why for start, why in REASONS.items() if name.startswith(start)), "")
