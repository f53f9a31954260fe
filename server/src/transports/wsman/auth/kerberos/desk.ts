/** Identities and contexts of the Kerberos process, and the order in which requests about them are done. */
import type { Mechanism, MechanismContext, MechanismTickets } from './mechanism.ts';
import type { Answer, Request } from './messages.ts';
import { KerberosRefusal } from './native.ts';

export type Done = Omit<Answer, 'id' | 'refusal'> & { readonly body: readonly Uint8Array[] };
const NOTHING: Done = { body: [] };

const gone = (text: string): KerberosRefusal => new KerberosRefusal({ stage: 'context', major: 0, minor: 0, text });

export class KerberosDesk {
  readonly #mechanism: Mechanism;
  readonly #identities = new Map<number, MechanismTickets>();
  readonly #contexts = new Map<number, MechanismContext>();
  /** The last request of each context (or identity): the next one waits for it. */
  readonly #last = new Map<string, Promise<unknown>>();

  constructor(mechanism: Mechanism) {
    this.#mechanism = mechanism;
  }

  /** @throws KerberosRefusal; anything else is a fault of ours */
  answer(request: Request, body: Uint8Array): Promise<Done> {
    const key = 'context' in request ? `context ${request.context}` : `identity ${request.identity}`;
    const before = this.#last.get(key);
    const now = before === undefined ? this.#do(request, body) : before.then(() => this.#do(request, body));
    const settled = now.then(
      () => undefined,
      () => undefined,
    );
    this.#last.set(key, settled);
    void settled.then(() => {
      if (this.#last.get(key) === settled) this.#last.delete(key);
    });
    return now;
  }

  async #do(request: Request, body: Uint8Array): Promise<Done> {
    switch (request.op) {
      case 'identify':
        return this.#identify(request, body);
      case 'forget':
        this.#identities.get(request.identity)?.forget();
        this.#identities.delete(request.identity);
        return NOTHING;
      case 'begin': {
        const tickets = this.#identities.get(request.identity);
        if (tickets === undefined) throw gone('no such identity');
        const { service, delegation } = request;
        this.#contexts.set(request.context, tickets.begin({ service, delegation, bindings: body }));
        return this.#step(request.context, new Uint8Array());
      }
      case 'step':
        return this.#step(request.context, body);
      case 'end':
        this.#contexts.get(request.context)?.close();
        this.#contexts.delete(request.context);
        return NOTHING;
      default:
        return this.#message(request, body);
    }
  }

  #message(request: Request & { op: 'seal' | 'unseal' | 'sign' | 'verify' }, body: Uint8Array): Done {
    const context = this.#context(request.context);
    switch (request.op) {
      case 'seal': {
        const { header, padding } = context.seal(body);
        return { header: header.length, body: [header, body, padding] };
      }
      case 'unseal':
        return { body: [context.unseal(body)] };
      case 'sign':
        return { body: [context.sign(body)] };
      case 'verify':
        context.verify(body.slice(0, request.signature), body.slice(request.signature));
        return NOTHING;
    }
  }

  async #identify(request: Request & { op: 'identify' }, body: Uint8Array): Promise<Done> {
    // The library wants the password with a NUL behind it.
    const password = new Uint8Array(new ArrayBuffer(body.length + 1));
    password.set(body);
    body.fill(0);
    try {
      const tickets = await this.#mechanism.getTickets(request.source, password);
      this.#identities.set(request.identity, tickets);
      return { lifetimeS: tickets.lifetimeS, body: [] };
    } finally {
      password.fill(0);
    }
  }

  async #step(id: number, token: Uint8Array): Promise<Done> {
    const { token: next, state } = await this.#context(id).step(token);
    return { state, body: [next] };
  }

  #context(id: number): MechanismContext {
    const context = this.#contexts.get(id);
    if (context === undefined) throw gone('no such context');
    return context;
  }
}
