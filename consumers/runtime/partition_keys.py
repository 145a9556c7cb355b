"""Names the keys of a group's work on one partition, all of one cluster slot."""

from msgspec import Struct

from consumers.runtime.entry import Source
from gateway.balance.keys import group_balance_key
from gateway.contract import Streams

__all__ = ["PartitionKeys"]


class PartitionKeys(Struct, frozen=True, kw_only=True):
    """A partition of a stream, as one group sees it; `output` is empty if it has none."""

    group: str
    partition: int
    shared: Source
    marks: str
    redeliveries: Source
    dead: str
    failures: str
    lease: str
    balance: str
    output: str
    emitted: str

    @classmethod
    def of(
        cls, streams: Streams, *, group: str, stream: str, partition: int, output: str | None = None
    ) -> "PartitionKeys":
        """The keys of a group on a partition of a stream, and on that of its output."""
        return cls(
            group=group,
            partition=partition,
            shared=Source(stream, streams.key(stream, partition), is_redelivery=False),
            marks=streams.retention_marks(stream, partition),
            redeliveries=Source("replay", streams.replay(group, partition), is_redelivery=True),
            dead=streams.dead(group, partition),
            failures=streams.failures(group, partition),
            lease=streams.lease(group, partition),
            balance=group_balance_key(streams.prefix, group, partition),
            output=streams.key(output, partition) if output else "",
            emitted=streams.emitted(group, partition),
        )
