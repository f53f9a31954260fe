/** Keys and tickets that lie in files of MIT Kerberos, for tests that look whether they are anywhere else. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** Of a ticket all but the end has names in it. */
const SECRET_END_BYTES = 48;

/** Of every principal in a keytab. */
export function keysIn(keytab: string): Buffer[] {
  const listed = execFileSync('klist', ['-kK', keytab], { encoding: 'utf8' });
  return [...listed.matchAll(/0x([0-9a-f]{32,})/g)].map(([, hex = '']) => Buffer.from(hex, 'hex'));
}

/** Session keys, and the sealed end of each ticket, in a cache of version 4 (MIT: "Credential cache file format"). */
export function secretsInCache(file: string): { readonly keys: Buffer[]; readonly tickets: Buffer[] } {
  const bytes = readFileSync(file);
  if (bytes.readUInt16BE(0) !== 0x0504) throw new Error('no ticket cache of version 4');
  let at = 4 + bytes.readUInt16BE(2);
  const count = (): number => bytes.readUInt32BE((at += 4) - 4);
  const counted = (): Buffer => {
    const length = count();
    return bytes.subarray(at, (at += length));
  };
  const principal = (): void => {
    at += 4;
    for (let left = count() + 1; left > 0; left--) counted();
  };
  const list = (): void => {
    for (let left = count(); left > 0; left--) {
      at += 2;
      counted();
    }
  };
  const [keys, tickets]: [Buffer[], Buffer[]] = [[], []];
  principal();
  while (at < bytes.length) {
    principal();
    principal();
    at += 2;
    const key = counted();
    at += 4 * 4 /* times */ + 1 /* is_skey */ + 4; /* flags */
    list();
    list();
    const ticket = counted();
    counted();
    // Rows that hold settings of the cache have no key.
    if (key.length === 0) continue;
    keys.push(key);
    tickets.push(ticket.subarray(-SECRET_END_BYTES));
  }
  return { keys, tickets };
}
