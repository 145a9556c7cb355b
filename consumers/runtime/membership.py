"""Which process of a group owns which partition: the same answer in every process."""

import hashlib
from collections.abc import Collection

__all__ = ["share_of"]


def share_of(member: str, members: Collection[str], partitions: int) -> set[int]:
    """The partitions that `member` owns when exactly `members` live.

    Rendezvous hashing, so that few partitions move when a process comes or goes, with a bound:
    nobody gets more than the next whole number above an equal share.
    https://en.wikipedia.org/wiki/Rendezvous_hashing
    """
    bound = -(-partitions // max(len(members), 1))
    counts = dict.fromkeys(members, 0)
    share: set[int] = set()
    for partition in range(partitions):
        free = (name for name, count in counts.items() if count < bound)
        owner = max(free, key=lambda name: _weight(name, partition), default=None)
        if owner is None:
            continue
        counts[owner] += 1
        if owner == member:
            share.add(partition)
    return share


def _weight(member: str, partition: int) -> bytes:
    return hashlib.blake2b(f"{member}/{partition}".encode(), digest_size=8).digest()
