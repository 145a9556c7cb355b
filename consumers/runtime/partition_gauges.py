"""Shows what a consumer's process knows of each of its partitions."""

from prometheus_client import CollectorRegistry, Gauge

__all__ = ["PartitionGauges"]


class PartitionGauges:
    """Shows how one group stands on each partition of this process, while it has the lease."""

    def __init__(self, group: str, registry: CollectorRegistry) -> None:
        def gauge(name: str, meaning: str) -> Gauge:
            return Gauge(f"b24_consumer_{name}", meaning, ("group", "partition"), registry=registry)

        self._group = group
        self._lag = gauge("lag", "Entries on the stream that were not delivered to the group yet.")
        self._pending = gauge("pending", "Entries delivered and not acknowledged.")
        self._oldest = gauge(
            "oldest_pending_seconds", "Age of the oldest entry that is not acknowledged; 0: none."
        )
        self._dead = gauge("dead_letters_waiting", "Dead letters that wait for an operator.")
        self._in_hand = gauge("in_hand", "Entries in the hands of this process.")
        self._paused = Gauge(
            "b24_consumer_paused",
            "1 while handling is paused: by failures (everything fails transiently), by operator "
            "(the whole group), or by operator_in_part (some portals or types).",
            ("group", "partition", "by"),
            registry=registry,
        )
        self._parked = gauge("parked", "Entries that wait for the end of a pause in part.")
        self._epoch = gauge(
            "lease_epoch", "The epoch of this process's lease on the partition; 0: not the owner."
        )

    def owns(self, partition: int, epoch: int) -> None:
        """Note a lease, or with epoch 0 its end."""
        self._epoch.labels(self._group, partition).set(epoch)
        if not epoch:
            # An alarm that nobody here can end any more must not stay.
            for gauge in (
                *(self._lag, self._pending, self._oldest, self._dead),
                *(self._in_hand, self._parked, self._paused),
            ):
                gauge.remove_by_labels({"group": self._group, "partition": str(partition)})

    def stands(
        self, partition: int, *, lag: int | None, pending: int, oldest_s: float, dead: int
    ) -> None:
        """Note how the group stands on a partition."""
        self.lags(partition, lag)
        labels = (self._group, partition)
        self._pending.labels(*labels).set(pending)
        self._oldest.labels(*labels).set(oldest_s)
        self._dead.labels(*labels).set(dead)

    def lags(self, partition: int, lag: int | None) -> None:
        """Note how many entries the group has not been given yet; None: not known yet."""
        self._lag.labels(self._group, partition).set(float("nan") if lag is None else lag)

    def works(self, partition: int, *, in_hand: int, parked: int, is_failing: bool) -> None:
        """Note how busy this process is with a partition."""
        self._in_hand.labels(self._group, partition).set(in_hand)
        self._parked.labels(self._group, partition).set(parked)
        self._paused.labels(self._group, partition, "failures").set(is_failing)

    def paused(self, partition: int, *, as_a_whole: bool, in_part: bool) -> None:
        """Note what an operator has paused."""
        self._paused.labels(self._group, partition, "operator").set(as_a_whole)
        self._paused.labels(self._group, partition, "operator_in_part").set(in_part)
