"""`comments`: the present state of each comment, as a view over `comment_events`.

A view, because it then follows from the events alone: duplicates, any order of arrival and events
that come days late lead to the same answer, and there is no second table to repair. What decides:

* The newest event is the one with the largest `received_at`, the gateway's clock when the request
  came. It is taken before an event waits anywhere (a spool, a retry, a replay), while Bitrix24's
  own time has whole seconds and an entry's id says only when it reached the stream. Equal
  milliseconds are decided by the entry id: one comment is always on one partition, where entry ids
  are in the order of publishing.
* The content is the one that was fetched last. A fetch shows the comment as it was then, so an
  older event that was enriched late may well bring the newer text. Where no fetch ever showed it,
  what an event of its deletion knows of it is better than nothing.
* Deleted is final: Bitrix24 gives a comment id only once, so an update that comes after a
  deletion is a late one. Only a fetch that found the comment more than a minute after the deletion
  speaks against it (the minute covers the difference of two machines' clocks). A comment that went
  with its deal or lead causes no deletion event; then the fetch that did not find it is the
  deletion, and nobody is known to have done it.
"""

from typing import Final

import sqlglot

__all__ = ["select"]

_EVENTS: Final = "the_table_of_events"

_NEWEST: Final = "received_at DESC, entry_ms DESC, entry_seq DESC, event_id DESC"

# Standard SQL on purpose: sqlglot turns it into the dialect of the destination. Each part is used
# once, so that PostgreSQL looks up one comment by its index instead of computing all of them:
# https://www.postgresql.org/docs/current/queries-with.html#QUERIES-WITH-CTE-MATERIALIZATION
_SELECT: Final = f"""
WITH newest AS (
  SELECT member_id, comment_id, domain, action, event_id, received_at,
    ROW_NUMBER() OVER (PARTITION BY member_id, comment_id ORDER BY {_NEWEST}) AS nth
  FROM {_EVENTS}
),
content AS (
  SELECT member_id, comment_id, comment_text, comment_text_plain, author_id, entity_type,
    entity_id, comment_created_at, files, content_hash, fetched_at,
    ROW_NUMBER() OVER (
      PARTITION BY member_id, comment_id
      ORDER BY CASE WHEN comment_text IS NULL THEN 1 ELSE 0 END,
        COALESCE(fetched_at, received_at) DESC, {_NEWEST}
    ) AS nth
  FROM {_EVENTS}
  WHERE NOT (comment_text IS NULL AND author_id IS NULL)
),
totals AS (
  SELECT member_id, comment_id,
    COUNT(DISTINCT event_id) AS events,
    MIN(received_at) AS first_event_at
  FROM {_EVENTS}
  GROUP BY member_id, comment_id
),
seen AS (
  SELECT member_id, comment_id, user_id, action, comment_state,
    CASE WHEN action = 'deleted' THEN received_at ELSE COALESCE(fetched_at, received_at) END
      AS seen_at,
    MAX(CASE WHEN comment_state = 'present' THEN fetched_at END)
      OVER (PARTITION BY member_id, comment_id) AS last_found_at
  FROM {_EVENTS}
),
deletions AS (
  SELECT member_id, comment_id,
    MIN(seen_at) AS deleted_at,
    MIN(CASE WHEN action = 'deleted' THEN user_id END) AS deleted_by
  FROM seen
  WHERE (action = 'deleted' OR comment_state = 'deleted')
    AND (last_found_at IS NULL OR last_found_at <= seen_at + INTERVAL '1' MINUTE)
  GROUP BY member_id, comment_id
)
SELECT
  totals.member_id,
  totals.comment_id,
  newest.domain,
  NOT deletions.deleted_at IS NULL AS is_deleted,
  deletions.deleted_at,
  deletions.deleted_by,
  totals.first_event_at,
  newest.received_at AS last_event_at,
  newest.event_id AS last_event_id,
  newest.action AS last_action,
  totals.events,
  content.comment_text AS text,
  content.comment_text_plain AS text_plain,
  content.author_id,
  content.entity_type,
  content.entity_id,
  content.comment_created_at AS created_at,
  content.files,
  content.content_hash,
  content.fetched_at
FROM totals
JOIN newest
  ON newest.member_id = totals.member_id AND newest.comment_id = totals.comment_id
  AND newest.nth = 1
LEFT JOIN content
  ON content.member_id = totals.member_id AND content.comment_id = totals.comment_id
  AND content.nth = 1
LEFT JOIN deletions
  ON deletions.member_id = totals.member_id AND deletions.comment_id = totals.comment_id
"""  # noqa: S608 - made of constants


def select(events: str, *, dialect: str) -> str:
    """The view's query over the table `events`, in the SQL that sqlglot calls `dialect`."""
    (query,) = sqlglot.transpile(_SELECT, read="duckdb", write=dialect)
    return query.replace(_EVENTS, events)
