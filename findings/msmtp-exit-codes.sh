#!/bin/bash
# msmtp 1.8.23-1 (Debian 12) as sendmail: which exit code it ends with for which answer of its mail server. sysexits.h has
# EX_TEMPFAIL (75) for what may pass, and EX_NOHOST (68) for a recipient's host; a program that goes by these is wrong with msmtp:
#
#   the server says                         msmtp ends with
#   550 to the recipient                    65 (EX_DATAERR)
#   450 to the recipient (greylisting)      69 (EX_UNAVAILABLE)
#   550 to the text                         69 (EX_UNAVAILABLE), the same number
#   451 to the text                         69 (EX_UNAVAILABLE)
#   (its own relay's name is not found)     68 (EX_NOHOST)
#
# What was meant stands only in its words: "msmtp: server message: 450 4.7.1 ...".
# Exits 0 while it is so, 1 when it is not any more. Needs apt-get and dpkg of Debian 12, and python3; installs nothing.
set -eu
work=$(mktemp -d); server=; trap 'kill $server 2>/dev/null || true; rm -rf "$work"' EXIT; cd "$work"
apt-get download --quiet=2 msmtp=1.8.23-1 libgsasl18 libntlm0 libsecret-1-0 2>/dev/null
for package in *.deb; do dpkg -x "$package" root; done
export LD_LIBRARY_PATH=$(echo root/usr/lib/*-linux-gnu)
cat > server.py <<'T'
import socketserver, sys
class H(socketserver.StreamRequestHandler):
    def handle(self):
        say = lambda text: (self.wfile.write(text.encode() + b'\r\n'), self.wfile.flush())
        say('220 mail.example ESMTP')
        for line in iter(self.rfile.readline, b''):
            verb = line[:4].upper()
            if verb == b'RCPT': say(sys.argv[1])
            elif verb == b'DATA':
                say('354 go on')
                while self.rfile.readline() not in (b'.\r\n', b''): pass
                say(sys.argv[2])
            elif verb == b'QUIT': return say('221 bye')
            else: say('250 ok')
s = socketserver.TCPServer(('127.0.0.1', 0), H); print(s.server_address[1], file=open('port', 'w'), flush=True); s.serve_forever()
T
mail() { # arguments
    local code=0
    printf 'Subject: x\n\nhello\n' | root/usr/bin/msmtp --file=/dev/null --tls=off --auth=off "$@" -i -f a@x.example -- b@y.example 2> said || code=$?
    echo $code
}
changed=0
expect() { # what, expected, found
    [ "$2" = "$3" ] && echo "as before: $1: $3" || { echo "CHANGED: $1: $3, not $2"; changed=1; }; cat said
}
try() { # what, expected, answer to RCPT, answer to the text
    rm -f port; python3 server.py "$3" "$4" 2>/dev/null & server=$!
    until [ -s port ]; do sleep 0.1; done
    expect "$1" "$2" "$(mail --host=127.0.0.1 --port="$(cat port)")"; kill $server; wait $server 2>/dev/null || true
}
root/usr/bin/msmtp --version | head -1
try "taken" 0 '250 ok' '250 queued'
try "550 to the recipient" 65 '550 5.1.1 nobody' '250 queued'
try "450 to the recipient" 69 '450 4.7.1 greylisted' '250 queued'
try "550 to the text" 69 '250 ok' '550 5.7.1 spam'
try "451 to the text" 69 '250 ok' '451 4.3.0 later'
expect "a relay whose name is not found" 68 "$(mail --host=no-such-relay.invalid --port=587)"
exit $changed
