/** UTF-16LE without a mark and without an end. */
export function utf16(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length * 2);
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    bytes[2 * i] = unit & 255;
    bytes[2 * i + 1] = unit >>> 8;
  }
  return bytes;
}

/** Text of UTF-16LE bytes; an odd byte at the end is dropped. Lone surrogates stay as they are. */
export function fromUtf16(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i + 1 < bytes.length; i += 2)
    text += String.fromCharCode((bytes[i] ?? 0) | ((bytes[i + 1] ?? 0) << 8));
  return text;
}

/**
 * Upper case as Windows has it for account names: unit by unit, no rules of a language, nothing grows (`ß` stays). Units
 * that do not come back when lowered stay too (`ı`, `ſ`, `µ`), but for the final sigma.
 */
export function upperUnits(text: string): string {
  let upper = '';
  for (let i = 0; i < text.length; i++) {
    const unit = text.charAt(i);
    const raised = unit.toUpperCase();
    upper += raised.length === 1 && (raised.toLowerCase() === unit || unit === 'ς') ? raised : unit;
  }
  return upper;
}
