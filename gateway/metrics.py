"""Defines every metric of the gateway's processes, each with a sentence; units stand in the names.

The workers of a receiver add theirs up (gateway.web.workers), so every gauge says by its
`multiprocess_mode` how, and none may use `set_function`, which prometheus_client cannot add up:
https://prometheus.github.io/client_python/multiprocess/
None has a series for each portal: their gauges are ranked, and counters do not name them.
"""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from gateway.ranked_gauge import RankedGauge
from gateway.store_times import STORE_BOUNDS_S

__all__ = [
    "AGED_DEAD_LETTERS",
    "BATCH_EVENTS",
    "DELIVERIES",
    "DRAINED_EVENTS",
    "DUTY_FAILURES",
    "DUTY_WAIT_SECONDS",
    "EVENT_TOKENS",
    "FAST_LANE_EVENTS",
    "HELD_ENTRIES",
    "HELD_SECONDS",
    "INSTALLATIONS",
    "LIFECYCLE_TASKS",
    "MEMORY_GATE_CLOSED",
    "MEMORY_SHARE",
    "OFFLINE_ROWS",
    "PORTALS_IN_TROUBLE",
    "PORTAL_ALARMS",
    "PORTAL_EVENTS_PER_MINUTE",
    "PORTAL_LAST_EVENT_SECONDS",
    "PORTAL_TROUBLE",
    "PORTAL_TROUBLES",
    "PUBLISH_FAILURES",
    "PUBLISH_SECONDS",
    "QUARANTINED",
    "QUARANTINE_BYTES",
    "QUEUED_EVENTS",
    "QUEUE_DRAINED_SECONDS",
    "REBOUND_HANDLERS",
    "RECONCILE_LEADS",
    "RECOVERED_EVENTS",
    "SENDER_LIST_SECONDS",
    "SENDER_NETWORKS",
    "SENDING_PORTALS",
    "SPOOL_BYTES",
    "SPOOL_EVENTS",
    "SPOOL_OLDEST_SECONDS",
    "SPOOL_SET_ASIDE_FILES",
    "STORED_EVENTS",
    "STORE_SECONDS",
    "STREAM_ENTRIES",
    "SWEPT_ENTITIES",
    "TRIMMED_EARLY_ENTRIES",
    "TRIMMED_ENTRIES",
    "UNINSTALLATIONS",
    "UNREAD_REMOVED_ENTRIES",
    "WORKER_RESTARTS",
    "WOULD_REFUSE",
]

DELIVERIES: Final = Counter(
    "b24gw_deliveries",
    "Requests that were not stored, by outcome (ignored, forbidden, malformed, refused, "
    "unavailable) and reason; those that were are in b24gw_stored_events_total.",
    ["outcome", "reason"],
)
STORED_EVENTS: Final = Counter(
    "b24gw_stored_events", "Events stored and answered 200, by place (stream, spool).", ["place"]
)
FAST_LANE_EVENTS: Final = Counter(
    "b24gw_fast_lane_events",
    "Events of b24gw_stored_events_total whose deliveries took the fast lane ([http] fast_lane).",
)
STORE_SECONDS: Final = Histogram(
    "b24gw_store_seconds",
    "Time from a batch's first event to all of its events being stored.",
    buckets=STORE_BOUNDS_S,
)
QUARANTINED: Final = Counter(
    "b24gw_quarantine_deliveries",
    "Deliveries of registered portals with a wrong token, by what became of them: kept, or kept "
    "instead of another token's (took_place); not kept because the portal's (full) or the token's "
    "(token_full) places are taken, because all portals have as much as they may (total_full), "
    "because Redis is short of memory (no_memory) or away, because too many came at once (busy), "
    "because they are too_large or no_event.",
    ["result"],
)
QUARANTINE_BYTES: Final = Gauge(
    "b24gw_quarantine_bytes",
    "Bytes of Redis's memory that the quarantine takes, for all portals.",
    multiprocess_mode="mostrecent",
)
WOULD_REFUSE: Final = Counter(
    "b24gw_would_refuse_deliveries",
    'Deliveries that [http] allow_mode = "enforce" would have refused; counted in a dry run.',
)
SENDER_NETWORKS: Final = Gauge(
    "b24gw_sender_networks",
    "Ranges of addresses in the list that [http] allow_source names.",
    multiprocess_mode="mostrecent",
)
SENDER_LIST_SECONDS: Final = Gauge(
    "b24gw_sender_list_timestamp_seconds",
    "When that list was last read from its source (Unix time).",
    multiprocess_mode="mostrecent",
)
PORTAL_EVENTS_PER_MINUTE: Final = RankedGauge(
    "b24gw_portal_events_per_minute",
    "Events in the last full minute, at all receivers together, of the twenty registered portals "
    "that sent most.",
)
SENDING_PORTALS: Final = Gauge(
    "b24gw_sending_portals",
    "Portals that sent events in the last full minute, at all receivers together.",
    multiprocess_mode="mostrecent",
)
PORTAL_ALARMS: Final = Counter(
    "b24gw_portal_alarms",
    "Minutes in which a registered portal sent more events than [http] alarm_per_minute.",
)
INSTALLATIONS: Final = Counter(
    "b24gw_installations",
    "Installations that somebody claimed, by what became of them: installed, or refused because "
    "the authorization server does not confirm them; what waits is in b24gw_lifecycle_tasks.",
    ["outcome"],
)
UNINSTALLATIONS: Final = Counter(
    "b24gw_uninstallations", "Uninstallations of the application that are through."
)
LIFECYCLE_TASKS: Final = Gauge(
    "b24gw_lifecycle_tasks",
    "Installations and uninstallations that wait on this machine, or are under way.",
    multiprocess_mode="mostrecent",
)
EVENT_TOKENS: Final = Counter(
    "b24gw_event_tokens",
    "Events that were looked at for a token of the portal, by result (taken, none, away).",
    ["result"],
)
BATCH_EVENTS: Final = Histogram(
    "b24gw_batch_events", "Events per batch.", buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256)
)
PUBLISH_SECONDS: Final = Histogram(
    "b24gw_publish_seconds",
    "Time of one batch's script call, including the wait for the configured durability.",
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)
PUBLISH_FAILURES: Final = Counter(
    "b24gw_publish_failures",
    "Batches that Redis did not take, by reason (away, refused).",
    ["reason"],
)
QUEUED_EVENTS: Final = Gauge(
    "b24gw_queued_events",
    "Events that wait for their batch, when a batch was last taken.",
    multiprocess_mode="livesum",
)
SPOOL_EVENTS: Final = Gauge(
    "b24gw_spool_events", "Events waiting in this machine's spool.", multiprocess_mode="mostrecent"
)
SPOOL_BYTES: Final = Gauge(
    "b24gw_spool_bytes", "Bytes of the events in the spool.", multiprocess_mode="mostrecent"
)
SPOOL_OLDEST_SECONDS: Final = Gauge(
    "b24gw_spool_oldest_timestamp_seconds",
    "When the oldest event in the spool was put there (Unix time; 0 when it is empty).",
    multiprocess_mode="mostrecent",
)
SPOOL_SET_ASIDE_FILES: Final = Gauge(
    "b24gw_spool_set_aside_files",
    "Files of the spool that were set aside on this machine, corrupt or of another version; their "
    "events are not published until `gateway spool recover`.",
    multiprocess_mode="mostrecent",
)
DRAINED_EVENTS: Final = Counter(
    "b24gw_drained_events", "Events that went from the spool to their stream."
)
WORKER_RESTARTS: Final = Counter(
    "b24gw_worker_restarts",
    "Workers of the receiver that ended by themselves and were started again.",
    ["worker"],
)
STREAM_ENTRIES: Final = Gauge(
    "b24gw_stream_entries",
    "Entries of a stream's partition.",
    ["stream", "partition"],
    multiprocess_mode="mostrecent",
)
HELD_ENTRIES: Final = Gauge(
    "b24gw_held_entries",
    "Entries of a stream's partition that a group has not acknowledged (NaN: cannot be told).",
    ["stream", "partition", "group"],
    multiprocess_mode="mostrecent",
)
HELD_SECONDS: Final = Gauge(
    "b24gw_held_seconds",
    "Age of the oldest entry that a group has not acknowledged (0: there is none).",
    ["stream", "partition", "group"],
    multiprocess_mode="mostrecent",
)
TRIMMED_ENTRIES: Final = Counter(
    "b24gw_trimmed_entries",
    "Entries that retention removed from a stream's partition.",
    ["stream", "partition"],
)
AGED_DEAD_LETTERS: Final = Counter(
    "b24gw_aged_dead_letters",
    "Dead letters of a group that were removed when they were [retention] dead_letter_days old.",
    ["group"],
)
TRIMMED_EARLY_ENTRIES: Final = Counter(
    "b24gw_trimmed_early_entries",
    "Of those, entries that every group had handled and that went before [retention] days were "
    "over, since the server was short of memory.",
    ["stream", "partition"],
)
UNREAD_REMOVED_ENTRIES: Final = Counter(
    "b24gw_unread_removed_entries",
    "Entries that were removed before a group had acknowledged them, by whom: `retention` (the "
    "group is declared to hold nothing) or `others` (the least that is certain).",
    ["stream", "partition", "group", "by"],
)
MEMORY_SHARE: Final = Gauge(
    "b24gw_redis_memory_share",
    "Memory that Redis uses of its maxmemory, from 0 to 1 (0: maxmemory is not set); in a cluster "
    "that of the fullest node.",
    multiprocess_mode="mostrecent",
)
MEMORY_GATE_CLOSED: Final = Gauge(
    "b24gw_memory_gate_closed_partitions",
    "Partitions whose new events wait in the spool, since their server is nearly out of memory.",
    multiprocess_mode="mostrecent",
)
PORTAL_LAST_EVENT_SECONDS: Final = RankedGauge(
    "b24gw_portal_last_event_timestamp_seconds",
    "When the last event of a portal came (Unix time), of the twenty that are quiet for longest.",
    smallest=True,
)
PORTAL_TROUBLE: Final = RankedGauge(
    "b24gw_portal_trouble",
    "1 while a portal is in trouble; a hundred are shown at most.",
    ("member_id", "trouble"),
    most=100,
)
PORTALS_IN_TROUBLE: Final = Gauge(
    "b24gw_portals_in_trouble",
    "Registered portals that are in trouble; from the leading process of `gateway reconcile`.",
    ["trouble"],
    multiprocess_mode="mostrecent",
)
PORTAL_TROUBLES: Final = Counter(
    "b24gw_portal_troubles",
    "Troubles of portals that were told, those that were mended at once included.",
    ["trouble"],
)
REBOUND_HANDLERS: Final = Counter(
    "b24gw_rebound_handlers", "Event handlers that portals had lost, and that were bound again."
)
RECONCILE_LEADS: Final = Gauge(
    "b24gw_reconcile_leads",
    "1 in the process of `gateway reconcile` that works, 0 in one that stands by.",
    multiprocess_mode="livesum",
)
DUTY_FAILURES: Final = Counter(
    "b24gw_duty_failures",
    "How often something that `gateway reconcile` does for a portal failed, by what it is.",
    ["duty"],
)
DUTY_WAIT_SECONDS: Final = Histogram(
    "b24gw_duty_wait_seconds",
    "For how long something that `gateway reconcile` does for a portal was due when it began.",
    ["duty"],
    buckets=(0.1, 1, 6, 10, 30, 60, 120, 300, 900, 3600),
)
RECOVERED_EVENTS: Final = Counter(
    "b24gw_recovered_events",
    "Missed events that were found and published, by how they were found (queue, sweep); `gateway "
    "portals gaps` names the portals.",
    ["way"],
)
OFFLINE_ROWS: Final = Counter(
    "b24gw_offline_rows",
    "Rows of portals' queues of offline events that were dealt with, by what they turned out to "
    "be (arrived, missed, unreadable).",
    ["result"],
)
QUEUE_DRAINED_SECONDS: Final = RankedGauge(
    "b24gw_queue_drained_timestamp_seconds",
    "When a portal's queue was last drained (Unix time), of the twenty where it is longest ago.",
    smallest=True,
)
SWEPT_ENTITIES: Final = Counter(
    "b24gw_swept_entities", "Entities whose comments were compared with what consumers were told."
)
