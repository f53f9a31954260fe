/**
 * Reads what somebody typed at "Where to?": an address, or a whole `Enter-PSSession` line. What cannot be honoured is
 * named with the reason, never silently dropped. Nothing here is run as PowerShell. protocol/ssh-framing.md section 10.
 */
import { parseAddress, parsePort, parseUser, type Parsed, type TargetAddress } from './address.ts';

export const DEFAULT_PORT = 22;
export const DEFAULT_SUBSYSTEM = 'powershell';

export interface LineAddress {
  readonly host: string;
  readonly port: number;
  /** Empty when none was given. */
  readonly user: string;
  /** `powershell` for an Enter-PSSession line; null when the line does not say. */
  readonly kind: 'powershell' | 'pty' | null;
  readonly subsystem: string;
  /** Over WinRM and how; null over SSH, or where the line does not say. */
  readonly winrm: 'https' | 'http' | null;
}
export interface NotHonoured {
  readonly part: string;
  readonly why: string;
}
export interface ReadLine {
  readonly address: LineAddress | null;
  readonly notHonoured: readonly NotHonoured[];
  /** Why the line is no address; null when it is. */
  readonly problem: string | null;
}

interface Token {
  readonly text: string;
  readonly isQuoted: boolean;
}

/** Splits as PowerShell would, for plain words and quoted strings; everything that would be evaluated is refused. */
function tokenize(line: string): Parsed<Token[]> {
  const tokens: Token[] = [];
  const pattern = /\s*(?:'((?:[^']|'')*)'|"((?:[^"`$]|"")*)"|([^\s'"`$(){};|&<>]+))/y;
  let at = 0;
  while (at < line.length) {
    pattern.lastIndex = at;
    const match = pattern.exec(line);
    if (match === null)
      return {
        value: null,
        problem:
          'only plain words and quoted texts are read, not expressions such as (…) or $name: leave that part out',
      };
    at = pattern.lastIndex;
    const [, single, double, bare] = match;
    if (single !== undefined) tokens.push({ text: single.replaceAll("''", "'"), isQuoted: true });
    else if (double !== undefined) tokens.push({ text: double.replaceAll('""', '"'), isQuoted: true });
    else if (bare !== undefined) tokens.push({ text: bare, isQuoted: false });
  }
  return { value: tokens, problem: null };
}

type Parameter =
  | { readonly use: 'host' | 'computer' | 'uri' | 'user' | 'port' | 'subsystem' }
  | { readonly use: 'switch' | 'ssl' }
  | { readonly use: 'winrm'; readonly takesValue: boolean }
  | { readonly use: 'none'; readonly takesValue: boolean; readonly why: string };

const SSH_HAS_NONE = 'This is WinRM; targets over SSH have no such thing.';
const AT_A_TARGET = 'An address that is typed has the usual one. Add it as a target to choose.';
const inside = 'Connect to the host first, then enter it from that session.';
const none = (why: string, takesValue = true): Parameter => ({ use: 'none', takesValue, why });

/** Every parameter of Enter-PSSession; aliases with a row of their own. */
const PARAMETERS: Readonly<Record<string, Parameter>> = {
  hostname: { use: 'host' },
  username: { use: 'user' },
  port: { use: 'port' },
  subsystem: { use: 'subsystem' },
  sshtransport: { use: 'switch' },
  keyfilepath: none('A path on your machine means nothing here. Choose a key from the vault.'),
  identityfilepath: none('A path on your machine means nothing here. Choose a key from the vault.'),
  connectingtimeout: none('Set it with the target; the gateway has its own limits.'),
  options: none('Options of the ssh program are not used; the gateway has safe ones of its own.'),
  credential: none('Choose a credential from the vault, or type it when asked.'),
  computername: { use: 'computer' },
  cn: { use: 'computer' },
  usessl: { use: 'ssl' },
  applicationname: { use: 'winrm', takesValue: true },
  configurationname: { use: 'winrm', takesValue: true },
  authentication: { use: 'winrm', takesValue: true },
  certificatethumbprint: { use: 'winrm', takesValue: true },
  connectionuri: { use: 'uri' },
  uri: { use: 'uri' },
  allowredirection: { use: 'winrm', takesValue: false },
  sessionoption: { use: 'winrm', takesValue: true },
  session: none('Pick the session up under Sessions.'),
  instanceid: none('Pick the session up under Sessions.'),
  id: none('Pick the session up under Sessions.'),
  name: none('Pick the session up under Sessions.'),
  vmid: none(inside),
  vmname: none(inside),
  containerid: none(inside),
  runasadministrator: none(inside, false),
  enablenetworkaccess: none('Only a local process can have network access of its own.', false),
};

/** Exact name, or the only one that starts so, as PowerShell does it. */
function findParameter(name: string): string | null {
  const key = name.toLowerCase();
  if (Object.hasOwn(PARAMETERS, key)) return key;
  const found = Object.keys(PARAMETERS).filter((full) => full.startsWith(key));
  return found.length === 1 ? (found[0] ?? null) : null;
}

interface Reading {
  host: string | null;
  computer: string | null;
  uri: string | null;
  /** `-UseSSL`, as it was written. */
  ssl: string | null;
  /** Parameters that only WinRM has. */
  readonly winrm: string[];
  user: string | null;
  port: string | null;
  subsystem: string | null;
  readonly notHonoured: NotHonoured[];
}

const NOTHING = { host: null, computer: null, uri: null, ssl: null, user: null, port: null, subsystem: null };

/** `-Name value`, `-Name:value`, or a value alone, which is the host's (position 0). */
function readParameters(tokens: readonly Token[]): Reading {
  const reading: Reading = { ...NOTHING, winrm: [], notHonoured: [] };
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at];
    if (token === undefined) break;
    const match = token.isQuoted ? null : /^-([A-Za-z]+)(?::(.*))?$/.exec(token.text);
    if (match === null) {
      if (reading.host === null && !token.text.startsWith('-')) reading.host = token.text;
      else reading.notHonoured.push({ part: token.text, why: 'It is not clear what this is.' });
      continue;
    }
    const name = findParameter(match[1] ?? '');
    const parameter = name === null ? none('Enter-PSSession has no such parameter.') : PARAMETERS[name];
    if (parameter === undefined || parameter.use === 'switch') continue;
    if (parameter.use === 'ssl') {
      reading.ssl = token.text;
      continue;
    }
    const next = tokens[at + 1];
    const isNextValue = next !== undefined && (next.isQuoted || !next.text.startsWith('-'));
    const takesNext = (!('takesValue' in parameter) || parameter.takesValue) && !match[2] && isNextValue;
    const value = match[2] ?? '';
    const given = takesNext ? next.text : value;
    if (takesNext) at++;
    if (parameter.use === 'none')
      reading.notHonoured.push({ part: takesNext ? `${token.text} ${given}` : token.text, why: parameter.why });
    else if (parameter.use === 'winrm') reading.winrm.push(takesNext ? `${token.text} ${given}` : token.text);
    else if (given === '') reading.notHonoured.push({ part: token.text, why: 'Its value is missing.' });
    else reading[parameter.use] = given;
  }
  return reading;
}

const failed = (problem: string, notHonoured: readonly NotHonoured[] = []): ReadLine => ({
  address: null,
  notHonoured,
  problem,
});

interface WebAddress {
  readonly host: string;
  readonly port: string;
  readonly winrm: 'https' | 'http';
  readonly notHonoured: readonly NotHonoured[];
}

/** A connection URI, its host as it was written; without a port it is the web's own, as PowerShell has it. */
function readUri(text: string): Parsed<WebAddress> {
  const [, scheme = '', host = '', path = ''] = /^(https?):\/\/([^/?#\s]+)(\/[^?#]*)?/i.exec(text) ?? [];
  if (scheme === '') return { value: null, problem: 'that is no http or https address' };
  const winrm = /s$/i.test(scheme) ? 'https' : 'http';
  const isUsual = /^(?:\/(?:wsman\/?)?)?$/i.test(path);
  const notHonoured = isUsual ? [] : [{ part: path, why: AT_A_TARGET }];
  return { value: { host, port: winrm === 'https' ? '443' : '80', winrm, notHonoured }, problem: null };
}

const USUAL_PORTS = { https: 5986, http: 5985 } as const;

/** Where the line leads, and over what; a host over SSH goes before a computer over WinRM. */
function placeIn(reading: Reading): Parsed<Omit<WebAddress, 'winrm' | 'port'> & Partial<WebAddress>> {
  const { host, computer, uri, ssl, winrm } = reading;
  const over = (parts: readonly string[], why: string): NotHonoured[] => parts.map((part) => ({ part, why }));
  if (host !== null) {
    const others = [computer, uri].flatMap((other) => (other === null ? [] : [other]));
    const left = [...(ssl === null ? [] : [ssl]), ...winrm, ...others];
    return { value: { host, notHonoured: over(left, SSH_HAS_NONE) }, problem: null };
  }
  const left = over(winrm, AT_A_TARGET);
  if (computer !== null)
    return { value: { host: computer, winrm: ssl === null ? 'http' : 'https', notHonoured: left }, problem: null };
  if (uri === null) return { value: null, problem: 'the line names no host (-HostName, -ComputerName)' };
  const read = readUri(uri);
  return read.problem !== null
    ? read
    : { value: { ...read.value, notHonoured: [...left, ...read.value.notHonoured] }, problem: null };
}

/** A user or a port within HostName wins over the separate one, as in the reference client. */
function combine(reading: Reading): ReadLine {
  const place = placeIn(reading);
  if (place.problem !== null) return failed(place.problem, reading.notHonoured);
  const { winrm = null } = place.value;
  const notHonoured = [...reading.notHonoured, ...place.value.notHonoured];
  const address: Parsed<TargetAddress> = parseAddress(place.value.host);
  if (address.problem !== null) return failed(address.problem, notHonoured);
  const { host } = address.value;
  const portText = place.value.port ?? reading.port;
  const port = address.value.port === null && portText !== null ? parsePort(portText) : null;
  if (port !== null && port.problem !== null) return failed(port.problem, notHonoured);
  const user = address.value.user === '' && reading.user !== null ? parseUser(reading.user) : null;
  if (user !== null && user.problem !== null) return failed(user.problem, notHonoured);
  const subsystem = reading.subsystem ?? DEFAULT_SUBSYSTEM;
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(subsystem)) return failed('that is no subsystem name', notHonoured);
  return {
    address: {
      host,
      port: address.value.port ?? port?.value ?? (winrm === null ? DEFAULT_PORT : USUAL_PORTS[winrm]),
      user: address.value.user === '' ? (user?.value ?? '') : address.value.user,
      kind: 'powershell',
      subsystem,
      winrm,
    },
    notHonoured,
    problem: null,
  };
}

/** @param line what was typed, at most 1024 characters */
export function readLine(line: string): ReadLine {
  const text = line.trim();
  const command = /^(?:Enter-PSSession|etsn)(?:\s+|$)/i.exec(text);
  if (/^https?:\/\//i.test(text)) return combine({ ...NOTHING, uri: text, winrm: [], notHonoured: [] });
  if (command === null) {
    const address = parseAddress(text);
    if (address.problem !== null) return failed(address.problem);
    const { host, port, user } = address.value;
    const kind = /^ssh:/i.test(text) ? 'pty' : null;
    return {
      address: { host, port: port ?? DEFAULT_PORT, user, kind, subsystem: DEFAULT_SUBSYSTEM, winrm: null },
      notHonoured: [],
      problem: null,
    };
  }
  const tokens = tokenize(text.slice(command[0].length));
  return tokens.problem === null ? combine(readParameters(tokens.value)) : failed(tokens.problem);
}
