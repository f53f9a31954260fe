import { systemClock } from '../../server/src/clock.ts';
import { createSshConnector } from '../../server/src/transports/ssh/connector.ts';
import { transportContract } from '../contracts/transport.ts';
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
