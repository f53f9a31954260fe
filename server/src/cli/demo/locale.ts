/** A UTF-8 locale for the shell: the gateway's own when it has one. Without one, what is not ASCII breaks line editors. */
export const utf8Locale = (env: NodeJS.ProcessEnv): string =>
  [env['LC_ALL'], env['LANG']].find((name) => /^[A-Za-z_]{1,16}\.utf-?8$/i.test(name ?? '')) ?? 'C.UTF-8';
