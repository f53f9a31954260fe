/**
 * The import law (CONTRIBUTING.md "Where things are"). One row per room; a room may import itself, the rooms
 * in its row, and the rooms open to all. Anything else, and any cycle, fails `npm run check`.
 */
const LAW = {
  errors: [],
  clock: [],
  random: [],
  secret: [],
  log: [],
  metrics: [],
  config: [],
  storage: [],
  policy: [],
  audit: ['storage'],
  recording: ['storage'],
  targets: ['storage'],
  vault: ['storage', 'audit'],
  identity: ['storage', 'audit'],
  transports: [],
  host: [],
  terminals: ['host', 'transports/contract'],
  ledger: ['storage'],
  broker: ['terminals/contract', 'targets', 'policy', 'vault', 'audit', 'recording', 'ledger'],
  ws: ['broker', 'identity', 'policy', 'targets', 'audit', 'recording', 'ledger', 'vault'],
  http: ['broker', 'identity', 'policy', 'targets', 'audit', 'recording', 'ledger', 'vault'],
};
const OPEN_TO_ALL = ['errors', 'log', 'metrics', 'clock', 'random', 'secret'];
/** Rooms that may speak PSRP; WS-Management is for the transports alone. */
const PSRP_ROOMS = ['transports', 'host', 'terminals'];

const room = (name) => `^server/src/${name}(/|\\.ts$)`;
const allowed = (name, others) =>
  `^server/src/(${[name, ...OPEN_TO_ALL, ...others].map((r) => `${r}(/|\\.ts$)`).join('|')})`;

module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    ...Object.entries(LAW).map(([name, others]) => ({
      name: `room-${name}`,
      comment: `${name} may import: ${[...OPEN_TO_ALL, ...others].join(', ')}`,
      severity: 'error',
      from: { path: room(name), pathNot: '\\.test\\.ts$' },
      to: { path: '^server/src/', pathNot: allowed(name, others) },
    })),
    {
      name: 'psrp-is-for-few',
      severity: 'error',
      from: {
        path: '^server/src/',
        pathNot: `^server/src/(${[...PSRP_ROOMS, 'app', 'main', 'cli'].join('|')})|\\.test\\.ts$`,
      },
      to: { path: '^server/psrp/' },
    },
    {
      name: 'wsman-is-for-transports',
      severity: 'error',
      from: { path: '^server/src/', pathNot: '^server/src/(transports|app|main|cli)|\\.test\\.ts$' },
      to: { path: '^server/wsman/' },
    },
    {
      name: 'wsman-stands-alone',
      severity: 'error',
      from: { path: '^server/wsman/src', pathNot: '\\.test\\.ts$' },
      to: { pathNot: '^server/wsman/src' },
    },
    {
      name: 'codec-stands-alone',
      severity: 'error',
      from: { path: '^server/psrp/src', pathNot: '\\.test\\.ts$' },
      to: { pathNot: '^server/psrp/src' },
    },
    {
      name: 'shared-stands-alone',
      severity: 'error',
      from: { path: '^shared/src', pathNot: '\\.test\\.ts$' },
      to: { pathNot: '^shared/src|node_modules/zod' },
    },
    {
      name: 'editor-imports-nothing',
      severity: 'error',
      from: { path: '^shared/src/editor/', pathNot: '\\.test\\.ts$' },
      to: { pathNot: '^shared/src/editor/' },
    },
    {
      name: 'web-sees-only-shared',
      severity: 'error',
      from: { path: '^web/src' },
      to: { path: '^(server|test)/' },
    },
    {
      name: 'web-loads-no-schemas',
      comment: 'zod makes functions of text, which the content security policy refuses: types only',
      severity: 'error',
      from: { path: '^web/src', pathNot: '\\.test\\.ts$' },
      to: { path: '^shared/src/api/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'product-never-imports-tests',
      severity: 'error',
      from: { path: '^(shared|server|web)/.*src', pathNot: '\\.test\\.ts$' },
      to: { path: '^test/' },
    },
    {
      name: 'nothing-imports-the-root',
      comment: 'app, main and cli join the rooms; a room that needs something from above declares an interface',
      severity: 'error',
      from: { path: '^server/src/', pathNot: '^server/src/(app|main|cli)|\\.test\\.ts$' },
      to: { path: '^server/src/(app|main|cli)' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)(dist|\\.cache)/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.base.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'types', 'default'],
      extensions: ['.ts', '.js', '.mjs', '.svelte'],
    },
  },
};
