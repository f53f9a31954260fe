/** Namespaces by the prefixes that we write. What is read is compared by namespace only. */
export const NS = {
  s: 'http://www.w3.org/2003/05/soap-envelope',
  wsa: 'http://schemas.xmlsoap.org/ws/2004/08/addressing',
  wsman: 'http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd',
  wsmv: 'http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd',
  rsp: 'http://schemas.microsoft.com/wbem/wsman/1/windows/shell',
  wst: 'http://schemas.xmlsoap.org/ws/2004/09/transfer',
  wsen: 'http://schemas.xmlsoap.org/ws/2004/09/enumeration',
  wsmid: 'http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd',
  cfg: 'http://schemas.microsoft.com/wbem/wsman/1/config',
  f: 'http://schemas.microsoft.com/wbem/wsman/1/wsmanfault',
  ps: 'http://schemas.microsoft.com/powershell',
} as const;

/** A prefix of `NS`. */
export type Prefix = keyof typeof NS;

/** Where answers go: back over the same connection. */
export const ANONYMOUS = 'http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous';
/** Resource of shells as such: Enumerate, Get. */
export const SHELL_RESOURCE = 'http://schemas.microsoft.com/wbem/wsman/1/windows/shell';
/** Resource of the commands of a shell: Enumerate with a filter. */
export const COMMAND_RESOURCE = `${SHELL_RESOURCE}/Command`;
/** Resource of the service's configuration: Get, for administrators. */
export const CONFIG_RESOURCE = NS.cfg;
/** Resource of a PowerShell endpoint is this and the name of its configuration. */
export const POWERSHELL_RESOURCE = 'http://schemas.microsoft.com/powershell/';
/** The configuration of Windows PowerShell. */
export const DEFAULT_CONFIGURATION = 'Microsoft.PowerShell';

/** Actions of the shell operations are this and their name. */
export const SHELL_ACTION = `${SHELL_RESOURCE}/`;
/** Actions of Create, Delete and Get. */
export const TRANSFER_ACTION = `${NS.wst}/`;
/** Actions of Enumerate and Pull. */
export const ENUMERATION_ACTION = `${NS.wsen}/`;
/** Actions of answers that are faults. */
export const FAULT_ACTIONS = {
  management: 'http://schemas.dmtf.org/wbem/wsman/1/wsman/fault',
  addressing: 'http://schemas.xmlsoap.org/ws/2004/08/addressing/fault',
} as const;
