import { describe, expect, it } from 'vitest';
import { readLine } from './where-to-line.ts';

const base = { host: 'web01', port: 22, user: '', kind: 'powershell', subsystem: 'powershell', winrm: null };

describe('"Where to?" line', () => {
  it('reads a plain address with the usual port, and does not guess what to open', () => {
    expect(readLine(' ann@web01 ')).toEqual({
      address: { ...base, user: 'ann', kind: null },
      notHonoured: [],
      problem: null,
    });
    expect(readLine('ssh://web01').address?.kind).toBe('pty');
  });

  it.each([
    ['Enter-PSSession -HostName web01', base],
    ['enter-pssession web01', base],
    ['etsn -HostName ann@web01:2222 -Subsystem powershell', { ...base, user: 'ann', port: 2222 }],
    [
      'Enter-PSSession -HostName web01 -UserName CONTOSO\\ann -Port 2022',
      { ...base, user: 'CONTOSO\\ann', port: 2022 },
    ],
    ['Enter-PSSession -HostName \'web01\' -User "ann" -Sub pwsh7', { ...base, user: 'ann', subsystem: 'pwsh7' }],
    ['Enter-PSSession -HostName:web01 -Port:2022 -SSHTransport', { ...base, port: 2022 }],
    ['Enter-PSSession -HostName bob@web01:99 -UserName ann -Port 22', { ...base, user: 'bob', port: 99 }],
    ['Enter-PSSession -HostName [::1]:2222', { ...base, host: '::1', port: 2222 }],
    ['Enter-PSSession -ComputerName web01', { ...base, port: 5985, winrm: 'http' }],
    ['etsn -Cn WEB01 -UseSSL', { ...base, port: 5986, winrm: 'https' }],
    ['Enter-PSSession -ComputerName web01 -Port 8443 -UseSSL', { ...base, port: 8443, winrm: 'https' }],
    ['Enter-PSSession -ConnectionUri https://web01:5986/wsman', { ...base, port: 5986, winrm: 'https' }],
    ['https://[::1]/WSMan', { ...base, host: '::1', port: 443, winrm: 'https' }],
    ['http://web01:5985', { ...base, port: 5985, winrm: 'http' }],
  ])('reads %s', (line, address) => {
    expect(readLine(line)).toEqual({ address, notHonoured: [], problem: null });
  });

  it('names what it cannot honour, with the reason', () => {
    const { address, notHonoured } = readLine(
      'Enter-PSSession -HostName ann@web01:2222 -Subsystem powershell -KeyFilePath ~/.ssh/id_ed25519 -UseSSL -VMName app -Bogus 1 extra',
    );
    expect(address).toEqual({ ...base, user: 'ann', port: 2222 });
    expect(notHonoured.map(({ part }) => part)).toEqual([
      '-KeyFilePath ~/.ssh/id_ed25519',
      '-VMName app',
      '-Bogus 1',
      'extra',
      '-UseSSL',
    ]);
    expect(notHonoured.every(({ why }) => why.length > 10)).toBe(true);
  });

  it.each([
    ['Enter-PSSession', /no host/],
    ['Enter-PSSession -ComputerName', /no host/],
    ['Enter-PSSession -ComputerName web01 -Authentication Kerberos -ConfigurationName x', /./],
    ['Enter-PSSession -HostName web01 -ComputerName web02', /./],
    ['https://ann:secret@web01', /password/],
    ['Enter-PSSession -ConnectionUri ftp://web01', /no http/],
    ['http://web01/elsewhere', /./],
    ['http://0x7f.1/', /./],
    ['Enter-PSSession -HostName', /no host/],
    ['Enter-PSSession -HostName $env:TARGET', /plain words/],
    ['Enter-PSSession -HostName web01; Remove-Item x', /plain words/],
    ['Enter-PSSession -HostName "$(id)"', /plain words/],
    ['Enter-PSSession -HostName @{a=1}', /plain words/],
    ['Enter-PSSession -HostName web01 -Port 70000', /port/],
    ['Enter-PSSession -HostName web01 -UserName=-x', /./],
    ['Enter-PSSession -HostName web01 -UserName "-x"', /"-"/],
    ['Enter-PSSession -HostName web01 -Subsystem "a b"', /subsystem/],
    ["Enter-PSSession -HostName '-oProxyCommand=x'", /"-"/],
    ['New-PSSession web01', /./],
  ])('refuses or explains %s', (line, why) => {
    const read = readLine(line);
    if (read.address === null) expect(read.problem).toMatch(why);
    else expect(read.notHonoured).not.toEqual([]);
  });
});
