"""The acceptor's side of Kerberos for a server in another language: one JSON object per line in, one out.

{"id", "context", "op": "accept", "scheme", "token"} | {"op": "open", "header", "data"} | {"op": "close", "data"}; bytes in
base64. Argument: the keytab.
"""
import base64
import json
import sys

import gssapi.raw as gss
from gssapi.exceptions import GSSError

KINDS = gss.IOVBufferType
MECHS = {'Kerberos': gss.MechType.kerberos, 'Negotiate': gss.OID.from_int_seq('1.3.6.1.5.5.2')}
contexts = {}


def text(data):
    return base64.b64encode(data or b'').decode()


def accept(request):
    store = {b'keytab': sys.argv[1].encode()}
    creds = gss.acquire_cred_from(store, usage='accept', mechs=[MECHS[request['scheme']]]).creds
    done = gss.accept_sec_context(base64.b64decode(request['token']), creds, contexts.get(request['context']))
    contexts[request['context']] = done.context
    name = '' if done.more_steps else gss.display_name(done.initiator_name).name.decode()
    return {'token': text(done.token), 'isComplete': not done.more_steps, 'name': name,
            'isDelegated': bool(done.flags & gss.RequirementFlag.delegate_to_peer) and done.delegated_creds is not None}


def opened(request):
    iov = gss.IOV(
        (KINDS.header, False, base64.b64decode(request['header'])), (KINDS.data, False, base64.b64decode(request['data'])),
        (KINDS.data, False, b''), std_layout=False)
    if not gss.unwrap_iov(contexts[request['context']], iov).encrypted:
        raise ValueError('not encrypted')
    return {'data': text(iov[1].value)}


def closed(request):
    iov = gss.IOV(KINDS.header, base64.b64decode(request['data']), KINDS.padding, std_layout=False)
    gss.wrap_iov(contexts[request['context']], iov, confidential=True)
    return {'header': text(iov[0].value), 'data': text(iov[1].value + (iov[2].value or b''))}


print('{}', flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    try:
        answer = {'accept': accept, 'open': opened, 'close': closed}[asked['op']](asked)
    except (GSSError, ValueError) as error:
        answer = {'error': str(error)}
    print(json.dumps({'id': asked['id'], **answer}), flush=True)
