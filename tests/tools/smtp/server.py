"""A mail server (aiosmtpd) for tests. Writes `listening PORT`, and each message that it takes as one line of JSON to a file.

What a recipient is called decides what becomes of a message: `refused` (550), `later` (451 twice, then fine), `never` (451 always), `hang` (no answer),
`drop` (the connection is cut), `full` (552 after the message), `busy` (451 after the message, once), `lost` and `silent` (taken, then
the connection is cut, or nothing is said).
"""

import argparse
import asyncio
import email
import email.policy
import json
import ssl

from aiosmtpd.smtp import SMTP, AuthResult


class Handler:
    def __init__(self, out):
        self.out = out
        self.seen = {}

    def first(self, who, times=1):
        """Whether this is one of the first times that `who` comes by."""
        self.seen[who] = self.seen.get(who, 0) + 1
        return self.seen[who] <= times

    async def handle_RCPT(self, server, session, envelope, address, options):
        match address.split("@")[0]:
            case "refused":
                return "550 5.1.1 no such user here"
            case "never":
                return "451 4.7.1 greylisted, come back later"
            case "later" if self.first(address, 2):
                return "451 4.7.1 greylisted, come back later"
            case "hang":
                await asyncio.sleep(3600)
            case "drop":
                server.transport.abort()
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        names = {address.split("@")[0] for address in envelope.rcpt_tos}
        if "full" in names:
            return "552 5.2.2 mailbox full"
        if "busy" in names and self.first("busy"):
            return "451 4.3.0 busy"
        self.keep(server, session, envelope)
        if "lost" in names:
            server.transport.abort()
        if "silent" in names:
            await asyncio.sleep(3600)
        return "250 OK"

    def keep(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        kept = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "encrypted": server.transport.get_extra_info("ssl_object") is not None,
            "user": session.auth_data.login.decode() if session.auth_data else "",
            "headers": [[name, str(value)] for name, value in message.items()],
            "parts": [
                [part.get_content_type(), part.get_content().replace("\r\n", "\n")]
                for part in message.walk()
                if not part.is_multipart()
            ],
            "raw": envelope.content.decode("ascii"),
        }
        with open(self.out, "a", encoding="utf-8") as out:
            out.write(json.dumps(kept) + "\n")


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", required=True)
    parser.add_argument("--mode", choices=["none", "starttls", "tls"], default="none")
    parser.add_argument("--cert")
    parser.add_argument("--key")
    parser.add_argument("--user")
    parser.add_argument("--password")
    arguments = parser.parse_args()

    context = None
    if arguments.mode != "none":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(arguments.cert, arguments.key)

    def authenticate(server, session, envelope, mechanism, data):
        good = (data.login.decode(), data.password.decode()) == (arguments.user, arguments.password)
        # `handled=False`: the answer to a wrong password is the server's usual 535.
        return AuthResult(success=good, handled=False, auth_data=data if good else None)

    handler = Handler(arguments.out)
    starttls = arguments.mode == "starttls"

    def make():
        return SMTP(
            handler,
            hostname="mail.test",
            tls_context=context if starttls else None,
            require_starttls=starttls,
            authenticator=authenticate,
            auth_required=arguments.user is not None,
            auth_require_tls=starttls,
        )

    loop = asyncio.get_running_loop()
    server = await loop.create_server(make, "127.0.0.1", 0, ssl=context if arguments.mode == "tls" else None)
    print(f"listening {server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


asyncio.run(main())
