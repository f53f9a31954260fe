/** A session is not entered from within another one: PowerShell refuses it in words that lead nowhere. */
export const ENTERS = /^(?:Enter-PSSession|etsn)(?=\s|$)/i;
/** What is said instead. */
export const NOT_ENTERED =
  'No other machine can be entered from this session; the line was not run. Open that machine through the gateway ("Where to?" takes this very line), or run commands there from here: Invoke-Command -ComputerName NAME -Credential $using:vault:NAME { ... }, or with a credential of Get-Credential.';
