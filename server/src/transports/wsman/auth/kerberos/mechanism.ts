/**
 * What the Kerberos process needs of the machine it runs on: GSSAPI where there is MIT Kerberos, SSPI on Windows. The
 * gateway knows neither.
 */
import type { ContextState, Delegation, TicketSource } from './messages.ts';

/** One security context. RFC 4121; every method throws KerberosRefusal. */
export interface MechanismContext {
  /** @param token of the peer; empty at first */
  step(token: Uint8Array): Promise<{ token: Uint8Array; state: ContextState }>;
  /** Seals in place. @returns header, and padding that belongs behind the bytes */
  seal(bytes: Uint8Array): { header: Uint8Array; padding: Uint8Array };
  /** Opens in place. @param bytes header and sealed bytes in one. @returns the plain part of them */
  unseal(bytes: Uint8Array): Uint8Array;
  sign(bytes: Uint8Array): Uint8Array;
  verify(signature: Uint8Array, bytes: Uint8Array): void;
  /** Idempotent. */
  close(): void;
}
export interface MechanismOptions {
  /** Host-based name, `HTTP@host`. */
  readonly service: string;
  readonly delegation: Delegation;
  /** Application data of the channel bindings; empty = none. */
  readonly bindings: Uint8Array;
}
/** One identity. */
export interface MechanismTickets {
  /** How long they hold, in seconds. */
  readonly lifetimeS: number;
  begin(options: MechanismOptions): MechanismContext;
  /** Removes them from memory. */
  forget(): void;
}
export interface Mechanism {
  /** @param password with a NUL behind it; the caller wipes it. @throws KerberosRefusal */
  getTickets(source: TicketSource, password: Uint8Array): Promise<MechanismTickets>;
}
