"""A mail server for one test, as aiosmtpd makes it: it does what the recipient's name says.

Takes one argument, JSON: tls ("starttls", "tls" or null), certificate, key, username, password, smtputf8; folder: where it
lays each mail that it took, as .eml, and where a file `go` lets mails to `held` through, and refuses those to `held-nobody`.
Prints its port, then each mail that it took, as one line of JSON.
"""

import asyncio
import base64
import json
import os
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult


def say(value):
    print(json.dumps(value), flush=True)


class Handler:
    def __init__(self, folder):
        self.folder = folder
        self.taken = 0
        self.greylisted = set()
        self.connections = 0

    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        if not hasattr(session, "number"):
            self.connections += 1
            session.number = self.connections
        session.host_name = hostname
        return responses

    async def handle_RCPT(self, server, session, envelope, address, options):
        name = address.split("@")[0]
        if name == "nobody":
            return "550 5.1.1 There is nobody of that name here"
        if name == "grey" and address not in self.greylisted:
            self.greylisted.add(address)
            return "451 4.7.1 Greylisted, come again"
        if name == "quota":
            return "452 4.2.2 The mailbox is full"
        if name == "slow":
            await asyncio.sleep(5)
        if name in ("held", "held-nobody"):
            while not os.path.exists(os.path.join(self.folder, "go")):
                await asyncio.sleep(0.05)
        if name == "held-nobody":
            return "550 5.1.1 There is nobody of that name here"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_DATA(self, server, session, envelope):
        name = envelope.rcpt_tos[0].split("@")[0]
        if name == "slow-data":
            await asyncio.sleep(5)
        if name == "cut":
            server.transport.abort()
            return "451 4.3.0 never said"
        if name == "spam":
            text = envelope.content.decode()
            link = next(word for word in text.split() if word.startswith("https://"))
            return f"554 5.7.1 The address {link} is on a list"
        if self.folder:
            self.lay(envelope.content)
        say(
            {
                "from": envelope.mail_from,
                "to": envelope.rcpt_tos,
                "options": envelope.mail_options,
                "connection": session.number,
                "hello": session.host_name,
                "user": session.auth_data.login.decode() if session.auth_data else None,
                "data": base64.b64encode(envelope.content).decode(),
            }
        )
        return "250 2.0.0 Ok: queued as 4WQ7"

    def lay(self, content):
        self.taken += 1
        path = os.path.join(self.folder, f"{self.taken:04}.eml")
        with open(path + ".part", "wb") as file:
            file.write(content)
        os.rename(path + ".part", path)


async def main(told):
    context = None
    if told.get("tls"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(told["certificate"], told["key"])
    username = told.get("username")

    def authenticate(server, session, envelope, mechanism, data):
        right = data.login.decode() == username and data.password.decode() == told["password"]
        # With `handled` left true nothing is answered to a wrong password, and the client waits for ever.
        return AuthResult(success=right, handled=right, auth_data=data if right else None)

    handler = Handler(told.get("folder"))
    starttls = told.get("tls") == "starttls"

    def session():
        return SMTP(
            handler,
            hostname="mx1.example",
            ident="ESMTP",
            tls_context=context if starttls else None,
            require_starttls=starttls,
            authenticator=authenticate if username else None,
            auth_required=bool(username),
            auth_require_tls=starttls,
            enable_SMTPUTF8=told.get("smtputf8", False),
        )

    loop = asyncio.get_running_loop()
    server = await loop.create_server(session, "127.0.0.1", 0, ssl=None if starttls else context)
    say(server.sockets[0].getsockname()[1])
    await server.serve_forever()


asyncio.run(main(json.loads(sys.argv[1])))
