import { systemClock } from '../../server/src/clock.ts';
import { poolOverBytes } from '../../server/src/terminals/powershell/byte-pool.ts';
import { createSshConnector } from '../../server/src/transports/ssh/connector.ts';
import { poolContract } from '../contracts/pool.ts';
import { transportContract } from '../contracts/transport.ts';
import { buildStandIn } from '../lab/powershell.ts';
import { connectLab, LabPort, labIdentity, labRequest } from '../lab/ssh-target.ts';
import { startSshd } from '../lab/sshd.ts';

transportContract('ssh', async () => {
  const lab = await startSshd({ subsystems: { echo: '/bin/cat' } });
  return {
    connect: () => connectLab(lab),
    connectAborted: () =>
      createSshConnector({ clock: systemClock }).connect(
        labRequest(lab, labIdentity(lab)),
        new LabPort(),
        AbortSignal.abort(),
      ),
    echoSubsystem: 'echo',
    stop: () => lab.stop(),
  };
});

poolContract('SSH', async () => {
  const standIn = await buildStandIn();
  const lab = await startSshd({ subsystem: standIn.command });
  return {
    async connect() {
      const connection = await connectLab(lab);
      const openPool = poolOverBytes((events) => connection.openSubsystem('powershell', events));
      return { openPool, close: () => connection.close() };
    },
    connectAborted: () =>
      createSshConnector({ clock: systemClock }).connect(
        labRequest(lab, labIdentity(lab)),
        new LabPort(),
        AbortSignal.abort(),
      ),
    async stop() {
      await lab.stop();
      standIn.remove();
    },
  };
});
