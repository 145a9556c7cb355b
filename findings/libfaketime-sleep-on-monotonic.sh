#!/usr/bin/env bash
# libfaketime 0.9.10 (Debian 12: 0.9.10-2.1) under Python 3.11
#
# FAKETIME_DONT_FAKE_MONOTONIC=1 leaves the monotonic clock alone, which is what one wants to see how
# a program takes a wrong date. From Python 3.11 on, time.sleep then raises OSError "Invalid argument"
# at once instead of sleeping: Python now sleeps until a point of the monotonic clock, and what the
# library makes of that point is none. Without the variable, or with it set to 0, sleep works.
#
# Expected: a sleep of 0.1 s takes 0.1 s.
# What to do: wait by other means while testing so (asyncio.sleep and select are not harmed), or
# do without the variable where only the date matters.
#
# Seen:
#   FAKETIME_DONT_FAKE_MONOTONIC=0: 5 days ahead, asyncio.sleep 0.1 s, time.sleep 0.1 s
#   FAKETIME_DONT_FAKE_MONOTONIC=1: 5 days ahead, asyncio.sleep 0.1 s, time.sleep OSError(22, 'Invalid argument')
#
# https://docs.python.org/3/library/time.html#time.sleep (what changed in 3.11)
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get -qq download libfaketime 2>log || { apt-get -qq update; apt-get -qq download libfaketime 2>log; }
dpkg -x libfaketime_*.deb root
library=$(find "$PWD/root" -name libfaketime.so.1)

cat >sleeping.py <<'PYTHON'
import asyncio
import sys
import time


def taken_by(sleep) -> str:
    before = time.monotonic()
    try:
        sleep()
    except OSError as error:
        return repr(error)
    return f"{time.monotonic() - before:.1f} s"


ahead = round((time.time() - float(sys.argv[1])) / 86_400)
by_loop = taken_by(lambda: asyncio.run(asyncio.sleep(0.1)))
print(f"{ahead} days ahead, asyncio.sleep {by_loop}, time.sleep {taken_by(lambda: time.sleep(0.1))}")
PYTHON
for untouched in 0 1; do
  FAKETIME=+5d FAKETIME_DONT_FAKE_MONOTONIC=$untouched LD_PRELOAD=$library \
    timeout 20 python3 sleeping.py "$(date +%s)" >"seen-$untouched"
  echo "FAKETIME_DONT_FAKE_MONOTONIC=$untouched: $(cat "seen-$untouched")"
done
grep -q '^5 .*asyncio.sleep 0\.[0-9] s, time.sleep 0\.[0-9] s' seen-0
grep -q '^5 .*asyncio.sleep 0\.[0-9] s, time.sleep OSError(22' seen-1
