/** What NTLM needs of Node. HMAC-MD5 does not exist in FIPS mode; then NTLM does not either. */
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { toFileTime } from '@sallyport/wsman';
import type { NtlmPrimitives } from '@sallyport/wsman';
import { SallyportError } from '../../../errors.ts';

/** @throws SallyportError ntlm_unavailable when the platform has no MD5 */
export function ntlmPrimitives(now: () => number, hmac: typeof createHmac = createHmac): NtlmPrimitives {
  try {
    hmac('md5', Buffer.alloc(1)).update(Buffer.alloc(1)).digest();
  } catch (cause) {
    throw new SallyportError('ntlm_unavailable', 'ntlm is unavailable: fips', { cause });
  }
  return {
    md5(...parts) {
      const hash = createHash('md5');
      for (const part of parts) hash.update(part);
      return hash.digest();
    },
    hmacMd5(key, ...parts) {
      const mac = hmac('md5', key);
      for (const part of parts) mac.update(part);
      return mac.digest();
    },
    random: (length) => randomBytes(length),
    fileTime: () => toFileTime(now()),
  };
}
