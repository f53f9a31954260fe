"""A WinRM-like HTTP server in front of python3-gssapi: signs a connection in and answers sealed bodies.

Not one line of it is shared with the client under test. What it opens, it sends back in reverse order.
Argument: one JSON object: keytab, cert, key (PEM files, for TLS), binding (hex, required when present).
The query of the path chooses what it does wrong: offer=... (what it offers), fault=no-final-token, forbidden, silent.
Prints `listening PORT`, then one line of JSON for each thing that happened.
"""
import base64
import json
import re
import ssl
import struct
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import gssapi.raw as gss
from gssapi.exceptions import GSSError

OPTIONS = json.loads(sys.argv[1])
KINDS = gss.IOVBufferType
SPNEGO = gss.OID.from_int_seq('1.3.6.1.5.5.2')
MECHS = {'Kerberos': gss.MechType.kerberos, 'Negotiate': SPNEGO}
NAMES = {'Kerberos': 'Kerberos', 'Negotiate': 'SPNEGO'}
BOUNDARY = b'--Encrypted Boundary'


def say(**what):
    print(json.dumps(what), flush=True)


def credentials(scheme):
    store = {b'keytab': OPTIONS['keytab'].encode()}
    creds = gss.acquire_cred_from(store, usage='accept', mechs=[MECHS[scheme]]).creds
    return creds


def bindings():
    if 'binding' not in OPTIONS:
        return None
    return gss.ChannelBindings(application_data=bytes.fromhex(OPTIONS['binding']))


def open_body(context, body, protocol):
    """Takes the multipart body apart by the published grammar and unseals its one part."""
    head, rest = body.split(BOUNDARY + b'\r\n', 2)[1:]
    lines = head.decode().split('\r\n')
    if lines[0].strip() != f'Content-Type: {protocol}':
        raise ValueError(f'protocol {lines[0]!r}')
    length = int(re.search(r'OriginalContent: type=application/soap\+xml;charset=UTF-8;Length=(\d+)', head.decode())[1])
    mark = b'Content-Type: application/octet-stream\r\n'
    data = rest[rest.index(mark) + len(mark):]
    if not data.endswith(BOUNDARY + b'--\r\n'):
        raise ValueError('no end')
    data = data[:-len(BOUNDARY + b'--\r\n')]
    (header,) = struct.unpack('<I', data[:4])
    if len(data) != 4 + header + length:
        raise ValueError(f'{len(data)} bytes with {header} and {length}')
    iov = gss.IOV(
        (KINDS.header, False, data[4:4 + header]), (KINDS.data, False, data[4 + header:]),
        (KINDS.data, False, b''), std_layout=False)
    if not gss.unwrap_iov(context, iov).encrypted:
        raise ValueError('not encrypted')
    return iov[1].value, header


def close_body(context, plain, protocol, fault):
    iov = gss.IOV(KINDS.header, plain, KINDS.padding, std_layout=False)
    gss.wrap_iov(context, iov, confidential=fault != 'integrity-only')
    data = iov[1].value + (iov[2].value or b'')
    if fault == 'flip':
        data = bytes([data[0] ^ 1]) + data[1:]
    return b''.join([
        BOUNDARY, b'\r\n\tContent-Type: ', protocol.encode(),
        b'\r\n\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length=', str(len(data)).encode(), b'\r\n',
        BOUNDARY, b'\r\n\tContent-Type: application/octet-stream\r\n',
        struct.pack('<I', len(iov[0].value)), iov[0].value, data, BOUNDARY, b'--\r\n'])


class Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    wbufsize = -1
    disable_nagle_algorithm = True
    context = None
    scheme = None
    complete = False
    kept = None

    def log_message(self, *_):
        pass

    def answer(self, status, body=b'', kind=None, tokens=()):
        self.send_response(status)
        for token in tokens:
            self.send_header('WWW-Authenticate', token)
        if kind:
            self.send_header('Content-Type', kind)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get('Content-Length', '0')))
        authorization = self.headers.get('Authorization')
        if authorization:
            return self.sign_in(authorization)
        if not self.complete:
            return self.answer(401, tokens=parse_qs(urlsplit(self.path).query).get('offer', ['Negotiate', 'Kerberos']))
        protocol = f'application/HTTP-{NAMES[self.scheme]}-session-encrypted'
        fault = self.headers.get('X-Lab-Fault')
        try:
            plain, header = open_body(self.context, body, protocol)
        except (GSSError, ValueError, IndexError, TypeError) as error:
            say(event='refused', text=str(error))
            return self.answer(400)
        say(event='opened', bytes=len(plain), header=header)
        if fault == 'replay' and self.kept:
            sealed = self.kept
        else:
            sealed = close_body(self.context, plain[::-1], protocol, fault)
        self.kept = sealed
        kind = f'multipart/encrypted;protocol="{protocol}";boundary="Encrypted Boundary"'
        self.answer(200, sealed, kind)

    def sign_in(self, authorization):
        self.scheme, _, token = authorization.partition(' ')
        try:
            done = gss.accept_sec_context(
                base64.b64decode(token), credentials(self.scheme), self.context, bindings())
        except GSSError as error:
            say(event='sign-in refused', text=str(error))
            reply = getattr(error, 'token', None)
            text = f'{self.scheme} {base64.b64encode(reply).decode()}' if reply else self.scheme
            return self.answer(401, tokens=[text])
        self.context = done.context
        self.complete = not done.more_steps
        fault = parse_qs(urlsplit(self.path).query).get('fault', [''])[0]
        reply = f'{self.scheme} {base64.b64encode(done.token or b"").decode()}'
        if self.complete:
            delegated = done.delegated_creds
            name = gss.display_name(done.initiator_name).name.decode()
            say(event='signed in', name=name, delegated=delegated is not None, flags=int(sum(done.flags)))
        if fault == 'no-final-token' and self.complete:
            return self.answer(200)
        if fault == 'forbidden' and self.complete:
            return self.answer(403)
        if fault == 'silent':
            return self.answer(401, tokens=[self.scheme])
        self.answer(200 if self.complete else 401, tokens=[reply] if done.token else [])


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


server = Server(('127.0.0.1', 0), Handler)
if 'cert' in OPTIONS:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(OPTIONS['cert'], OPTIONS['key'])
    server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
print(f'listening {server.server_address[1]}', flush=True)
server.serve_forever()
