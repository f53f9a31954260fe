import type { Target } from '@sallyport/shared/api/targets';

/** One way to let commands at a target act on a third machine. */
export interface AccessOption {
  readonly key: string;
  readonly name: string;
  /** What it means for who uses it. */
  readonly means: string;
  /** What it costs, and where it does not work. */
  readonly limits: string;
  readonly risk: 'low' | 'some' | 'high';
  readonly steps: readonly { readonly where: string; readonly lines: readonly string[] }[];
}

/** A machine's name as the directory has it: the first label of a host name. */
const accountOf = (host: string): string => (/^[a-z0-9-]+(\.|$)/i.exec(host) ? (host.split('.')[0] ?? host) : host);
/** A text in single quotes of PowerShell. */
const quoted = (text: string): string => `'${text.replace(/['‘’‚‛]/g, '$&$&')}'`;

/**
 * The ways to reach a third machine from a session, the best first. winrm-auth.md section 11.
 * @param b host name of the target
 * @param c host name of the machine behind it
 */
export const accessOptions = (b: string, c: string): readonly AccessOption[] => [...better(b, c), ...worse(b, c)];

const DIRECTORY = 'On a machine with the ActiveDirectory module';

/** Where no secret of the person reaches the target. */
function better(b: string, c: string): readonly AccessOption[] {
  const [target, other] = [quoted(accountOf(b)), quoted(accountOf(c))];
  return [
    {
      key: 'rbcd',
      name: 'Resource-based constrained delegation',
      means: `Recommended. ${c} says that ${b} may act for those who signed in there. No secret is kept anywhere.`,
      limits:
        'Works for files, CIM, RPC and the like, not for another PowerShell session from there. Needs Kerberos, and accounts that are not marked as sensitive. If it was just set, it takes up to 15 minutes.',
      risk: 'low',
      steps: [
        {
          where: `${DIRECTORY}, as who owns ${c}`,
          lines: [
            `Set-ADComputer -Identity ${other} -PrincipalsAllowedToDelegateToAccount (Get-ADComputer -Identity ${target})`,
            `(Get-ADComputer -Identity ${other} -Properties PrincipalsAllowedToDelegateToAccount).PrincipalsAllowedToDelegateToAccount`,
          ],
        },
        { where: `At ${b}, elevated, to forget the earlier refusal`, lines: ['klist purge -li 0x3e7'] },
      ],
    },
    {
      key: 'jea',
      name: 'A restricted endpoint (JEA)',
      means:
        "You run as a restricted account; what is done on other machines is done by the endpoint's account, not by yours.",
      limits: `Windows PowerShell 5.1 or newer at ${b}, and a group-managed service account. Then write the endpoint's name as configuration name of this target.`,
      risk: 'low',
      steps: [
        {
          where: `At ${b}, elevated; role and accounts are examples`,
          lines: [
            "New-PSSessionConfigurationFile -Path .\\Operators.pssc -SessionType RestrictedRemoteServer -GroupManagedServiceAccount 'DOMAIN\\gmsa-operators' -RoleDefinitions @{ 'DOMAIN\\Operators' = @{ RoleCapabilities = 'Operators' } }",
            'Register-PSSessionConfiguration -Name Operators -Path .\\Operators.pssc -Force',
          ],
        },
      ],
    },
    {
      key: 'runas',
      name: 'An endpoint that runs as another account (RunAs)',
      means: 'Commands run as the account that is stored in the endpoint.',
      limits: `Everybody whom the endpoint lets in is the same account on ${c}; keep the list of them short, and the password in order.`,
      risk: 'some',
      steps: [
        {
          where: `At ${b}, elevated`,
          lines: [
            "Register-PSSessionConfiguration -Name RunAsService -RunAsCredential 'DOMAIN\\service' -ShowSecurityDescriptorUI -Force",
          ],
        },
      ],
    },
  ];
}

/** Where the target can act as the person beyond what is seen here. */
function worse(b: string, c: string): readonly AccessOption[] {
  const target = quoted(accountOf(b));
  return [
    {
      key: 'constrained',
      name: 'Constrained delegation, the classic one',
      means: `A domain administrator says for which services of ${c} ${b} may act. Prefer the first.`,
      limits:
        'Within one domain, not for another PowerShell session from there. The target can then act for users without them.',
      risk: 'some',
      steps: [
        {
          where: `${DIRECTORY}, as a domain administrator`,
          lines: [
            `Set-ADComputer -Identity ${target} -Add @{ 'msDS-AllowedToDelegateTo' = ${quoted(`cifs/${accountOf(c)}`)}, ${quoted(`cifs/${c}`)} }`,
          ],
        },
      ],
    },
    {
      key: 'using',
      name: 'A credential for one command',
      means: `The password is sent, encrypted, to ${b} for this command: out of the vault, or as the gateway asks for it in a dialog. It is never shown, recorded or logged here.`,
      limits: `Over SSH too. An administrator names the vault's entries at this target, under Edit, "Commands here may use". While it is held, whoever is administrator at ${b} can use it, and a command can show it.`,
      risk: 'some',
      steps: [
        {
          where: `In the session at ${b}, with the entry NAME of the vault; a name with spaces or hyphens goes into braces`,
          lines: [
            `Invoke-Command -ComputerName ${quoted(c)} -Credential $using:vault:NAME { hostname }`,
            `Invoke-Command -ComputerName ${quoted(c)} -Credential $\{using:vault:NAME} { hostname }`,
          ],
        },
        {
          where: `In the session at ${b}, with one that is typed`,
          lines: ['$cred = Get-Credential', `Invoke-Command -ComputerName ${quoted(c)} -Credential $cred { hostname }`],
        },
        {
          where: 'Inside a script block, with the variable of outside',
          lines: [
            '$cred = $using:vault:NAME',
            `{ New-PSDrive -Name X -PSProvider FileSystem -Root ${quoted(`\\\\${c}\\share`)} -Credential $using:cred }`,
          ],
        },
      ],
    },
    {
      key: 'credssp',
      name: 'CredSSP',
      means: `Works everywhere, and hands your password to ${b}: who takes over ${b} has it.`,
      limits:
        'Only for machines that you would type the password at. Not for Protected Users and sensitive accounts. Each session asks again; the ledger says so.',
      risk: 'high',
      steps: [
        { where: `At ${b}, elevated`, lines: ['Enable-WSManCredSSP -Role Server -Force'] },
        {
          where: 'At this target, under Edit',
          lines: [],
        },
      ],
    },
    {
      key: 'unconstrained',
      name: 'Unconstrained delegation',
      means: `Your ticket itself goes to ${b} and can be used for anything. For tests only.`,
      limits:
        'Administrators switch it on for a target; not for Protected Users, not for another PowerShell session from there.',
      risk: 'high',
      steps: [
        {
          where: `${DIRECTORY}, as a domain administrator, in a test domain`,
          lines: [`Set-ADAccountControl -Identity (Get-ADComputer -Identity ${target}) -TrustedForDelegation $true`],
        },
      ],
    },
  ];
}

/** Why the ways that need Kerberos do not help at this target; null when they may. */
export const noDelegation = ({ transport }: Pick<Target, 'transport'>): string | null =>
  transport === 'ssh'
    ? 'This target is reached over SSH: a key leaves nothing behind that could be passed on. A credential for one command works; the others need a target over WinRM with Kerberos.'
    : null;
