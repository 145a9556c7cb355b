"""Holds what all parts of a partition share, from the lease to its release."""

from msgspec import Struct

from consumers.runtime.dead_letter_limit import DeadLetterRate
from consumers.runtime.event_memory import ReadEvent, read_event
from consumers.runtime.failure_records import FailureRecords
from consumers.runtime.gate import Gate
from consumers.runtime.in_flight import InFlight
from consumers.runtime.lua_scripts import Scripts
from consumers.runtime.metrics import Metrics
from consumers.runtime.outages import Outages
from consumers.runtime.partition_keys import PartitionKeys
from consumers.runtime.standing_interventions import StandingInterventions

__all__ = ["Tenure"]


class Tenure(Struct, frozen=True, eq=False, kw_only=True):
    """A partition in the hands of this process, for as long as its lease has this epoch.

    `gate`, `in_flight` and `failures` are of this partition and this tenure alone; `scripts`,
    `metrics`, `rate`, `outages` and `wishes` are those of the process for its group, and
    `read_event` says what is in an entry.
    """

    keys: PartitionKeys
    epoch: int
    gate: Gate
    in_flight: InFlight
    failures: FailureRecords
    scripts: Scripts
    metrics: Metrics
    rate: DeadLetterRate
    outages: Outages
    wishes: StandingInterventions
    read_event: ReadEvent = read_event
