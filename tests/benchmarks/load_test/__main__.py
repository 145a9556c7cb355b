"""`make load`: loads an installation until it bends, holds it below that, accounts for every event.

Without a URL it starts one of its own on free ports, with nothing but Redis's files in a temporary
directory. With `URL=http://127.0.0.1:8080` it loads the one that runs there, whose settings are
those of this directory, as for any command; its portal is registered for as long as that takes,
unless `TOKEN` is the token of one that is. Exit code 0 if a rate was held and nothing is missing, 1
if not, 2 if it could not be run.
"""

import asyncio
import os
import random
import signal
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from gateway.contract import Streams
from gateway.errors import OperatorError
from gateway.redis_access import connections
from gateway.sandbox.portal import PortalIdentity
from gateway.settings import resolve_secret
from gateway.settings.running_up import running_up
from tests.benchmarks.footprint.checkouts import HERE
from tests.benchmarks.footprint.installation import installed
from tests.benchmarks.load_test.load_portal import LOAD_PORTAL, load_portal
from tests.benchmarks.load_test.load_report import LoadReport, written_report
from tests.benchmarks.load_test.load_run import LoadRun
from tests.benchmarks.load_test.ramp import RampPlan
from tests.benchmarks.load_test.steps import Limits
from tests.benchmarks.load_test.target import Target, opened, running_target
from tests.benchmarks.recorded_run import commit_here, this_machine

_REPORTS: Final = Path("build/load")


@asynccontextmanager
async def own_target(directory: Path, *, partitions: int, workers: int) -> AsyncIterator[Target]:
    """An installation of one's own, as `gateway up` runs it, on free ports."""
    settings = {
        "GATEWAY_REDIS_PARTITIONS": str(partitions),
        "GATEWAY_HTTP_WORKERS": str(workers),
    }
    async with installed(HERE, directory, portal=LOAD_PORTAL, settings=settings) as installation:
        await installation.start()
        yield Target(
            url=f"http://127.0.0.1:{installation.port}/bitrix24/events",
            portal=LOAD_PORTAL,
            redis_url=installation.redis_url,
            redis_shown=installation.redis_url,
            streams=Streams(partitions=partitions),
        )


async def loaded(target: Target, options: Namespace, directory: Path) -> LoadReport:
    """Load a target; needs an empty directory."""
    plan, limits = _plan(options), _limits(options)
    began_at, began, before = datetime.now(UTC), time.monotonic(), os.getloadavg()[0]
    async with (
        opened(target) as redis,
        LoadRun(target, redis, directory, seed=options.seed, say=_say) as run,
    ):
        ramp = await run.ramp(plan, limits)
        _say("all is sent; now every event is looked for")
        faults = await run.verified()
        return LoadReport(
            began_at=began_at,
            took_s=round(time.monotonic() - began, 1),
            commit=commit_here(),
            machine=this_machine(),
            load_before=round(before, 2),
            url=target.url,
            partitions=target.streams.partitions,
            processes=run.watcher.processes,
            seed=options.seed,
            plan=plan,
            limits=limits,
            steps=run.steps,
            ended=ramp.ended,
            held=ramp.held,
            accepted=sum(one.is_accepted for one in run.deliveries),
            faults=faults,
        )


async def _run(options: Namespace) -> LoadReport:
    with TemporaryDirectory(prefix="load-") as name:
        directory = Path(name)
        if options.url:
            target = running_target(
                options.url, portal=_portal(options), config=options.config, meant=options.i_mean
            )
            _say(f"loading {target.url}, as portal {target.portal.member_id}")
            return await loaded(target, options, directory)
        if (up := running_up()) is not None:
            _say(f"a gateway up runs here (process {up.pid}); URL=http://127.0.0.1:8080 loads that")
        _say("starting an installation of its own")
        own = directory / "installation"
        own.mkdir()
        async with own_target(
            own, partitions=options.partitions, workers=options.workers
        ) as target:
            return await loaded(target, options, directory)


def _plan(options: Namespace) -> RampPlan:
    return RampPlan(
        first=options.first,
        factor=options.factor,
        most=options.most,
        step_s=options.step_s,
        hold_s=options.hold_s,
        max_events=options.max_events,
    )


def _limits(options: Namespace) -> Limits:
    return Limits(
        p99_ms=options.p99_ms,
        failed_share=options.failed_share,
        backlog_s=options.backlog_s,
    )


def _portal(options: Namespace) -> PortalIdentity | None:
    """The portal that is registered; None if one is to be."""
    if not options.token:
        return None
    token = resolve_secret(options.token, name="--token")
    return load_portal(options.member_id, options.domain, token)


def _parser() -> ArgumentParser:
    parser = ArgumentParser(description=__doc__.partition("\n\n")[0])
    add = parser.add_argument
    add("--url", help="of a running installation; without one, one of its own is started")
    add("--config", help="its settings, where they are not those of this directory")
    add("--token", help="the application token of a registered portal, as env:NAME")
    add("--member-id", default=LOAD_PORTAL.member_id, help="of that portal")
    add("--domain", default=LOAD_PORTAL.domain, help="of that portal")
    add("--i-mean", metavar="HOST", help="the host of a URL that is not this machine")
    add("--partitions", type=int, default=1, help="of an installation of its own")
    add("--workers", type=int, default=1, help="processes of its receiver")
    plan, limits = RampPlan(), Limits()
    add("--first", type=float, default=plan.first, help="events a second of the first step")
    add("--factor", type=float, default=plan.factor, help="from one step to the next")
    add("--most", type=float, default=plan.most, help="events a second at most")
    add("--step-s", type=float, default=plan.step_s, help="seconds of a step")
    add("--hold-s", type=float, default=plan.hold_s, help="seconds below the knee")
    add("--max-events", type=int, default=plan.max_events, help="in all")
    add("--p99-ms", type=float, default=limits.p99_ms, help="limit of the 99th percentile")
    add("--failed-share", type=float, default=limits.failed_share, help="limit of answers not 200")
    add("--backlog-s", type=float, default=limits.backlog_s, help="limit, seconds of the load")
    add("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    add("--into", type=Path, metavar="DIR", help=f"of the report; default: {_REPORTS}/TIME")
    return parser


def _say(line: str) -> None:
    print(line, flush=True)


def main() -> int:
    """Load, write the report, and say where it is."""
    options = _parser().parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what it has begun, it ends
    try:
        report = asyncio.run(_run(options))
    except OperatorError as error:
        print(f"load: {error}", file=sys.stderr)
        return 2
    except connections.FAILURES as error:
        print(f"load: it went away: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("load: broken off", file=sys.stderr)
        return 130
    into = options.into or _REPORTS / f"{report.began_at:%Y%m%d-%H%M%S}"
    page = written_report(report, into)
    for fault in report.faults:
        _say(f"MISSING: {fault}")
    held = f"{report.held:,.0f} events/s held" if report.held else "no rate was held"
    _say(f"{held}; {report.accepted:,} accepted, {len(report.faults)} faults; {page}")
    if options.url:
        _say(
            f"what it made is erased by: gateway erase --portal {options.member_id}"
            " (audit log and warehouse: docs/personal-data.md)"
        )
    return 0 if report.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
