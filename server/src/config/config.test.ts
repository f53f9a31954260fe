import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isLoopbackHost, rangeMatcher } from './addresses.ts';
import { checkFrontDoor, openFrontDoor } from './front-door.ts';
import { describeConfig, loadConfig } from './load.ts';
import { DEFAULTS, type Config } from './settings.ts';

const directory = () => mkdtempSync(join(tmpdir(), 'sallyport-config-'));
const front = (change: Partial<Config>) => openFrontDoor({ ...DEFAULTS, ...change }, 8022);
const tls = { tlsCertFile: '/cert.pem', tlsKeyFile: '/key.pem' };

describe('configuration', () => {
  it('lays file, environment and arguments over the defaults and says where each value came from', () => {
    const dataDir = directory();
    writeFileSync(
      join(dataDir, 'config.json'),
      JSON.stringify({ listen: '127.0.0.1:1', logLevel: 'warn', trustedProxies: ['10.0.0.1'] }),
    );
    const loaded = loadConfig({
      env: { SALLYPORT_LISTEN: '127.0.0.1:2', SALLYPORT_TARGET_RANGES: '10.0.0.0/8, fd00::/8', HOME: '/x' },
      args: { dataDir, listen: '127.0.0.1:3' },
    });
    expect(loaded.config).toMatchObject({
      listen: '127.0.0.1:3',
      logLevel: 'warn',
      targetRanges: ['10.0.0.0/8', 'fd00::/8'],
    });
    expect(loaded.sources).toMatchObject({
      listen: 'argument',
      logLevel: 'file',
      targetRanges: 'environment',
      sessionsPerUser: 'default',
    });
    expect(describeConfig(loaded)).toContainEqual({ name: 'listen', value: '"127.0.0.1:3"', source: 'argument' });
  });

  it('refuses misspelt settings, in the file and in the environment', () => {
    const dataDir = directory();
    expect(() => loadConfig({ env: { SALLYPORT_LISEN: 'x' } })).toThrow(/SALLYPORT_LISEN is no setting/);
    writeFileSync(join(dataDir, 'config.json'), '{"lisen":"127.0.0.1:1"}');
    expect(() => loadConfig({ env: {}, args: { dataDir } })).toThrow(/"lisen" is no setting/);
  });

  it.each([
    ['listen', 'nowhere'],
    ['listen', '127.0.0.1:70000'],
    ['targetRanges', '10.0.0.0/33'],
    ['publicUrl', 'ftp://x'],
    ['publicUrl', 'https://a/?b'],
    ['logLevel', 'loud'],
    ['sessionsPerUser', '0'],
  ])('refuses %s = %s by name', (name, value) => {
    const dataDir = directory();
    const args = { dataDir, [name]: name === 'targetRanges' ? [value] : value };
    expect(() => loadConfig({ env: {}, args })).toThrow(expect.objectContaining({ code: 'config_invalid' }));
  });

  it('cannot be moved by a file that lies in the data directory', () => {
    const dataDir = directory();
    writeFileSync(join(dataDir, 'config.json'), '{"dataDir":"/elsewhere"}');
    expect(() => loadConfig({ env: {}, args: { dataDir } })).toThrow(/dataDir cannot be set/);
  });
});

describe('front door', () => {
  it('opens on loopback over http with a cookie of its own name', () => {
    expect(front({})).toMatchObject({
      publicUrl: 'http://127.0.0.1:8022',
      isSecure: false,
      cookieName: 'sallyport-loopback',
      socketOrigins: ['ws://127.0.0.1:8022', 'ws://localhost:8022'],
    });
  });

  it('uses the __Host- cookie and exactly one origin behind a named proxy, with a sub-path', () => {
    const door = front({ publicUrl: 'https://gate.example/shell/', trustedProxies: ['127.0.0.1'] });
    expect(door).toMatchObject({
      publicUrl: 'https://gate.example/shell',
      basePath: '/shell',
      cookieName: '__Host-sallyport',
      isBehindProxy: true,
    });
    expect([...door.origins]).toEqual(['https://gate.example']);
  });

  it.each<[string, Partial<Config>]>([
    ['off loopback without TLS', { listen: '0.0.0.0:8022' }],
    ['off loopback with TLS but an http publicUrl', { listen: '0.0.0.0:8022', ...tls, publicUrl: null }],
    ['off loopback behind a proxy without publicUrl', { listen: '[::]:8022', trustedProxies: ['10.0.0.1'] }],
    ['http for a name that is not loopback', { publicUrl: 'http://gate.example' }],
    ['https that nothing provides', { publicUrl: 'https://gate.example' }],
  ])('refuses to start: %s', (_, change) => {
    expect(() => checkFrontDoor({ ...DEFAULTS, ...change })).toThrow(
      expect.objectContaining({ code: 'insecure_listen' }),
    );
  });

  it('wants certificate and key together', () => {
    expect(() => checkFrontDoor({ ...DEFAULTS, tlsCertFile: '/cert.pem' })).toThrow(/both or none/);
  });

  it('knows loopback in every spelling, and nothing else', () => {
    expect(['localhost', '127.0.0.1', '127.9.9.9', '::1', '[::1]'].every(isLoopbackHost)).toBe(true);
    expect(['0.0.0.0', '128.0.0.1', 'localhost.example', '::', '::2', '127.0.0.1.nip.io'].some(isLoopbackHost)).toBe(
      false,
    );
  });

  it('matches an IPv4-mapped address as the IPv4 address that it is', () => {
    const trusted = rangeMatcher(['10.0.0.0/8']);
    expect(trusted('::ffff:10.1.2.3')).toBe(true);
    expect(trusted('::ffff:11.1.2.3')).toBe(false);
  });
});
