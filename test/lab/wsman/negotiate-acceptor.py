"""An HTTP server that signs in with SPNEGO through the GSSAPI of the system and gives every body back, sealed.

Written from RFC 4559 and MS-WSMV 2.2.9.1, with nothing of the gateway in it: what it accepts, somebody else's NTLM accepts.
NTLM_USER_FILE names the accounts (gss-ntlmssp: DOMAIN:user:password). Prints its port when it listens.

Options: --tls CERTIFICATE KEY and, with it, --binding HEX (SHA-256 of the certificate that clients must be bound to).
The body "big N" is answered with N bytes. Ends when its standard input ends.
"""

import argparse
import base64
import os
import re
import socketserver
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler

import gssapi
from gssapi.raw import ChannelBindings

PROTOCOL = "application/HTTP-SPNEGO-session-encrypted"
BOUNDARY = b"--Encrypted Boundary"
SIGNATURE = 16
SPNEGO = gssapi.OID.from_int_seq("1.3.6.1.5.5.2")
NTLM = gssapi.OID.from_int_seq("1.3.6.1.4.1.311.2.2.10")


def unframe(body):
    """Signature and sealed bytes of a body with one part; every byte outside them is compared."""
    form = (
        rb"--Encrypted Boundary\r\n\t?Content-Type: ([^\r\n]+)\r\n"
        rb"\t?OriginalContent: type=application/soap\+xml;charset=UTF-8;Length=(\d+)\r\n"
        rb"--Encrypted Boundary\r\n\t?Content-Type: application/octet-stream\r\n"
    )
    head = re.match(form, body)
    if head is None or head.group(1).decode() != PROTOCOL:
        raise ValueError("not a sealed body")
    at, length = head.end(), int(head.group(2))
    signature = int.from_bytes(body[at : at + 4], "little")
    token = body[at + 4 : at + 4 + signature + length]
    if body[at + 4 + signature + length :] != BOUNDARY + b"--\r\n" or signature != SIGNATURE:
        raise ValueError("another length than it says")
    return token


def frame(token):
    length = len(token) - SIGNATURE
    head = (
        f"--Encrypted Boundary\r\n\tContent-Type: {PROTOCOL}\r\n"
        f"\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length={length}\r\n"
        "--Encrypted Boundary\r\n\tContent-Type: application/octet-stream\r\n"
    )
    return head.encode() + SIGNATURE.to_bytes(4, "little") + token + BOUNDARY + b"--\r\n"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # One write for head and body.
    disable_nagle_algorithm = True
    context = None

    def log_message(self, *_):
        pass

    def answer(self, status, headers=(), body=b""):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def refuse(self):
        self.context = None
        self.answer(401, [("WWW-Authenticate", "Negotiate"), ("WWW-Authenticate", 'Basic realm="WSMAN"')])

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        offer = self.headers.get("Authorization")
        try:
            if offer is not None:
                self.sign_in(base64.b64decode(offer.removeprefix("Negotiate "), validate=True))
            elif self.context is not None and self.context.complete:
                self.echo(body)
            else:
                self.refuse()
        except (gssapi.exceptions.GSSError, ValueError) as error:
            print(f"refused: {error}".replace("\n", " "), file=sys.stderr, flush=True)
            self.refuse()

    def sign_in(self, token):
        if self.context is None:
            self.context = gssapi.SecurityContext(
                creds=self.server.credentials, usage="accept", channel_bindings=self.server.bindings
            )
        out = self.context.step(token)
        if self.context.complete and self.context.actual_flags & gssapi.RequirementFlag.confidentiality == 0:
            raise ValueError("a client that does not seal")
        head = [] if out is None else [("WWW-Authenticate", "Negotiate " + base64.b64encode(out).decode())]
        self.answer(200 if self.context.complete else 401, head)

    def echo(self, body):
        plain = self.context.unwrap(unframe(body)).message
        big = re.fullmatch(rb"big (\d+)", plain)
        plain = b"x" * int(big.group(1)) if big else plain
        kind = f'multipart/encrypted;protocol="{PROTOCOL}";boundary="Encrypted Boundary"'
        self.answer(200, [("Content-Type", kind)], frame(self.context.wrap(plain, True).message))


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, tls, binding):
        super().__init__(("127.0.0.1", 0), Handler)
        self.credentials = gssapi.Credentials(usage="accept", mechs=[SPNEGO, NTLM])
        self.bindings = None
        if binding is not None:
            self.bindings = ChannelBindings(application_data=b"tls-server-end-point:" + bytes.fromhex(binding))
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.socket = context.wrap_socket(self.socket, server_side=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tls", nargs=2)
    parser.add_argument("--binding")
    options = parser.parse_args()
    server = Server(options.tls, options.binding)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()
    os._exit(0)


main()
