import { WorkflowNotFoundError, type Client } from '@temporalio/client';

/** Identity of the client that started a workflow. For the journal alone: a server that does not answer now keeps no backfill from its start. */
export async function starterOf({ workflowService, options }: Client, workflowId: string): Promise<string | null> {
  try {
    const { history } = await workflowService.getWorkflowExecutionHistory({
      namespace: options.namespace,
      execution: { workflowId },
      maximumPageSize: 1,
    });
    const identity = history?.events?.[0]?.workflowExecutionStartedEventAttributes?.identity ?? '';
    return identity === '' ? null : identity;
  } catch {
    return null;
  }
}

export async function stateOf(client: Client, workflowId: string): Promise<'open' | 'closed' | 'unknown'> {
  try {
    const { status } = await client.workflow.getHandle(workflowId).describe();
    return status.name === 'RUNNING' || status.name === 'PAUSED' ? 'open' : 'closed';
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return 'unknown';
    throw error;
  }
}
