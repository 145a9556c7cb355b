"""Makes the view `comments`: the present state of each comment, over `comment_events`.

It follows from the events alone: duplicates, any order of arrival and events that come days late
lead to the same answer. In DuckDB and PostgreSQL what it came to is kept (kept_states.py), and
made anew whenever a comment has an event more or less. What decides:

* The newest event is the one with the largest `received_at`, the gateway's clock when the request
  came. It is taken before an event waits anywhere (a spool, a retry, a replay), while Bitrix24's
  own time has whole seconds and an entry's id says only when it reached the stream. Where it is
  more than ten minutes after Bitrix24's time, it is not believed: the gateway's clock was ahead, or
  the event was found late; Bitrix24's time counts. Equal times are decided by the entry id: one
  comment is always on one partition, where entry ids are in the order of publishing.
* The content is the one that was fetched last. A fetch shows the comment as it was then, so an
  older event that was enriched late may well bring the newer text. Entries reach the stream in the
  order of their fetches, but for some seconds: a fetch that is more than ten minutes after one that
  came behind it was timed by a clock that was ahead, and counts as of the latter. Where no fetch
  ever showed the comment, what an event of its deletion knows of it is better than nothing.
* Deleted is final: Bitrix24 gives a comment id only once, so an update that comes after a
  deletion is a late one. Only a fetch that found the comment more than a minute after the deletion
  speaks against it (the minute covers the difference of two machines' clocks). A comment that went
  with its deal or lead causes no deletion event; then the fetch that did not find it is the
  deletion, and nobody is known to have done it.
"""

from typing import Final

__all__ = ["select", "select_without_joins"]

_EVENTS: Final = "the_table_of_events"

# Bounded by a clock that is not ours, since ours may run ahead.
_CAME_AT: Final = (
    "CASE WHEN received_at > occurred_at + INTERVAL '10' MINUTE THEN occurred_at "
    "ELSE received_at END"
)
_FETCHED_AT: Final = (
    "CASE WHEN fetched_at > fetched_behind + INTERVAL '10' MINUTE THEN fetched_behind "
    "ELSE fetched_at END"
)
_FETCHED_BEHIND: Final = (
    "MIN(fetched_at) OVER (PARTITION BY member_id, comment_id ORDER BY entry_ms, entry_seq "
    "ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING)"
)
_NEWEST: Final = "came_at DESC, entry_ms DESC, entry_seq DESC, event_id DESC"
_HAS_TEXT: Final = "(comment_state = 'present' OR comment_text IS NOT NULL)"

# Standard SQL on purpose: sqlglot turns it into the dialect of the destination. Each part is used
# once, so that PostgreSQL looks up one comment by its index instead of computing all of them:
# https://www.postgresql.org/docs/current/queries-with.html#QUERIES-WITH-CTE-MATERIALIZATION
_SELECT: Final = f"""
WITH newest AS (
  SELECT member_id, comment_id, domain, action, event_id, came_at,
    ROW_NUMBER() OVER (PARTITION BY member_id, comment_id ORDER BY {_NEWEST}) AS nth
  FROM (
    SELECT member_id, comment_id, domain, action, event_id, entry_ms, entry_seq,
      {_CAME_AT} AS came_at
    FROM {_EVENTS}
  ) AS timed
),
content AS (
  SELECT member_id, comment_id, author_id, entity_type, entity_id, comment_created_at, files,
    content_hash, fetched_at, comment_cut,
    CASE WHEN comment_state = 'present' THEN COALESCE(comment_text, '') ELSE comment_text END
      AS comment_text,
    CASE WHEN comment_state = 'present' THEN COALESCE(comment_text_plain, '')
      ELSE comment_text_plain END AS comment_text_plain,
    ROW_NUMBER() OVER (
      PARTITION BY member_id, comment_id
      ORDER BY CASE WHEN {_HAS_TEXT} THEN 0 ELSE 1 END,
        COALESCE({_FETCHED_AT}, came_at) DESC, {_NEWEST}
    ) AS nth
  FROM (
    SELECT member_id, comment_id, comment_state, comment_text, comment_text_plain, author_id,
      entity_type, entity_id, comment_created_at, files, content_hash, fetched_at, entry_ms,
      entry_seq, event_id, comment_cut, {_CAME_AT} AS came_at, {_FETCHED_BEHIND} AS fetched_behind
    FROM {_EVENTS}
    WHERE {_HAS_TEXT} OR author_id IS NOT NULL
  ) AS fetches
),
totals AS (
  SELECT member_id, comment_id,
    COUNT(DISTINCT event_id) AS events,
    MIN({_CAME_AT}) AS first_event_at
  FROM {_EVENTS}
  GROUP BY member_id, comment_id
),
seen AS (
  SELECT member_id, comment_id, user_id, action, comment_state,
    CASE WHEN action = 'deleted' THEN came_at ELSE COALESCE({_FETCHED_AT}, came_at) END
      AS seen_at,
    MAX(CASE WHEN comment_state = 'present' THEN {_FETCHED_AT} END)
      OVER (PARTITION BY member_id, comment_id) AS last_found_at
  FROM (
    SELECT member_id, comment_id, user_id, action, comment_state, fetched_at,
      {_CAME_AT} AS came_at, {_FETCHED_BEHIND} AS fetched_behind
    FROM {_EVENTS}
  ) AS looks
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
  newest.came_at AS last_event_at,
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
  content.fetched_at,
  content.comment_cut AS cut
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


_OWN: Final = "PARTITION BY member_id, comment_id"
_ALL_OF_IT: Final = "ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING"
_IS_DELETION: Final = (
    "(action = 'deleted' OR comment_state = 'deleted') "
    "AND (last_found_at IS NULL OR last_found_at <= seen_at + INTERVAL '1' MINUTE)"
)

# The same without a join: PostgreSQL takes the parts above for a few rows, where events are of a
# list of comments, and joins them by comparing each row with each.
_WITHOUT_JOINS: Final = f"""
WITH timed AS (
  SELECT *, {_CAME_AT} AS came_at, {_HAS_TEXT} OR author_id IS NOT NULL AS is_content
  FROM {_EVENTS}
),
fetches AS (
  SELECT *,
    {_FETCHED_BEHIND} AS fetched_behind,
    {_FETCHED_BEHIND.replace("MIN(fetched_at)", "MIN(CASE WHEN is_content THEN fetched_at END)")}
      AS content_behind
  FROM timed
),
looks AS (
  SELECT *,
    CASE WHEN action = 'deleted' THEN came_at ELSE COALESCE({_FETCHED_AT}, came_at) END
      AS seen_at,
    MAX(CASE WHEN comment_state = 'present' THEN {_FETCHED_AT} END) OVER ({_OWN})
      AS last_found_at,
    COUNT(*) OVER ({_OWN}) AS event_count,
    MIN(came_at) OVER ({_OWN}) AS first_came_at,
    FIRST_VALUE(domain) OVER ({_OWN} ORDER BY {_NEWEST} {_ALL_OF_IT}) AS newest_domain,
    FIRST_VALUE(came_at) OVER ({_OWN} ORDER BY {_NEWEST} {_ALL_OF_IT}) AS newest_came_at,
    FIRST_VALUE(event_id) OVER ({_OWN} ORDER BY {_NEWEST} {_ALL_OF_IT}) AS newest_event_id,
    FIRST_VALUE(action) OVER ({_OWN} ORDER BY {_NEWEST} {_ALL_OF_IT}) AS newest_action,
    ROW_NUMBER() OVER ({_OWN}
      ORDER BY CASE WHEN {_HAS_TEXT} THEN 0 WHEN is_content THEN 1 ELSE 2 END,
        COALESCE({_FETCHED_AT.replace("fetched_behind", "content_behind")}, came_at) DESC, {_NEWEST}
    ) AS nth
  FROM fetches
),
judged AS (
  SELECT *,
    MIN(CASE WHEN {_IS_DELETION} THEN seen_at END) OVER ({_OWN}) AS deleted_at,
    MIN(CASE WHEN {_IS_DELETION} AND action = 'deleted' THEN user_id END) OVER ({_OWN})
      AS deleted_by
  FROM looks
)
SELECT
  member_id,
  comment_id,
  newest_domain AS domain,
  NOT deleted_at IS NULL AS is_deleted,
  deleted_at,
  deleted_by,
  first_came_at AS first_event_at,
  newest_came_at AS last_event_at,
  newest_event_id AS last_event_id,
  newest_action AS last_action,
  event_count AS events,
  CASE WHEN comment_state = 'present' THEN COALESCE(comment_text, '') ELSE comment_text END
    AS text,
  CASE WHEN comment_state = 'present' THEN COALESCE(comment_text_plain, '')
    WHEN is_content THEN comment_text_plain END AS text_plain,
  author_id,
  CASE WHEN is_content THEN entity_type END AS entity_type,
  CASE WHEN is_content THEN entity_id END AS entity_id,
  CASE WHEN is_content THEN comment_created_at END AS created_at,
  CASE WHEN is_content THEN files END AS files,
  CASE WHEN is_content THEN content_hash END AS content_hash,
  CASE WHEN is_content THEN fetched_at END AS fetched_at,
  CASE WHEN is_content THEN comment_cut END AS cut
FROM judged
WHERE nth = 1
"""  # noqa: S608 - made of constants


def select_without_joins(events: str) -> str:
    """The query over `events`, a table or a query in parentheses with an alias, of unique rows.

    It comes to the same as that of `select`. DuckDB and PostgreSQL understand it as it stands.
    """
    return _WITHOUT_JOINS.replace(_EVENTS, events)


def select(events: str, *, dialect: str) -> str:
    """The query over the table `events`, in the SQL that sqlglot calls `dialect`."""
    import sqlglot  # noqa: PLC0415 - it is large, and most processes need it never

    (query,) = sqlglot.transpile(_SELECT, read="duckdb", write=dialect)
    return query.replace(_EVENTS, events)
