import type { OperationStatus } from '../../contracts/operation.ts';

/** What is wrong with an operation, task by task. */
export const troubleOf = (status: OperationStatus): string =>
  [
    `operation ${status.operationId} is ${status.state}`,
    ...(status.error ? [`${status.error.code} ${status.error.message}\n${status.error.evidence ?? ''}`.trim()] : []),
    ...status.tasks.flatMap(({ phase, host, error }) =>
      error ? [`${phase} on ${host}: ${error.code} ${error.message}\n${error.evidence ?? ''}`.trim()] : [],
    ),
  ].join('\n');
