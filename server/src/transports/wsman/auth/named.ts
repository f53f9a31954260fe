import { WsManError } from '@sallyport/wsman';
import { isErrorCode } from '@sallyport/shared/error-codes';
import { SallyportError } from '../../../errors.ts';

/** Runs a step of the codec's sign-in; its refusals get their code here. @throws SallyportError */
export function named<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof WsManError)) throw error;
    const code = isErrorCode(error.code) ? error.code : 'internal';
    throw new SallyportError(code, `signing in: ${error.message}`, { cause: error });
  }
}
