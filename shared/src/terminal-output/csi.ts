/**
 * Which control sequences may reach a screen: an allow list, so that what a later terminal adds stays out until somebody
 * decides. security.md section 3, Terminal output policy.
 */
const code = (text: string): number => text.charCodeAt(0);
const key = (prefix: number, intermediate: number, final: number): number =>
  (prefix << 16) | (intermediate << 8) | final;

function allow(prefix: string, intermediate: string, finals: string): number[] {
  const p = prefix === '' ? 0 : code(prefix);
  const i = intermediate === '' ? 0 : code(intermediate);
  return Array.from(finals, (final) => key(p, i, code(final)));
}

/**
 * Left out on purpose: `t` (window operations, title reports), `i` (printing), `y` (checksums of the screen), `> q`
 * (terminal name), `= c`, `x`, `$ u`, `$ w` (state reports).
 */
const ALLOWED = new Set([
  ...allow('', '', '@ABCDEFGHIJKLMPSTXZ`abcdefghlmnrsu'),
  ...allow('?', '', 'JKhlnrsu'),
  ...allow('>', '', 'cmnu'),
  ...allow('<', '', 'u'),
  ...allow('=', '', 'u'),
  ...allow('', ' ', 'q@A'),
  ...allow('', '!', 'p'),
  ...allow('', '"', 'q'),
  ...allow('', '$', 'p'),
  ...allow('?', '$', 'p'),
  ...allow('', "'", '}~'),
]);

/** Longest CSI that is passed, in bytes: far above what any program writes, and xterm reads 32 parameters. */
export const MAX_CSI_BYTES = 1024;

/**
 * Judges one CSI.
 * @param bytes holds the part after `ESC [`, final byte included, from `start` to `end`
 */
export function isAllowedCsi(bytes: ArrayLike<number>, start: number, end: number): boolean {
  if (end - start > MAX_CSI_BYTES) return false;
  let at = start;
  let prefix = 0;
  const first = bytes[at] ?? 0;
  if (first >= 0x3c && first <= 0x3f) {
    prefix = first;
    at += 1;
  }
  while (at < end - 1 && isParameter(bytes[at] ?? 0)) at += 1;
  const intermediate = at < end - 1 ? (bytes[at] ?? 0) : 0;
  if (at < end - 2) return false;
  return ALLOWED.has(key(prefix, intermediate, bytes[end - 1] ?? 0));
}

/** A digit, `:` or `;`. */
const isParameter = (byte: number): boolean => byte >= 0x30 && byte <= 0x3b;

const ESCAPES = new Set(Array.from('78DEHMNO=>cno|}~', code));
const CHARSETS = new Set(Array.from('()*+-./', code));

/** Judges `ESC` + intermediates + final. `ESC Z` (asks who the terminal is) and `ESC SP F/G` are not in it. */
export function isAllowedEscape(intermediates: readonly number[], final: number): boolean {
  if (intermediates.length === 0) return ESCAPES.has(final);
  if (intermediates.length > 1) return false;
  const [first = 0] = intermediates;
  if (CHARSETS.has(first)) return true;
  if (first === code('#')) return final >= code('3') && final <= code('8');
  return first === code('%') && (final === code('G') || final === code('@'));
}

/** C1 controls that move the cursor and nothing else: IND, NEL, HTS, RI, SS2, SS3. */
export const ALLOWED_C1: ReadonlySet<number> = new Set([0x84, 0x85, 0x88, 0x8d, 0x8e, 0x8f]);
