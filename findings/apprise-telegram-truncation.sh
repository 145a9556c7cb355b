#!/usr/bin/env bash
# Apprise 2.2.0, a plain text of 10,000 characters to Telegram with overflow=truncate
#
# Telegram takes 4,096 characters, counted after its entities are parsed. Apprise makes HTML of a
# plain text (body_format=TEXT) before it cuts: a blank becomes "&nbsp;", six characters, and each &
# and < an entity. The escaped text is cut to 4,096, then the blanks are made blanks again. So half of
# what could be sent arrives, less with more short words; and a cut within "&nbsp;" leaves a torn
# entity, which is escaped once more and shown to the reader. With overflow=split it is cut likewise.
#
# Expected: about 4,096 characters of the text, or whole words of it.
# What to do: cut the text to the plugin's body_maxlen before Apprise gets it, or pass
# body_format=MARKDOWN and format=markdown, where nothing is escaped before the cut.
#
# Seen:
#   words of 4: 2,055 characters, ending in 'word word word&amp;n'
#   words of 2: 1,536 characters, ending in 'f if if if if if if '
#
# https://core.telegram.org/bots/api#sendmessage
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --disable-pip-version-check --quiet install apprise==2.2.0

timeout 60 "$folder/venv/bin/python" - <<'PYTHON'
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from apprise import Apprise, NotifyFormat
from apprise.plugins.telegram import NotifyTelegram

sent: list[str] = []


class Telegram(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        sent.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"])
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"ok": true, "result": {}}')

    def log_message(self, *_: object) -> None:
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Telegram)
Thread(target=server.serve_forever, daemon=True).start()
NotifyTelegram.notify_url = f"http://127.0.0.1:{server.server_port}/bot"
NotifyTelegram.request_rate_per_sec = 0

telegram = Apprise()
telegram.add("tgram://123456789:fake_token_of_a_bot/12345678/?overflow=truncate")
for word in ("word", "if"):
    text = (word + " ") * (10_000 // (len(word) + 1))
    assert telegram.notify(text, body_format=NotifyFormat.TEXT)
    print(f"words of {len(word)}: {len(sent[-1]):,} characters, ending in {sent[-1][-20:]!r}")
server.shutdown()
sys.exit(not (all(len(one) < 2_100 for one in sent) and sent[0].endswith("word&amp;n")))
PYTHON
