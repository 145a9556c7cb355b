#!/usr/bin/env bash
# standardwebhooks 1.1.0, the reference library for Python
#
# Webhook.sign(id, timestamp, data) takes a datetime, and puts UTC in the place of its time zone
# instead of converting it. What an aware datetime of another zone says is signed as if its clock
# showed UTC, hours off; the header webhook-timestamp holds the true time, so nobody accepts the
# signature. A sender whose times are in UTC never notices, until a time comes from elsewhere.
#
# Expected: the same instant gives the same signature, in whichever zone it is told.
# What to do: sign with timestamp.astimezone(UTC).
#
# Seen:
#   one instant in UTC and at +03:00, equal: True
#   verified, signed in UTC:    yes
#   verified, signed at +03:00: no, No matching signature found
#
# https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --disable-pip-version-check --quiet install standardwebhooks==1.1.0

timeout 30 "$folder/venv/bin/python" - <<'PYTHON'
import sys
from datetime import UTC, datetime, timedelta, timezone

from standardwebhooks import Webhook, WebhookVerificationError

webhook = Webhook(b"a fake secret, for this file only")
in_utc = datetime.now(UTC).replace(microsecond=0)
at_three = in_utc.astimezone(timezone(timedelta(hours=3)))


def verified(moment: datetime) -> str:
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": webhook.sign("msg_1", moment, "{}"),
    }
    try:
        webhook.verify("{}", headers)
    except WebhookVerificationError as error:
        return f"no, {error}"
    return "yes"


print("one instant in UTC and at +03:00, equal:", in_utc == at_three)
print("verified, signed in UTC:   ", verified(in_utc))
print("verified, signed at +03:00:", verified(at_three))
sys.exit((verified(in_utc), verified(at_three)) != ("yes", "no, No matching signature found"))
PYTHON
