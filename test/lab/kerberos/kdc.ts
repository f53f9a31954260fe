/** A Kerberos realm of its own: MIT's KDC as an unprivileged process on a free loopback port, with a database in a folder. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { KerberosSettings } from '../../../server/src/transports/wsman/auth/kerberos/realms.ts';
import { findProgram, freePort } from '../sshd.ts';

export const REALM = 'LAB.SALLYPORT.TEST';
export const DOMAIN = 'lab.sallyport.test';
/** Users and their passwords. */
export const PEOPLE = {
  ada: 'Correct Horse 9',
  stale: 'Too Old 1',
  gone: 'Left Us 2',
  locked: 'Locked Out 3',
} as const;
/** Hosts with a service key: what their name says is the kind of it. */
export const HOSTS = {
  win: `win.${DOMAIN}`,
  aes128: `aes128.${DOMAIN}`,
  sha256: `sha256.${DOMAIN}`,
  sha384: `sha384.${DOMAIN}`,
  /** Its key in the KDC is not the one in the keytab. */
  moved: `moved.${DOMAIN}`,
} as const;

const PLACES = ['/usr/sbin', '/usr/bin'];
const PROGRAMS = ['krb5kdc', 'kdb5_util', 'kadmin.local', 'kinit'] as const;

/** What is missing for a realm; null when nothing is. */
export function missingForKdc(): string | null {
  const missing = PROGRAMS.filter((name) => findProgram(name, PLACES) === null);
  return missing.length === 0 ? null : `${missing.join(', ')} (Debian: krb5-kdc krb5-admin-server krb5-user)`;
}

const SCRIPT = `
addprinc -pw "${PEOPLE.ada}" ada
addprinc -pw "${PEOPLE.stale}" -pwexpire "2020-01-01" stale
addprinc -pw "${PEOPLE.gone}" -expire "2020-01-01" gone
addprinc -pw "${PEOPLE.locked}" -allow_tix locked
addprinc -randkey gateway
addprinc -randkey +ok_as_delegate HTTP/${HOSTS.win}
addprinc -randkey -e aes128-cts-hmac-sha1-96:normal HTTP/${HOSTS.aes128}
setstr HTTP/${HOSTS.aes128} session_enctypes aes128-cts-hmac-sha1-96
addprinc -randkey -e aes128-cts-hmac-sha256-128:normal HTTP/${HOSTS.sha256}
setstr HTTP/${HOSTS.sha256} session_enctypes aes128-cts-hmac-sha256-128
addprinc -randkey -e aes256-cts-hmac-sha384-192:normal HTTP/${HOSTS.sha384}
setstr HTTP/${HOSTS.sha384} session_enctypes aes256-cts-hmac-sha384-192
addprinc -randkey HTTP/${HOSTS.moved}
addprinc -randkey HTTP/localhost
addprinc -randkey WSMAN/${HOSTS.win}
`;

export class LabKdc {
  readonly directory: string;
  /** Keys of all services. */
  readonly keytab: string;
  /** Key of the principal `gateway`. */
  readonly gatewayKeytab: string;
  readonly port: number;
  readonly #program: string;
  readonly #env: NodeJS.ProcessEnv;
  #child: ReturnType<typeof spawn> | null = null;

  private constructor(directory: string, port: number) {
    this.directory = directory;
    this.port = port;
    this.keytab = path.join(directory, 'services.keytab');
    this.gatewayKeytab = path.join(directory, 'gateway.keytab');
    this.#program = findProgram('krb5kdc', PLACES) ?? 'krb5kdc';
    this.#env = {
      PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`,
      LC_ALL: 'C',
      KRB5_CONFIG: path.join(directory, 'krb5.conf'),
      KRB5_KDC_PROFILE: path.join(directory, 'kdc.conf'),
    };
  }

  /** @throws Error with what a program said when there is no realm in the end */
  static async start(): Promise<LabKdc> {
    let port = 0;
    while (port <= 18_000) port = await freePort('127.0.0.1');
    const kdc = new LabKdc(mkdtempSync(path.join(tmpdir(), 'sallyport-kdc-')), port);
    kdc.#makeRealm();
    await kdc.listen();
    return kdc;
  }

  /** A krb5.conf as an administrator would write it. */
  get configFile(): string {
    return path.join(this.directory, 'krb5.conf');
  }

  /** What the gateway is told. */
  get settings(): KerberosSettings {
    const realm = { name: REALM, kdcs: [`127.0.0.1:${this.port}`], domains: [], netbiosName: 'LAB' };
    return { defaultRealm: null, realms: [realm], findsKdcsInDns: false, configFile: null };
  }

  /**
   * Tickets of a user in a file, as kinit gets them.
   * @param skewS how far the KDC's clock is said to be ahead: who uses them sends times that are as far off
   */
  makeCache(name: string, user: keyof typeof PEOPLE, skewS = 0): string {
    const file = path.join(this.directory, name);
    execFileSync('kinit', ['-c', `FILE:${file}`, `${user}@${REALM}`], {
      env: this.#env,
      input: `${PEOPLE[user]}\n`,
      stdio: ['pipe', 'ignore', 'pipe'],
    });
    if (skewS !== 0) {
      // 05 04, length of the header, then its field 1, of 8 bytes: seconds and microseconds.
      const bytes = readFileSync(file);
      const header = Buffer.from('000c00010008' + '00'.repeat(8), 'hex');
      header.writeInt32BE(skewS, 6);
      writeFileSync(file, Buffer.concat([bytes.subarray(0, 2), header, bytes.subarray(4 + bytes.readUInt16BE(2))]));
    }
    return file;
  }

  /** Makes a service with a key, for example `WSMAN/host`. */
  addService(name: string): void {
    this.#run('kadmin.local', [], `addprinc -randkey ${name}\nktadd -norandkey -k ${this.keytab} ${name}\n`);
  }

  /** Starts (again). */
  async listen(): Promise<void> {
    const child = spawn(this.#program, ['-n'], { env: this.#env, stdio: ['ignore', 'ignore', 'pipe'] });
    this.#child = child;
    const exited = once(child, 'exit').then(() => {
      throw new Error('the KDC ended at once');
    });
    exited.catch(() => undefined);
    let log = '';
    const listening = new Promise<void>((resolve) => {
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        log = (log + text).slice(-4096);
        if (log.includes('commencing operation')) resolve();
      });
    });
    await Promise.race([listening, exited]);
  }

  /** Ends the server; the realm stays. */
  async halt(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null || child.exitCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    await exited;
  }

  /** Ends the server and removes the realm. Idempotent. */
  async stop(): Promise<void> {
    await this.halt();
    rmSync(this.directory, { recursive: true, force: true });
  }

  #makeRealm(): void {
    const { directory, port } = this;
    mkdirSync(directory, { recursive: true });
    writeFileSync(
      path.join(directory, 'krb5.conf'),
      `[libdefaults]\n default_realm = ${REALM}\n dns_lookup_kdc = false\n dns_canonicalize_hostname = false\n rdns = false\n` +
        ` udp_preference_limit = 1\n[realms]\n ${REALM} = {\n  kdc = 127.0.0.1:${port}\n }\n`,
    );
    writeFileSync(
      path.join(directory, 'kdc.conf'),
      `[kdcdefaults]\n kdc_listen = ""\n kdc_tcp_listen = 127.0.0.1:${port}\n[realms]\n ${REALM} = {\n` +
        `  database_name = ${directory}/principal\n  key_stash_file = ${directory}/stash\n  acl_file = ${directory}/acl\n }\n` +
        '[logging]\n kdc = STDERR\n',
    );
    this.#run('kdb5_util', ['create', '-s', '-r', REALM, '-P', 'only for tests']);
    const services = Object.values(HOSTS).map((host) => `HTTP/${host}`);
    this.#run('kadmin.local', [], `${SCRIPT}ktadd -k ${this.gatewayKeytab} gateway\nktadd -norandkey -k ${this.keytab} ${services.join(' ')} HTTP/localhost WSMAN/${HOSTS.win}\ncpw -randkey HTTP/${HOSTS.moved}\n`); // prettier-ignore
  }

  #run(program: string, args: readonly string[], input = ''): void {
    execFileSync(program, args, { env: this.#env, input, stdio: ['pipe', 'ignore', 'pipe'] });
  }
}
