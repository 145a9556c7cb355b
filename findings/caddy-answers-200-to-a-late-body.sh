#!/usr/bin/env bash
# The package caddy of Debian 12 (2.6.2-5)
#
# With `servers { timeouts { read_body … } }` and `reverse_proxy`, a client that does not send the rest of its body in that
# time is answered by Caddy itself: 200, with an empty body. The server behind has refused the request, as it came cut off. Whoever
# takes 200 for "it was taken", as senders of webhooks do, is told so of what nobody has.
#
# Expected: 408, or 502, or a connection that is closed without an answer.
# What to do: let the server behind end slow bodies by a shorter timeout of its own, whose answer Caddy passes on.
#
# Seen (the body ends after one byte of 60000, read_body is 1 s):
#   2.6.2
#   behind Caddy: 1 byte of 60000 answered 400
#   from Caddy:   HTTP/1.1 200 OK, Content-Length: 0
#
# https://caddyserver.com/docs/caddyfile/options#timeouts
set -euo pipefail

folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null; rm -rf "$folder"' EXIT
cd "$folder"
apt-get -qq download caddy 2>log || { apt-get -qq update; apt-get -qq download caddy 2>log; }
dpkg -x caddy_*.deb root
export HOME=$folder XDG_DATA_HOME=$folder/data XDG_CONFIG_HOME=$folder/config

cat >behind.py <<'PYTHON'
import http.server

class Behind(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        got = self.rfile.read(int(self.headers["Content-Length"]))
        print(len(got), "byte of", self.headers["Content-Length"], "answered 400", flush=True)
        self.send_error(400)

    def log_message(self, *_):
        pass

server = http.server.HTTPServer(("127.0.0.1", 0), Behind)
print(server.server_port, flush=True)
server.serve_forever()
PYTHON
python3 behind.py >behind.log 2>errors &
for _ in $(seq 100); do [ -s behind.log ] && break; sleep 0.1; done
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >Caddyfile <<CADDY
{
	admin off
	servers {
		timeouts {
			read_body 1s
		}
	}
}
http://127.0.0.1:$port {
	bind 127.0.0.1
	reverse_proxy 127.0.0.1:$(head -1 behind.log)
}
CADDY
root/usr/bin/caddy run --adapter caddyfile --config Caddyfile >caddy.log 2>&1 &

python3 - "$port" >answer <<'PYTHON'
import socket, sys, time
for _ in range(100):
    try:
        client = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
        break
    except OSError:
        time.sleep(0.1)
client.sendall(b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 60000\r\n\r\ne")
client.settimeout(30)
said = b""
while part := client.recv(4096):
    said += part
print(said.decode())
PYTHON
root/usr/bin/caddy version
echo "behind Caddy: $(tail -1 behind.log)"
echo "from Caddy:   $(head -1 answer | tr -d '\r'), $(grep -i '^content-length' answer | tr -d '\r')"
grep -q '^HTTP/1.1 200' answer && grep -q 'answered 400' behind.log
