/** What browser and server both say of WinRM. Free of schemas, so that the page can use it. */

import type { CredentialKind } from './api/targets.ts';
import type { WsManMethod, WsManSettings } from './api/wsman.ts';

/** Ports of WinRM. */
export const WSMAN_PORTS = { https: 5986, http: 5985 } as const;

/** Whether a way to sign in can use a credential of this kind. @param method of WinRM; null = SSH */
export function canUse(method: WsManMethod | null, kind: CredentialKind): boolean {
  if (method === null) return kind !== 'certificate';
  if (method === 'negotiate-implicit') return false;
  return kind === (method === 'certificate' ? 'certificate' : 'password');
}

/** Whether a target can sign in with the credential that is stored with it, or never does. @param wsman null = SSH */
export function fitsTarget(
  wsman: Pick<WsManSettings, 'method' | 'certificateThumbprint'> | null,
  kind: CredentialKind,
): boolean {
  // The gateway itself signs in there, or the certificate that is named.
  if (wsman?.method === 'negotiate-implicit' || (wsman?.certificateThumbprint ?? '') !== '') return true;
  return canUse(wsman?.method ?? null, kind);
}

/** The usual doors of a machine, the better way first. */
export const USUAL_DOORS = [
  { way: 'https', port: WSMAN_PORTS.https },
  { way: 'http', port: WSMAN_PORTS.http },
  { way: 'ssh', port: 22 },
] as const;

/** Lines to copy, per system, for one step that failed. */
export interface Remedy {
  readonly title: string;
  /** Where the lines are run, for example `Windows`. */
  readonly system: string;
  readonly lines: string[];
}
const windows = (title: string, ...lines: string[]): Remedy => ({ title, system: 'Windows', lines });

/** To be run beside the gateway, not at the target. */
export const GATEWAY_SYSTEM = 'The gateway (Linux)';
const gateway = (title: string, ...lines: string[]): Remedy => ({ title, system: GATEWAY_SYSTEM, lines });

const ENABLE = windows('Switch WinRM on, in an elevated PowerShell', 'Enable-PSRemoting -Force');
const PUBLIC_NETWORK = windows(
  'On a public network the rule lets in the own subnet alone: make the network private, or open the rule to the gateway',
  'Get-NetConnectionProfile',
  "Set-NetConnectionProfile -InterfaceAlias 'Ethernet' -NetworkCategory Private",
  "Set-NetFirewallRule -Name 'WINRM-HTTP-In-TCP-PUBLIC' -RemoteAddress GATEWAY-ADDRESS",
);
const HTTPS_LISTENER = windows(
  'Listen on HTTPS, with a certificate of the machine, and let the port through',
  "$cert = Get-ChildItem Cert:\\LocalMachine\\My | Where-Object { $_.EnhancedKeyUsageList.ObjectId -contains '1.3.6.1.5.5.7.3.1' } | Select-Object -First 1",
  'New-Item -Path WSMan:\\localhost\\Listener -Transport HTTPS -Address * -CertificateThumbPrint $cert.Thumbprint -Force',
  "New-NetFirewallRule -DisplayName 'WinRM over HTTPS' -Direction Inbound -Protocol TCP -LocalPort 5986 -Action Allow",
);
const readFingerprint = (title: string, ...more: string[]): Remedy =>
  windows(
    title,
    'Get-ChildItem WSMan:\\localhost\\Listener\\*\\CertificateThumbprint',
    'Get-ChildItem Cert:\\LocalMachine\\My | ForEach-Object { $_.Subject; [BitConverter]::ToString([Security.Cryptography.SHA256]::Create().ComputeHash($_.RawData)) }',
    ...more,
  );
const LOOK = windows(
  'See what listens, and which ways to sign in are on',
  'winrm enumerate winrm/config/listener',
  'winrm get winrm/config/service/auth',
);

/**
 * What to do about a refusal over WinRM, by its code; empty when only a person can say.
 * @param schemes ways to sign in that the target offered, when that is known
 * @param method that was refused
 */
export function winRmRemedies(
  code: string,
  schemes: readonly string[] = [],
  method: WsManMethod = 'default',
): Remedy[] {
  switch (code) {
    case 'target_unreachable':
      return [ENABLE, PUBLIC_NETWORK, HTTPS_LISTENER];
    case 'target_timeout':
      return [PUBLIC_NETWORK, ENABLE, HTTPS_LISTENER];
    case 'wsman_not_winrm':
      return [LOOK, ENABLE];
    case 'tls_failed':
    case 'tls_certificate_untrusted':
      return [HTTPS_LISTENER, readFingerprint('Read the fingerprint of the certificate at the machine, and compare')];
    case 'target_auth_failed':
      return [
        windows(
          'A wrong password, an unknown user and a locked account look the same from here: see why the machine refused',
          "Get-WinEvent -FilterHashtable @{ LogName = 'Security'; Id = 4625 } -MaxEvents 5 | Format-List TimeCreated, Message",
        ),
        readFingerprint(
          'Over HTTPS, NTLM gets the same answer when something in between opens TLS: compare the fingerprint at the machine with the one that the test of the connection shows',
        ),
      ];
    case 'wsman_binding_refused':
      return [
        readFingerprint(
          'See whether something in between opens TLS: compare the fingerprint at the machine with the one that the test of the connection shows',
          '(Get-Item WSMan:\\localhost\\Service\\Auth\\CbtHardeningLevel).Value',
        ),
      ];
    case 'wsman_method_disabled':
      return [LOOK, ...switchOn(schemes, method)];
    case 'wsman_access_denied':
      return ACCESS;
    case 'wsman_endpoint_missing':
      return [
        windows(
          'See which endpoints there are, and make the missing one',
          'Get-PSSessionConfiguration | Format-Table Name, PSVersion, Enabled, Permission',
          'Enable-PSRemoting -SkipNetworkProfileCheck -Force',
        ),
      ];
    case 'target_quota':
      return [
        windows(
          'See the open shells, and raise the quota',
          'Get-WSManInstance -ResourceURI Shell -Enumerate | Format-Table Owner, ClientIP, ShellRunTime, ShellId',
          'Set-Item WSMan:\\localhost\\Shell\\MaxShellsPerUser 50',
        ),
      ];
    case 'kerberos_unknown_target':
      return [
        windows(
          'See whether the service has its name in the directory, and give it',
          'setspn -Q HTTP/FULL-NAME-OF-THE-TARGET',
          'setspn -S HTTP/FULL-NAME-OF-THE-TARGET COMPUTER-NAME',
        ),
      ];
    case 'kerberos_clock_skew':
      return [
        windows('Set the clock of the machine by the domain', 'w32tm /resync', 'w32tm /query /status'),
        gateway('Set the clock of the gateway', 'timedatectl status', 'sudo timedatectl set-ntp true'),
      ];
    case 'kerberos_no_kdc':
      return [
        gateway(
          'See whether a domain controller answers, and whether the name of the realm is right',
          'nslookup -type=SRV _kerberos._tcp.DOMAIN',
          'nc -vz DOMAIN-CONTROLLER 88',
          'sallyport config check',
        ),
      ];
    case 'ntlm_not_trusted':
      return [HTTPS_LISTENER];
    default:
      return SOMEBODY_ELSE.has(code) ? [LOOK] : [];
  }
}
/** Refusals of whoever answers there, who may be no WinRM at all. */
const SOMEBODY_ELSE: ReadonlySet<string> = new Set(['wsman_malformed', 'wsman_server_unproven']);

const ACCESS: Remedy[] = [
  windows(
    'Let the account in without making it an administrator',
    "Add-LocalGroupMember -Group 'Remote Management Users' -Member 'DOMAIN\\NAME'",
  ),
  windows(
    'See who may use the endpoint, and change it',
    '(Get-PSSessionConfiguration Microsoft.PowerShell).Permission',
    'Set-PSSessionConfiguration Microsoft.PowerShell -ShowSecurityDescriptorUI',
  ),
  windows(
    'A local administrator other than the built-in one is filtered by UAC over the network: weigh this before you change it',
    'New-ItemProperty -Path HKLM:\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Policies\\System -Name LocalAccountTokenFilterPolicy -Value 1 -PropertyType DWord',
  ),
];

/** Names of switches at the service, by the method that needs one of them; it has none for Digest. */
const SWITCHES: Readonly<Partial<Record<WsManMethod, readonly string[]>>> = {
  basic: ['Basic'],
  certificate: ['Certificate'],
  digest: [],
  kerberos: ['Kerberos'],
};

function switchOn(schemes: readonly string[], method: WsManMethod): Remedy[] {
  if (method === 'credssp')
    return [windows('Let the target receive passwords by CredSSP', 'Enable-WSManCredSSP -Role Server -Force')];
  const offered = new Set(schemes.map((scheme) => scheme.toLowerCase()));
  const missing = (SWITCHES[method] ?? ['Negotiate', 'Kerberos']).filter((name) => !offered.has(name.toLowerCase()));
  return missing.map((name) =>
    windows(`Switch ${name} on`, `Set-Item WSMan:\\localhost\\Service\\Auth\\${name} $true`),
  );
}
