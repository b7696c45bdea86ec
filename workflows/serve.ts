import { ApplicationFailure, isCancellation, log, setHandler } from '@temporalio/workflow';
import type { PublicMessage } from './messages.js';

/** A refusal may quote what was sent, or name a thousand datasets. */
const MESSAGE_MAX = 4000;

interface Serving<Answer> {
  /** Why it makes no sense, or not now; undefined where it does. */
  readonly complaint: (input: unknown) => string | undefined;
  readonly act: (input: unknown) => Promise<Answer>;
}

/** Serves a public message, as a signal and as an update. */
export function serveMessage<Answer>(
  name: string,
  { signal, update, description }: PublicMessage<Answer>,
  { complaint, act }: Serving<Answer>,
): void {
  setHandler(
    signal,
    async (input) => {
      // A signal that makes no sense now is dropped: nobody hears an answer. The update of the same name refuses it. An error that
      // left a signal's handler would end the whole workflow.
      if (complaint(input) !== undefined) return;
      await act(input).catch((error: unknown) => {
        if (!isCancellation(error)) log.warn('a signal was not carried out', { name, error: String(error) });
      });
    },
    { description },
  );
  setHandler(update, act, {
    description,
    validator: (input): void => {
      const message = complaint(input);
      if (message !== undefined)
        throw ApplicationFailure.create({
          type: 'message_refused',
          message: message.slice(0, MESSAGE_MAX),
          nonRetryable: true,
        });
    },
  });
}
