"""Says what an erasure in Redis does not reach, and what to do about each. Pure."""

from typing import Final

from gateway.erasing.subject import Subject

__all__ = ["out_of_reach"]

_IN_NODES: Final = (
    "bytes in nodes of a stream that have other entries, too: no command reads them any more, and "
    "they go with the node, after [retention] days at the latest"
)


def out_of_reach(subject: Subject, *, is_rewritten: bool, has_access: bool) -> list[str]:
    """One sentence each, in the order of their weight.

    `is_rewritten`: the append-only file was rewritten after the erasure. `has_access`: the portal
    is still registered, so its tokens and facts were left.
    """
    which = f"--portal {subject.member_id}"
    if subject.comment_id is not None:
        which += f" --comment {subject.comment_id}"
    elif subject.about is not None:
        which += f" --subject {subject.about}"
    found = [f"the warehouse: consumers warehouse erase {which}"]
    if not is_rewritten:
        found.append("Redis' append-only file, until it is rewritten: --rewrite-aof does it")
    found += [
        _IN_NODES,
        "snapshots (dump.rdb) and backups of Redis, of the spools and of the warehouse",
        "the audit log, which has ids, and what forms of chats and calls say: [audit] kept_days",
        "the memory of processes of the feed, for ten minutes",
        "the record of this erasure on the stream, which names whose data it was",
        "events that wait in receivers' spools and are published later: erase again then",
        "notifications that were sent, and logs of consumers that quote what they handled",
        "the portal itself: what is still there is asked for again when it changes",
    ]
    if has_access:
        found.append(
            "the portal's registration, tokens and facts, for it is still registered: "
            f"gateway portals remove {subject.member_id}, its [[portals]] in the settings, and "
            "erase again"
        )
    return found
