"""An HTTP server that takes CredSSP, written from MS-CSSP and MS-WSMV 2.2.9.1 with `ssl` and the GSSAPI of the system.

Prints its port when it listens. NTLM_USER_FILE names the accounts. GET gives the passwords that it was given since the last
GET, as JSON. The query of a POST makes the server of that connection another one: tls=1.2|1.3, ciphers, version, error (an
NTSTATUS), other (file of the certificate of the real server, where this one is in between), and binding=unchecked|reflected|
broken|missing. Ends when its standard input ends.

With --lines there is no server: one JSON object per line in, one out, for a server in another language. {"id", "context",
"op": "accept", "token"} | {"op": "open", "header", "data"} | {"op": "close", "data"} | {"op": "given"}; bytes in base64.
"""

import argparse
import base64
import hashlib
import json
import os
import re
import socketserver
import ssl
import sys
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler

import gssapi

PROTOCOL = "application/HTTP-CredSSP-session-encrypted"
BOUNDARY = b"--Encrypted Boundary"
RECORD = 16384
SPNEGO = gssapi.OID.from_int_seq("1.3.6.1.5.5.2")
NTLM = gssapi.OID.from_int_seq("1.3.6.1.4.1.311.2.2.10")
REFUSALS = (gssapi.exceptions.GSSError, ssl.SSLError, ValueError, IndexError)


def der(tag, *content):
    body = b"".join(content)
    size = len(body)
    if size < 128:
        return bytes([tag, size]) + body
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + body


def values(body):
    """Tag and content of each value that stands here."""
    found, at = [], 0
    while at < len(body):
        tag, size = body[at], body[at + 1]
        at += 2
        if size >= 128:
            count = size & 0x7F
            size = int.from_bytes(body[at : at + count], "big")
            at += count
        if at + size > len(body):
            raise ValueError("a value that ends too early")
        found.append((tag, body[at : at + size]))
        at += size
    return found


def inner(body):
    return values(body)[0][1]


def public_key(certificate):
    """The bytes of subjectPublicKey: the seventh or sixth value of what is signed, its bit string."""
    signed = values(inner(inner_of_pem(certificate)))
    fields = [content for tag, content in signed if tag == 0x30]
    for content in fields:
        parts = values(content)
        if len(parts) == 2 and parts[0][0] == 0x30 and parts[1][0] == 0x03:
            return parts[1][1][1:]
    raise ValueError("no key in the certificate")


def inner_of_pem(path):
    with open(path, encoding="ascii") as file:
        return inner(ssl.PEM_cert_to_DER_cert(file.read()))


def binding(side, nonce, key):
    names = {"client": b"CredSSP Client-To-Server Binding Hash\0", "server": b"CredSSP Server-To-Client Binding Hash\0"}
    return hashlib.sha256(names[side] + nonce + key).digest()


def text(octets):
    return inner(octets).decode("utf-16-le")


class Tls:
    """The server's side of a TLS that travels in tokens."""

    def __init__(self, options):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options["cert"], options["key"])
        context.maximum_version = ssl.TLSVersion.TLSv1_2 if options.get("tls") == "1.2" else ssl.TLSVersion.TLSv1_3
        if "ciphers" in options:
            context.set_ciphers(options["ciphers"])
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.layer = context.wrap_bio(self.incoming, self.outgoing, server_side=True)
        self.is_open = False

    def feed(self, records):
        """What stood in the records; nothing while the handshake runs."""
        self.incoming.write(records)
        if not self.is_open:
            try:
                self.layer.do_handshake()
                self.is_open = True
            except ssl.SSLWantReadError:
                return b""
        plain = b""
        while True:
            try:
                plain += self.layer.read(RECORD)
            except ssl.SSLWantReadError:
                return plain

    def write(self, plain):
        self.layer.write(plain)
        return self.outgoing.read()

    def trailer(self, size):
        if self.layer.version() == "TLSv1.3":
            return 17
        name = self.layer.cipher()[0]
        if "GCM" in name or "CHACHA" in name:
            return 16
        mac = 48 if name.endswith("SHA384") else 32 if name.endswith("SHA256") else 20
        return mac + 16 - (size + mac) % 16


def opened(tls, trailer, records):
    """A sealed part: how long its trailer is said to be, and its records."""
    piece = tls.feed(records)
    if trailer != tls.trailer(len(piece)):
        raise ValueError("another length than it says")
    return piece


def unframe(body, tls):
    form = re.compile(
        rb"--Encrypted Boundary\r\n\t?Content-Type: ([^\r\n]+)\r\n"
        rb"\t?OriginalContent: type=application/soap\+xml;charset=UTF-8;Length=(\d+)\r\n"
        rb"--Encrypted Boundary\r\n\t?Content-Type: application/octet-stream\r\n"
    )
    at, plain = 0, b""
    while body[at:] != BOUNDARY + b"--\r\n":
        head = form.match(body, at)
        if head is None or head.group(1).decode() != PROTOCOL:
            raise ValueError("not a sealed body")
        at = head.end()
        trailer = int.from_bytes(body[at : at + 4], "little")
        at += 4
        size = 5 + int.from_bytes(body[at + 3 : at + 5], "big")
        piece = opened(tls, trailer, body[at : at + size])
        if len(piece) != int(head.group(2)):
            raise ValueError("another length than it says")
        plain += piece
        at += size
    return plain


def frame(plain, tls):
    body = b""
    for at in range(0, len(plain), RECORD):
        piece = plain[at : at + RECORD]
        body += (
            f"--Encrypted Boundary\r\n\tContent-Type: {PROTOCOL}\r\n"
            f"\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length={len(piece)}\r\n"
            "--Encrypted Boundary\r\n\tContent-Type: application/octet-stream\r\n"
        ).encode()
        body += tls.trailer(len(piece)).to_bytes(4, "little") + tls.write(piece)
    return body + BOUNDARY + b"--\r\n"


class SignIn:
    """One connection that is being signed in on."""

    tls = context = given = None

    def __init__(self, credentials, options):
        self.credentials, self.options = credentials, options

    def take(self, token):
        """The token to answer with; None when the password is there."""
        if self.tls is None:
            self.tls = Tls(self.options)
        plain = self.tls.feed(token)
        if plain == b"":
            return self.tls.outgoing.read()
        fields = dict(values(inner(plain)))
        if "error" in self.options:
            return self.say(der(0xA4, der(0x02, bytes.fromhex(self.options["error"]))))
        if 0xA2 in fields:
            parts = dict(values(inner(self.unwrap(fields[0xA2]))))
            self.given = [text(content) for _, content in values(inner(inner(parts[0xA1])))]
            return None
        if 0xA3 in fields:
            return self.bind(fields)
        out = self.step(fields)
        return self.say(b"" if out is None else self.nego(out))

    def step(self, fields):
        if self.context is None:
            self.context = gssapi.SecurityContext(creds=self.credentials, usage="accept")
        return self.context.step(inner(inner(inner(inner(fields[0xA1])))))

    def nego(self, token):
        return der(0xA1, der(0x30, der(0x30, der(0xA0, der(0x04, token)))))

    def say(self, content):
        version = der(0xA0, der(0x02, bytes([int(self.options.get("version", "6"))])))
        return self.tls.write(der(0x30, version, content))

    def unwrap(self, field):
        return self.context.unwrap(inner(field)).message

    def bind(self, fields):
        out = self.step(fields) if 0xA1 in fields else None
        if not self.context.complete:
            raise ValueError("a binding before the sign-in is complete")
        options, nonce = self.options, inner(fields[0xA5])
        kind = options.get("binding", "good")
        said, key = self.unwrap(fields[0xA3]), public_key(options.get("other", options["cert"]))
        if kind != "unchecked" and said != binding("client", nonce, key):
            raise ValueError("the client sees another key")
        back = said if kind == "reflected" else binding("server", nonce, key)
        wrapped = self.context.wrap(back, True).message
        if kind == "broken":
            wrapped = wrapped[:-1] + bytes([wrapped[-1] ^ 1])
        field = b"" if kind == "missing" else der(0xA3, der(0x04, wrapped))
        return self.say((b"" if out is None else self.nego(out)) + field)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # One write for head and body.
    disable_nagle_algorithm = True
    signing = None
    state = "new"

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

    def do_GET(self):
        given, self.server.given = self.server.given, []
        self.answer(200, [("Content-Type", "application/json")], json.dumps(given).encode())

    @property
    def options(self):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        return {**self.server.files, **{name: value for name, [value] in query.items()}}

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        offer = self.headers.get("Authorization")
        try:
            if offer is not None:
                self.sign_in(base64.b64decode(offer.removeprefix("CredSSP "), validate=True))
            elif self.state == "done":
                tls = self.signing.tls
                plain = unframe(body, tls)
                kind = f'multipart/x-multi-encrypted;protocol="{PROTOCOL}";boundary="Encrypted Boundary"'
                self.answer(200, [("Content-Type", kind)], frame(plain, tls))
            else:
                raise ValueError("not signed in")
        except REFUSALS as error:
            print(f"refused: {error}".replace("\n", " "), file=sys.stderr, flush=True)
            self.state = "over"
            self.answer(401, [("WWW-Authenticate", "Negotiate"), ("WWW-Authenticate", "CredSSP")])

    def sign_in(self, token):
        if self.signing is None:
            self.signing = SignIn(self.server.credentials, self.options)
        out = self.signing.take(token)
        if out is not None:
            said = ("CredSSP " + base64.b64encode(out).decode()).rstrip()
            self.answer(401, [("WWW-Authenticate", said)])
            return
        self.server.given.append(self.signing.given)
        self.state = "done"
        self.answer(200)


class Lines:
    """Sign-ins and sealed parts by the numbers of their connections."""

    def __init__(self, files, credentials):
        self.files, self.credentials = files, credentials
        self.signing, self.passwords = {}, []

    def accept(self, asked):
        signing = self.signing.setdefault(asked["context"], SignIn(self.credentials, self.files))
        out = signing.take(base64.b64decode(asked["token"]))
        if out is not None:
            return {"token": base64.b64encode(out).decode(), "isComplete": False}
        self.passwords.append(signing.given)
        # gss-ntlmssp counts the end of the text.
        name = str(signing.context.initiator_name).rstrip("\0")
        return {"token": "", "isComplete": True, "name": name}

    def open(self, asked):
        header, data = base64.b64decode(asked["header"]), base64.b64decode(asked["data"])
        plain = opened(self.signing[asked["context"]].tls, len(header), header + data)
        return {"data": base64.b64encode(plain).decode()}

    def close(self, asked):
        tls, plain = self.signing[asked["context"]].tls, base64.b64decode(asked["data"])
        at, sealed = tls.trailer(len(plain)), tls.write(plain)
        return {"header": base64.b64encode(sealed[:at]).decode(), "data": base64.b64encode(sealed[at:]).decode()}

    def given(self, _):
        given, self.passwords = self.passwords, []
        return {"given": given}

    def serve(self):
        print("{}", flush=True)
        for line in sys.stdin:
            asked = json.loads(line)
            try:
                answer = getattr(self, asked["op"])(asked)
            except REFUSALS as error:
                answer = {"error": str(error)}
            print(json.dumps({"id": asked["id"], **answer}), flush=True)


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, files, credentials):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = files
        self.given = []
        self.credentials = credentials


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cert", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--kerberos", action="store_true")
    parser.add_argument("--lines", action="store_true")
    options = parser.parse_args()
    credentials = gssapi.Credentials(usage="accept", mechs=[SPNEGO] if options.kerberos else [SPNEGO, NTLM])
    files = {"cert": options.cert, "key": options.key}
    if options.lines:
        Lines(files, credentials).serve()
        return
    server = Server(files, credentials)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()
    os._exit(0)


main()
