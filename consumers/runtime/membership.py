"""Which process of a group owns which partition: the same answer in every process."""

import hashlib
from collections.abc import Collection

__all__ = ["share_of"]


def share_of(member: str, members: Collection[str], partitions: int) -> set[int]:
    """The partitions that `member` owns when exactly `members` live.

    Rendezvous hashing, so that few partitions move when a process comes or goes, with a bound:
    shares differ by one at most. https://en.wikipedia.org/wiki/Rendezvous_hashing
    """
    least, larger_left = divmod(partitions, max(len(members), 1))
    counts = dict.fromkeys(members, 0)
    share: set[int] = set()
    for partition in range(partitions):
        most = least + 1 if larger_left else least
        free = (name for name, count in counts.items() if count < most)
        owner = max(free, key=lambda name: _weight(name, partition), default=None)
        if owner is None:
            continue
        if counts[owner] == least:
            larger_left -= 1
        counts[owner] += 1
        if owner == member:
            share.add(partition)
    return share


def _weight(member: str, partition: int) -> bytes:
    return hashlib.blake2b(f"{member}/{partition}".encode(), digest_size=8).digest()
