import type { ProbeResult } from '@sallyport/shared/api/targets';

type Station = ProbeResult['stations'][number];

const WORDS: Readonly<
  Record<Station['step'], { readonly ok: string; readonly failed: string; readonly open: string }>
> = {
  hop: { ok: 'Jump host passed', failed: 'Jump host not passed', open: 'Jump host' },
  resolve: { ok: 'Name found', failed: 'Name not found', open: 'Name' },
  policy: { ok: 'Address allowed', failed: 'Address refused', open: 'Address' },
  tcp: { ok: 'Port open', failed: 'Port closed', open: 'Port' },
  ssh: { ok: 'Speaks SSH', failed: 'No SSH', open: 'SSH' },
  tls: { ok: 'Speaks TLS', failed: 'No TLS', open: 'TLS' },
  winrm: { ok: 'Speaks WinRM', failed: 'No WinRM', open: 'WinRM' },
  'host-key': { ok: 'Host key is the pinned one', failed: 'Host key refused', open: 'Host key' },
  'sign-in': { ok: 'Ways to sign in', failed: 'Sign-in refused', open: 'Sign-in' },
  powershell: { ok: 'PowerShell found', failed: 'PowerShell not found here', open: 'PowerShell' },
};

/** What a station of the path is called, by how far the gateway came. */
export function stationWords(station: Station, hostKey: ProbeResult['hostKey']): string {
  const words = WORDS[station.step];
  if (station.step === 'host-key' && hostKey?.type === 'x509') return certificateWords(hostKey.state);
  if (station.state === 'not-tried') return words.open;
  if (station.step === 'host-key' && station.state === 'ok' && hostKey?.state === 'unknown')
    return 'Host key not seen yet';
  return station.state === 'ok' ? words.ok : words.failed;
}

const certificateWords = (state: 'pinned' | 'unknown' | 'changed'): string =>
  state === 'pinned'
    ? 'Certificate is one to trust'
    : state === 'unknown'
      ? 'Certificate not known yet: it is asked about at the first connection'
      : 'Certificate is not the one on record';

/** The heading of a diagnosis: what is wrong, or that nothing is. */
export function diagnosis(name: string, { stations, hostKey }: ProbeResult): string {
  const failed = stations.find(({ state }) => state === 'failed');
  if (failed === undefined) return `${name} answers`;
  if (failed.step === 'powershell') return `${name} has no PowerShell subsystem yet`;
  if (failed.step === 'host-key' && hostKey?.state === 'changed')
    return `${name} shows another ${hostKey.type === 'x509' ? 'certificate' : 'host key'}`;
  if (failed.step === 'sign-in') return `${name}: the listener answers, the way to sign in is off`;
  const { failed: words } = WORDS[failed.step];
  return `${name}: ${words.charAt(0).toLowerCase()}${words.slice(1)}`;
}
