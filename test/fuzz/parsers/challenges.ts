/** What a target offers in `WWW-Authenticate`, and Digest's parameters. */
import { findChallenge } from '../../../server/src/transports/wsman/auth/challenges.ts';
import { digestAuthorization, findDigest } from '../../../server/src/transports/wsman/auth/digest.ts';
import { readRedirect } from '../../../server/src/transports/wsman/redirect.ts';
import { SallyportError } from '../../../server/src/errors.ts';
import { material } from '../mutate.ts';
import { must } from '../parser.ts';
import type { FuzzParser } from '../parser.ts';

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const OFFERS = [
  'Negotiate\nKerberos\nBasic realm="WSMAN"', 'Negotiate TlRMTVNTUAACAAAA, Basic realm="a, b", CredSSP', 'CredSSP AQIDBA==',
  'Digest realm="lab, inc", qop="auth,auth-int", algorithm=SHA-256, nonce="ab\\"c", opaque="x", stale=true, userhash=true', 'Digest nonce=x, algorithm=MD5-sess, realm=',
  'Basic realm="x", Digest realm="y", nonce="n", algorithm=MD5, Digest realm="y", nonce="n", algorithm=SHA-256', 'Negotiate realm="x"',
  'https://other.example:5986/wsman?PSVersion=5.1', 'http://[::1]:5985/x/y', '//user:pw@host/', '/elsewhere', 'https://xn--bcher-kva.example/', 'HTTPS://a\tb.example', 'https://[fe80::1%25eth0]/',
]; // prettier-ignore
const TOKENS = [
  '"', '\\"', ',', '=', ' ', '\t', 'Digest ', 'Basic ', 'Negotiate ', 'nonce="', 'realm=', 'stale=TRUE', 'algorithm=SHA-256', 'qop=auth', '\n', '\r', '\0', '\u00e4', '\u0100',
  'http://', 'https:', '//', '@', '%00', '%0d%0a', '[', ']', ':', '169.254.169.254', '0x7f.1', '\u3002', '..', '#', '?',
]; // prettier-ignore
const SCHEMES = ['Negotiate', 'Kerberos', 'CredSSP', 'Basic', 'Digest'] as const;
const WHO = { user: 'ann', password: 'p', method: 'POST', path: '/wsman', count: 1, cnonce: 'c' } as const;

function readLocation(text: string, isTls: boolean): boolean {
  try {
    const to = readRedirect(text, { host: 'web01', port: 5986, isTls });
    must(!isTls || to.isTls, 'a redirection from HTTPS to HTTP');
    must(to.host !== '' && !/[\s/@\\?#\p{Cc}]/u.test(to.host), 'a host with something else in it');
    must(Number.isInteger(to.port) && to.port >= 0 && to.port < 65_536, 'a port that is none');
    must(!/[\s\p{Cc}]/u.test(to.applicationName), 'a path with a control in it');
    return true;
  } catch (error) {
    if (!(error instanceof SallyportError) || error.code !== 'wsman_redirect_refused') throw error;
    return false;
  }
}

/** Headers with which a target answers a sign-in. */
export const challenges: FuzzParser = {
  name: 'challenges',
  material: () => material(OFFERS.map(encode), TOKENS),
  run(input) {
    const text = Buffer.from(input.buffer, input.byteOffset, input.length).toString('latin1');
    // No header line has a control in it when Node gives it.
    const values = text.split(/[\0-\x08\n-\x1f\x7f]/);
    const found = SCHEMES.filter((scheme) => findChallenge(values, scheme) !== null);
    const digest = findDigest(values);
    if (digest !== null) {
      const said = digestAuthorization(digest, WHO);
      must(/^Digest username="(?:ann|[0-9a-f]{32,64})", [^\r\n]*$/.test(said), 'a header that breaks out');
    }
    const leads = [true, false].some((isTls) => readLocation(text, isTls));
    return found.length > 0 || digest !== null || leads ? 'ok' : 'nothing';
  },
};
