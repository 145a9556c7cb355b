"""Chooses what hands a partition's entries to the handlers that a consumer declares."""

from consumers.runtime.attempts import Attempts
from consumers.runtime.batches import Batches
from consumers.runtime.consumer import Consumer
from consumers.runtime.gate import Circuit, Gate
from consumers.runtime.gatherings import Gatherings
from consumers.runtime.intervening import Intervening
from consumers.runtime.joint_batches import JointBatches
from consumers.runtime.joint_calls import JointCalls
from consumers.runtime.lanes import Lanes

__all__ = ["Work", "work_of"]

Work = Lanes | Batches | JointBatches | Gatherings


def work_of(
    consumer: Consumer,
    attempts: Attempts,
    gate: Gate,
    intervening: Intervening,
    calls: JointCalls | None,
) -> Work:
    """By events, batches or transforms; `calls` are those that partitions have in common."""
    if consumer.output is not None:
        return Gatherings(attempts.on_transform, consumer.transform_of, gate, intervening)
    if consumer.batch_handler is None:
        return Lanes(attempts.on_event, gate, Circuit(consumer.backoff), intervening)
    if calls is not None:
        return JointBatches(
            attempts.on_batch,
            gate,
            calls,
            by_itself=consumer.batch_handler.call,
            intervening=intervening,
        )
    return Batches(attempts.on_batch, gate, consumer.batch_handler, intervening)
