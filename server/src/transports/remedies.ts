import type { ErrorCode } from '@sallyport/shared/error-codes';
import type { ProbeResult } from '@sallyport/shared/api/targets';

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
  {
    title: 'Offer PowerShell over SSH (before any Match block in %ProgramData%\\ssh\\sshd_config)',
    system: 'Windows',
    lines: [
      `Subsystem ${subsystem} c:/progra~1/powershell/7/pwsh.exe -sshs -NoLogo -NoProfile`,
      'Restart-Service sshd',
    ],
  },
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
