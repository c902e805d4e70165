import type { OperationStatus } from '../../contracts/operation.ts';

/** What is wrong with an operation, task by task. */
export const troubleOf = (status: OperationStatus): string =>
  [
    `operation ${status.operationId} is ${status.state}`,
    ...status.tasks.flatMap(({ phase, host, error }) =>
      error ? [`${phase} on ${host}: ${error.code} ${error.message}\n${error.evidence ?? ''}`.trim()] : [],
    ),
  ].join('\n');
