import type { Account, GatewayState } from '@sallyport/shared/api/account';
import { getAccount, getState } from '../api/account.ts';

/** Who is signed in, and what the gateway says before that. */
class AccountState {
  gateway = $state.raw<GatewayState | null>(null);
  me = $state.raw<Account | null>(null);
  /** True when the sign-in ended under the page's feet, so that the sign-in page can say so. */
  hasEnded = $state(false);

  /** Asks the gateway both. @throws ApiError */
  async load(): Promise<void> {
    this.gateway = await getState();
    this.me = this.gateway.signedIn ? await getAccount() : null;
    if (this.me !== null) this.hasEnded = false;
  }

  /** The gateway says that nobody is signed in any more. */
  signedOut(byTheGateway: boolean): void {
    this.hasEnded = byTheGateway && this.me !== null;
    this.me = null;
  }

  /** Whether to show an act at all. The gateway decides again when it is done. */
  may(action: string): boolean {
    return this.me?.actions.includes(action) ?? false;
  }
}

/** The one account of the page. */
export const account = new AccountState();
