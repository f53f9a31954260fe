import type { ProbeResult } from './api/targets.ts';
import type { ErrorCode } from './error-codes.ts';

type Remedies = ProbeResult['remedies'];

/** Lines to copy, per system, that make a machine ready. ssh-framing.md section 7; product.md "The first five minutes". */
const SERVER: Remedies = [
  {
    title: 'Install and start the SSH server',
    system: 'Linux (Debian family)',
    lines: ['sudo apt-get install -y openssh-server', 'sudo systemctl enable --now ssh'],
  },
  {
    title: 'Install and start the SSH server',
    system: 'Linux (Red Hat family)',
    lines: ['sudo dnf install -y openssh-server', 'sudo systemctl enable --now sshd'],
  },
  {
    title: 'Install and start the SSH server',
    system: 'Windows',
    lines: [
      'Add-WindowsCapability -Online -Name OpenSSH.Server~~~~0.0.1.0',
      'Set-Service -Name sshd -StartupType Automatic',
      'Start-Service sshd',
      "Get-NetFirewallRule -Name 'OpenSSH-Server-In-TCP' | Enable-NetFirewallRule",
    ],
  },
  { title: 'Switch Remote Login on', system: 'macOS', lines: ['sudo systemsetup -setremotelogin on'] },
];

const FIREWALL: Remedies = [
  {
    title: 'Let the port through',
    system: 'Linux (firewalld)',
    lines: ['sudo firewall-cmd --permanent --add-service=ssh', 'sudo firewall-cmd --reload'],
  },
  { title: 'Let the port through', system: 'Linux (ufw)', lines: ['sudo ufw allow OpenSSH'] },
  {
    title: 'Let the port through',
    system: 'Windows',
    lines: ["Get-NetFirewallRule -Name 'OpenSSH-Server-In-TCP' | Enable-NetFirewallRule"],
  },
];

/**
 * Windows' sshd takes no blanks in the path of a subsystem, so one of two ways round `C:\Program Files`. The line is read only
 * before the first `Match`, which the file that comes with Windows has at its end.
 */
const windowsRemedies = (subsystem: string): Remedies => [
  {
    title: 'Install PowerShell 7 (Windows PowerShell 5.1 has no SSH mode)',
    system: 'Windows',
    lines: ['winget install --id Microsoft.PowerShell --source winget'],
  },
  {
    title:
      'Offer PowerShell over SSH: the Subsystem line before any Match block, by the short name if the first line shows one',
    system: 'Windows',
    lines: [
      '(New-Object -ComObject Scripting.FileSystemObject).GetFile("$env:ProgramFiles\\PowerShell\\7\\pwsh.exe").ShortPath',
      'notepad "$env:ProgramData\\ssh\\sshd_config"',
      `Subsystem ${subsystem} c:/progra~1/powershell/7/pwsh.exe -sshs -NoLogo -NoProfile`,
      'Restart-Service sshd',
    ],
  },
  {
    title: 'The same by a directory link, where the volume has no short names',
    system: 'Windows',
    lines: [
      'cmd /c mklink /D c:\\pwsh "C:\\Program Files\\PowerShell\\7"',
      'notepad "$env:ProgramData\\ssh\\sshd_config"',
      `Subsystem ${subsystem} c:\\pwsh\\pwsh.exe -sshs -NoLogo -NoProfile`,
      'Restart-Service sshd',
    ],
  },
  {
    title: 'Keys of administrators stand in a file of their own, which nobody else may write',
    system: 'Windows',
    lines: [
      'Add-Content -Path "$env:ProgramData\\ssh\\administrators_authorized_keys" -Value \'PUBLIC KEY\'',
      'icacls "$env:ProgramData\\ssh\\administrators_authorized_keys" /inheritance:r /grant "*S-1-5-32-544:F" /grant "*S-1-5-18:F"',
    ],
  },
];

/** How PowerShell is offered over SSH; also shown when the probe itself went well, since it cannot look behind the sign-in. */
export const subsystemRemedies = (subsystem: string): Remedies => [
  {
    title: 'Offer PowerShell over SSH',
    system: 'Linux',
    lines: [
      `echo 'Subsystem ${subsystem} /usr/bin/pwsh -sshs -NoLogo -NoProfile' | sudo tee /etc/ssh/sshd_config.d/powershell.conf`,
      'sudo sshd -t && (sudo systemctl restart ssh || sudo systemctl restart sshd)',
    ],
  },
  {
    title: 'Offer PowerShell over SSH',
    system: 'macOS',
    lines: [
      `echo 'Subsystem ${subsystem} /usr/local/bin/pwsh -sshs -NoLogo -NoProfile' | sudo tee -a /private/etc/ssh/sshd_config`,
      'sudo launchctl stop com.openssh.sshd',
      'sudo launchctl start com.openssh.sshd',
    ],
  },
  ...windowsRemedies(subsystem),
];

/** What to do about the step that failed; empty when only a person can say. */
export function remediesFor(code: ErrorCode, subsystem: string): Remedies {
  switch (code) {
    case 'target_unreachable':
      return SERVER;
    case 'target_timeout':
      return FIREWALL;
    case 'subsystem_refused':
    case 'powershell_missing':
      return subsystemRemedies(subsystem);
    case 'ssh_algorithms':
      return [
        {
          title: 'See what the server offers, and bring it up to date',
          system: 'Linux, Windows, macOS',
          lines: ['ssh -V', 'sshd -T | grep -Ei "^(ciphers|macs|kexalgorithms|hostkeyalgorithms)"'],
        },
      ];
    case 'hop_refused':
      return [
        {
          title: 'See what the jump host lets through: AllowTcpForwarding, PermitOpen, restrict in authorized_keys',
          system: 'Linux, Windows, macOS',
          lines: ['sshd -T | grep -Ei "^(allowtcpforwarding|disableforwarding|permitopen)"'],
        },
      ];
    case 'sftp_refused':
      return [
        { title: 'Offer SFTP', system: 'Linux', lines: ['Subsystem sftp internal-sftp'] },
        { title: 'Offer SFTP', system: 'Windows', lines: ['Subsystem sftp sftp-server.exe'] },
      ];
    case 'target_address_refused':
      return [
        {
          title: 'Add the range under Settings, Target ranges, or to the configuration',
          system: 'this gateway',
          lines: ['SALLYPORT_TARGET_RANGES=10.0.0.0/8,192.168.0.0/16'],
        },
      ];
    default:
      return [];
  }
}
