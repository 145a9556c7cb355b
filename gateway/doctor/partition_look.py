"""Looks into how many partitions events are spread, and whether the settings say so."""

from redis.asyncio import Redis

from gateway.doctor.finding import Finding, note, red, well
from gateway.ops.partition_standing import partition_standing
from gateway.settings import Settings

__all__ = ["look_at_partitions"]


async def look_at_partitions(client: Redis, settings: Settings) -> list[Finding]:
    """What is to be known of the number; raises what a control client raises."""
    redis = settings.redis
    one = await partition_standing(client, redis.streams)
    if (why_not := one.why_not) is not None:
        return [red("partitions", f"{why_not}: new events wait in the spools", one.remedy)]
    if redis.partitions != one.count:
        return [
            note(
                "partitions",
                f"[redis] partitions is {redis.partitions}, and the installation has {one.count}, "
                "which holds",
                f"set it to {one.count}, for whoever reads the settings",
            )
        ]
    return [well("partitions", f"partitions into which events are spread: {one.count}")]
