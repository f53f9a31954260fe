/** Taking up a shell: what the target says of it first. With a lab's service: test/integration/wsman-left.test.ts. */
import { ClientPool } from '@sallyport/psrp';
import type { ShellInfo } from '@sallyport/wsman';
import { expect, it } from 'vitest';
import { rejoin } from './rejoin.ts';
import type { TargetShells } from './target-shells.ts';

it('takes no other shell than the one that was asked for, however the target reads its id', async () => {
  const asked: string[] = [];
  const shells = {
    get: (shellId: string) => {
      asked.push(shellId);
      return Promise.resolve({ shellId: 'AAAA-1', state: 'Disconnected' } as ShellInfo);
    },
  } as unknown as TargetShells;
  const pool = new ClientPool({ poolId: '00000000-0000-4000-8000-000000000001', newId: () => '' });
  const left = { shellId: '{aaaa-1}', poolId: 'p', holder: null };
  const pause = () => Promise.resolve();
  await expect(rejoin(left, { shells, pool, pause })).rejects.toMatchObject({ code: 'target_shell_gone' });
  expect(asked).toEqual(['{aaaa-1}']);
});
