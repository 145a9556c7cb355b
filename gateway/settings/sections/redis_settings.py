"""Defines the section `[redis]`."""

from functools import cached_property
from typing import Annotated

from msgspec import Meta

from gateway.contract import Streams
from gateway.settings.sections.kinds import SecretUrl, Section

__all__ = ["RedisSettings"]


class RedisSettings(Section, frozen=True, kw_only=True, dict=True):
    """[redis]: where the streams are. `partitions` is the number of a new installation."""

    url: SecretUrl = "redis://127.0.0.1:6379/0"
    """The server: `redis://`, `rediss://` (TLS) or `unix://`, with user and password if it asks;
    or `redis+sentinel://host:port,host:port/service`, or `redis+cluster://host:port,host:port`;
    or `env:NAME`, `file:/path` or `credential:NAME` of one. All forms and parameters:
    docs/redis.md."""
    prefix: Annotated[
        str,
        Meta(pattern=r"^[A-Za-z0-9_.:-]+\Z", description="of letters, digits, `_`, `.`, `:`, `-`"),
    ] = "b24"
    """What the names of all streams begin with; two installations can share one server by it."""
    partitions: Annotated[int, Meta(ge=1, le=1024)] = 1
    """Into how many streams the events of a new installation are spread; one process of a group
    works on each at a time. Of one that runs, `gateway repartition` changes it."""

    @cached_property
    def streams(self) -> Streams:
        """The names of the streams that these settings lead to: one object, which all parts of the
        process share, and which is told what is on record of partitions (gateway.partitioning).
        """
        return Streams(prefix=self.prefix, partitions=self.partitions)
