/** What Apache's mod_auth_gssapi is told: `/wsman` for everybody in the realm, `/closed` for somebody else. */
export function gssapiLines(keytab: string): string[] {
  const location = (path: string, who: string): string[] => [
    ...[`<Location ${path}>`, 'AuthType GSSAPI', 'AuthName lab', `GssapiCredStore keytab:${keytab}`],
    ...['GssapiAllowedMech krb5', 'GssapiConnectionBound On', `Require ${who}`, 'Redirect 204 /', '</Location>'],
  ];
  return [...location('/wsman', 'valid-user'), ...location('/closed', 'user somebody-else')];
}
