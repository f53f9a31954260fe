/** What a terminal tells a session, put in order: recorded first where it is recorded, delivered behind the output before it. */
import type { ProgressItem, ServerMessage, SessionFacts } from '@sallyport/shared/wire/control';
import { SallyportError } from '../errors.ts';
import type { RecordingWriter } from '../recording/contract.ts';
import type { LeftTerminal, TerminalEnd } from '../terminals/contract.ts';
import type { Commands } from './commands.ts';
import type { OpeningPort } from './contract.ts';
import type { Delivery } from './delivery.ts';
import type { Questions } from './questions.ts';

/** The state of the session that a page is shown when it joins. Changed at delivery, not before. */
export interface Shown {
  facts: SessionFacts;
  step: string;
  /** The prompt that waits for a line. */
  prompt: { readonly lineId: number; readonly text: string } | null;
  title: string | null;
  progress: readonly ProgressItem[];
}

/** What the port needs of its session. */
export interface PortHost {
  readonly sessionId: string;
  readonly delivery: Delivery;
  readonly shown: Shown;
  readonly recording: Pick<RecordingWriter, 'outputBytes'>;
  readonly commands: Commands;
  readonly questions: Questions;
  readonly phase: 'opening' | 'live' | 'ended';
  readonly isEnding: boolean;
  /** How long the target keeps it when it is left; null = as its own settings say. */
  readonly keptMs: number | null;
  leavable(left: LeftTerminal | null): void;
  filesShell(shellId: string): void;
  output(bytes: Uint8Array, lineId: number | null): void;
  broadcast(message: ServerMessage): void;
  finish(end: TerminalEnd): void;
}

/** What is shown around the lines. */
function displayEvents(session: PortHost): Pick<OpeningPort, 'progress' | 'title' | 'clear' | 'notice'> {
  const { delivery, shown } = session;
  return {
    progress: (items) => {
      delivery.ordered(() => {
        shown.progress = items;
        session.broadcast({ type: 'progress', items: [...items] });
      });
    },
    title: (text) => {
      delivery.recorded({ type: 'title', text }, () => {
        shown.title = text;
        session.broadcast({ type: 'title', text });
      });
    },
    clear: () => {
      delivery.recorded({ type: 'clear' }, () => {
        session.broadcast({ type: 'clear' });
      });
    },
    notice: (level, code, text) => {
      delivery.ordered(() => {
        session.broadcast({ type: 'notice', level, code, text });
      });
    },
  };
}

/** The session's ear at its terminal. */
export function openingPort(session: PortHost): OpeningPort {
  const { delivery, shown, recording } = session;
  /** Where the echo of the line that runs next starts. */
  let echoAt: number | null = null;
  /** Taken for running; the target may still give it back. */
  let lastPrompt: { readonly lineId: number; readonly text: string } | null = null;
  const giveBack = (lineId: number) => {
    if (shown.prompt === null && lastPrompt?.lineId === lineId) shown.prompt = lastPrompt;
  };
  const changeFacts = (change: Partial<SessionFacts>) => {
    delivery.ordered(() => {
      shown.facts = { ...shown.facts, ...change };
      session.broadcast({ type: 'facts', facts: shown.facts });
    });
  };
  return {
    sessionId: session.sessionId,
    step: (step) => {
      delivery.ordered(() => {
        shown.step = step;
        session.broadcast({ type: 'phase', phase: 'opening', step });
      });
    },
    facts: changeFacts,
    remote: (remote) => {
      changeFacts({ remote });
    },
    output: (bytes) => {
      session.output(bytes, null);
    },
    echo: (lineId, bytes) => {
      echoAt = recording.outputBytes;
      session.output(bytes, lineId);
    },
    prompt: (lineId, text) => {
      echoAt = null;
      delivery.ordered(() => {
        lastPrompt = { lineId, text };
        shown.prompt = lastPrompt;
        session.broadcast({ type: 'prompt', lineId, text });
      });
    },
    refused: (lineId, code, message) => {
      delivery.ordered(() => {
        giveBack(lineId);
        session.broadcast({ type: 'refused', lineId, code, message });
      });
    },
    incomplete: (lineId, text) => {
      delivery.ordered(() => {
        giveBack(lineId);
        session.broadcast({ type: 'incomplete', lineId, text });
      });
    },
    commandStarting: (start) => {
      if (session.isEnding) return Promise.reject(new SallyportError('bad_state', 'the session is ending'));
      const offset = echoAt ?? recording.outputBytes;
      echoAt = null;
      return session.commands.start(start, offset);
    },
    commandContinuing: (start) => session.commands.continuing(start, recording.outputBytes),
    leavable: (left) => {
      session.leavable(left);
      if ((left === null) === (shown.facts.leavable === undefined)) return;
      changeFacts({ leavable: left === null ? undefined : { keptMs: session.keptMs } });
    },
    filesShell: (shellId) => session.filesShell(shellId),
    ask: (question, signal) => session.questions.ask(question, signal, session.phase === 'opening'),
    ...displayEvents(session),
    ended: (end) => {
      session.finish(end);
    },
  };
}
