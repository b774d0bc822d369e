#!/bin/bash
# lettre 0.11.23 (crates.io), its blocking SmtpTransport, against a server that speaks as RFC 5321 lets
# it. Two things that a program on top of it has to know:
#
# 1. An answer whose words are not UTF-8 is no answer. A server takes the mail with `250 2.0.0 Nachricht f\xfcr ...` (Latin-1: localized
#    Exim and Exchange say such things; at QQ mail it is GBK), and `send` returns an error. Who tries again sends the mail again.
#    RFC 5321, 4.2: the client decides by the code. Seen: "network error: stream did not contain valid UTF-8".
# 2. An internationalised domain goes out as letters, with SMTPUTF8, also where the part before the @ is ASCII. A-labels would be
#    taken by any server (RFC 5890); so `info@bücher.example` cannot be mailed by a server that does not offer SMTPUTF8.
#    Seen: "Envelope contains non-ascii chars but server does not support SMTPUTF8"; where it is offered,
#    `MAIL FROM:<panel@x.example> SMTPUTF8` and `RCPT TO:<info@bücher.example>`.
#
# Exits 0 while it is so, 1 when it is not any more. Needs cargo, python3 and crates.io.
set -eu
work=$(mktemp -d); server=; trap 'kill $server 2>/dev/null || true; rm -rf "$work"' EXIT
mkdir -p "$work/src"; cd "$work"
cat > Cargo.toml <<'T'
[package]
name = "finding"
version = "0.0.0"
edition = "2021"
[dependencies]
lettre = { version = "=0.11.23", default-features = false, features = ["builder", "smtp-transport"] }
[workspace]
T
cat > src/main.rs <<'T'
use lettre::{Message, SmtpTransport, Transport};
fn main() {
    let port = std::env::args().nth(1).unwrap().parse().unwrap();
    for to in ["info@vidal.example", "info@bücher.example"] {
        let (local, domain) = to.split_once('@').unwrap();
        let to = lettre::message::Mailbox::new(None, lettre::Address::new(local, domain).unwrap());
        let mail = Message::builder().from("panel@x.example".parse().unwrap()).to(to.clone()).subject("x").body("x".to_owned()).unwrap();
        let smtp = SmtpTransport::builder_dangerous("127.0.0.1").port(port).build();
        match smtp.send(&mail) { Ok(_) => println!("{to}: sent"), Err(cause) => println!("{to}: {cause}") }
    }
}
T
cat > server.py <<'T'
import socketserver, sys
class H(socketserver.StreamRequestHandler):
    def handle(self):
        say = lambda b: (self.wfile.write(b + b'\r\n'), self.wfile.flush())
        say(b'220 mail.example ESMTP')
        for line in iter(self.rfile.readline, b''):
            print(line.decode().strip(), file=open('talk', 'a'))
            verb = line[:4].upper()
            if verb == b'EHLO': [say(l) for l in sys.argv[1].encode().split(b'|')]
            elif verb == b'DATA':
                say(b'354 go on')
                while self.rfile.readline() not in (b'.\r\n', b''): pass
                print('TAKEN', file=open('talk', 'a')); say(sys.argv[2].encode('latin-1'))
            elif verb == b'QUIT': return say(b'221 bye')
            else: say(b'250 ok')
s = socketserver.TCPServer(('127.0.0.1', 0), H); print(s.server_address[1], file=open('port', 'w'), flush=True); s.serve_forever()
T
cargo build --quiet --target-dir "$work/target"
try() { # EHLO's answer, the answer to the text
    rm -f talk port; python3 server.py "$1" "$2" 2>/dev/null & server=$!
    until [ -s port ]; do sleep 0.1; done
    "$work/target/debug/finding" "$(cat port)" > out; kill $server; wait $server 2>/dev/null || true; cat out
}
changed=0; expect() { grep -qF -- "$2" "$1" && echo "as before: $2" || { echo "CHANGED: no more: $2"; changed=1; }; }
echo "--- 250 in Latin-1 after the text"; try '250 mail.example' '250 2.0.0 Nachricht für Zustellung angenommen'
expect talk TAKEN; expect out 'info@vidal.example: network error'
echo "--- an internationalised domain, a server without SMTPUTF8"; try '250 mail.example' '250 2.0.0 queued'
expect out 'info@vidal.example: sent'; expect out 'server does not support SMTPUTF8'
echo "--- the same, with SMTPUTF8"; try '250-mail.example|250-8BITMIME|250 SMTPUTF8' '250 2.0.0 queued'
expect talk 'MAIL FROM:<panel@x.example> SMTPUTF8'; expect talk 'RCPT TO:<info@bücher.example>'
exit $changed
