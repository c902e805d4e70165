import proto from '@temporalio/proto';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { temporalGateway } from '../../api/temporal-client.ts';
import { clusterWorkflowId, operationWorkflowId } from '../../contracts/messages.ts';
import { TEST_CONVERTER } from '../support/temporal-codec.ts';
import { Harness } from '../support/temporal-harness.ts';
import { sameHost } from '../support/temporal-plan.ts';

const { History } = proto.temporal.api.history.v1;

let harness: Harness;
beforeAll(async () => {
  harness = await Harness.create();
  await harness.work();
});
afterAll(async () => {
  await harness?.close();
});

it('no payload in Temporal is stored in clear, and the API reads all of them', async () => {
  expect(inject('temporalAddress')).not.toBe('');
  const cluster = harness.cluster([
    { name: 'one', hosts: ['telltale-host'] },
    { name: 'two', hosts: ['telltale-host'], needs: [sameHost('one')] },
  ]);
  cluster.world.failing('two:telltale-host', 'COMMAND_FAILED', true);
  const { operationId } = await cluster.submit({ actor: { name: 'telltale-person', role: 'admin' } });
  await cluster.projected((status) => status.state === 'blocked');

  const { workflowService } = harness.client;
  const stored = await Promise.all(
    [clusterWorkflowId(cluster.name), operationWorkflowId(cluster.name, operationId)].map(async (workflowId) => {
      const execution = { workflowId };
      const { history } = await workflowService.getWorkflowExecutionHistory({
        namespace: harness.namespace,
        execution,
      });
      expect(history!.events!.length).toBeGreaterThan(3);
      return Buffer.from(History.encode(history!).finish()).toString('latin1');
    }),
  );
  // Activity ids, search attributes and types are outside every codec: the host's name is in both of the first.
  for (const words of ['telltale-person', 'is made to fail', 'specRef', 'planVersion', 'changeCount', 'two on tell']) {
    expect(stored.join(), words).not.toContain(words);
  }
  expect(stored.join()).toContain('encryption-key-id');

  const gateway = temporalGateway(harness.client.connection as never, {
    namespace: harness.namespace,
    dataConverter: TEST_CONVERTER,
  });
  const { events } = await gateway.history(cluster.name, operationId);
  expect(events.find(({ type }) => type === 'ActivityTaskFailed')).toMatchObject({
    phase: 'two',
    host: 'telltale-host',
    error: 'two:telltale-host is made to fail',
  });
  expect(events.map(({ summary }) => summary)).toContain('two on telltale-host');
  await cluster.cancel();
  await cluster.result(operationId);
});
