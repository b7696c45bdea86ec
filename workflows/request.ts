import { ApplicationFailure } from '@temporalio/workflow';
import { BackfillRequest, type BackfillInput } from '../src/contracts/request.js';

/** A request to build, see {@link checkedInput}. */
export function requestOf(input: BackfillInput): BackfillRequest {
  return checkedInput(BackfillRequest, input);
}

/**
 * A request as it was sent, checked, with its defaults. What is wrong fails the workflow, with code `bad_request`: another error would fail
 * its task only, which Temporal tries again for ever.
 */
export function checkedInput<Request>(schema: Schema<Request>, input: unknown): Request {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const message = parsed.error.issues.map((issue) => `${issue.path.join('.') || 'input'}: ${issue.message}`).join('; ');
  throw ApplicationFailure.create({ type: 'bad_request', message: message.slice(0, 4000), nonRetryable: true });
}

/** What of a schema is used here. */
interface Schema<Output> {
  safeParse: (input: unknown) =>
    | { readonly success: true; readonly data: Output }
    | {
        readonly success: false;
        readonly error: {
          readonly issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[];
        };
      };
}
