import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Input, Label, TextField } from 'react-aria-components';
import { quorumProblem } from '../../../../contracts/quorum.ts';
import { ask, path } from '../../lib/api.ts';
import { keys } from '../../lib/events.ts';
import type { BlockedHost, OperationDetail } from '../../lib/models.ts';
import { useMay } from '../../lib/session.ts';
import { useTexts } from '../../lib/texts.ts';
import { Confirm } from '../../parts/confirm.tsx';
import { HostLines, HostText } from '../../parts/host-text.tsx';
import parts from '../../parts/parts.module.css';
import texts from '../../texts/cluster.ts';
import styles from './cluster.module.css';

/** Sends commands about the operation that the page shows: refused when it is another one by then, or has changed. */
function useSend(operation: OperationDetail, etag: string | undefined) {
  const cache = useQueryClient();
  const { cluster, operationId } = operation;
  return async (to: string, body: object, { onView = false } = {}) => {
    await ask(path`/clusters/${cluster}` + to, {
      method: 'POST',
      body: { operation: operationId, ...body },
      ifMatch: onView ? etag : undefined,
    });
    await cache.invalidateQueries({ queryKey: keys.operation(cluster, operationId) });
    await cache.invalidateQueries({ queryKey: keys.cluster(cluster) });
  };
}

interface Shown {
  operation: OperationDetail;
  etag: string | undefined;
}

/** Pause, interrupt, resume, cancel: those that the state of the operation allows. */
export function OperationActions({ operation, etag }: Shown) {
  const t = useTexts(texts);
  const send = useSend(operation, etag);
  const may = useMay('operator');
  const { state } = operation;
  const over = ['succeeded', 'failed', 'cancelled', 'lost'].includes(state);
  if (!may || over) return null;
  const runs = ['planning', 'running', 'blocked'].includes(state);
  return (
    <div className={styles['tools']}>
      {runs && (
        <Confirm label={t.drain} says={t.drainSays} act={(reason) => send('/pause', { mode: 'drain', reason })} />
      )}
      {(runs || state === 'pausing') && (
        <Confirm
          label={t.interrupt}
          says={t.interruptSays}
          act={(reason) => send('/pause', { mode: 'interrupt', reason })}
        />
      )}
      {(state === 'paused' || state === 'pausing') && (
        <Confirm kind="primary" label={t.resume} says={t.resumeSays} act={(reason) => send('/resume', { reason })} />
      )}
      <Confirm kind="danger" label={t.cancel} says={t.cancelSays} act={(reason) => send('/cancel', { reason })} />
    </div>
  );
}

/** What a blocked host waits for, and the decisions about it, each with what it will do. */
export function BlockedCard({ operation, etag, blocked }: Shown & { blocked: BlockedHost }) {
  const t = useTexts(texts);
  const send = useSend(operation, etag);
  const may = useMay('operator');
  const [address, setAddress] = useState('');
  const [port, setPort] = useState('');
  const [user, setUser] = useState('');
  const [machine, setMachine] = useState('');
  const { host, phase, code, cause, evidence, hint, blames, policy } = blocked;
  const to = (action: string) => path`/hosts/${host}/${action}`;
  const { plan } = operation;
  const broken = plan ? quorumProblem(plan.quorum, new Set([...operation.quarantinedHosts, host])) : null;
  const ssh = { ...(port === '' ? {} : { port: Number(port) }), ...(user === '' ? {} : { user }) };
  // A decision is about what the card shows: refused when the operation has changed since.
  const onView = { onView: true };
  return (
    <article className={`${parts['card']} ${styles['blocked']}`}>
      <h3>
        <HostText>{`${host} · ${phase}`}</HostText> <code className={styles['failed']}>{code}</code>
      </h3>
      <p>
        <HostText>{cause}</HostText>
      </p>
      {blames && blames.length > 0 && (
        <p>
          {t.blames} <HostText>{blames.join(', ')}</HostText>
        </p>
      )}
      {evidence && <HostLines label={t.evidence}>{evidence}</HostLines>}
      <p>
        <strong>{t.hint}</strong> {hint}
      </p>
      {policy && (
        <p className={parts['muted']}>
          <HostText>{policy}</HostText>
        </p>
      )}
      {may && (
        <div className={styles['tools']}>
          <Confirm
            kind="primary"
            label={t.retry}
            says={t.retrySays(host)}
            act={(reason) => send(to('retry'), { reason }, onView)}
          />
          <Confirm
            label={t.correct}
            says={t.correctSays(host)}
            act={(reason) =>
              send(
                to('retry'),
                { reason, ...(address === '' ? {} : { address }), ...(Object.keys(ssh).length > 0 ? { ssh } : {}) },
                onView,
              )
            }
          >
            <Field label={t.address} value={address} onChange={setAddress} />
            <Field label={t.port} value={port} onChange={setPort} numeric />
            <Field label={t.user} value={user} onChange={setUser} />
          </Confirm>
          <Confirm
            label={t.skip}
            says={plan && !broken ? `${t.skipSays(host)} ${t.quorumAllows}` : t.skipSays(host)}
            refused={broken ? `${t.quorumForbids} ${broken.message}` : null}
            act={(reason) => send(to('skip'), { reason }, onView)}
          />
          <Confirm
            label={t.replace}
            says={t.replaceSays(host)}
            act={(reason) => send(to('replace'), { reason, address: machine }, onView)}
          >
            <Field label={t.newAddress} value={machine} onChange={setMachine} required />
          </Confirm>
          <Confirm
            kind="danger"
            label={t.abort}
            says={t.abortSays}
            act={(reason) => send(to('abort'), { reason }, onView)}
          />
        </div>
      )}
    </article>
  );
}

function Field({
  label,
  value,
  onChange,
  required = false,
  numeric = false,
}: {
  label: string;
  value: string;
  onChange: (value: string) => void;
  required?: boolean;
  numeric?: boolean;
}) {
  return (
    <TextField className={parts['field'] ?? ''} value={value} onChange={onChange} isRequired={required} maxLength={253}>
      <Label>{label}</Label>
      <Input {...(numeric ? { inputMode: 'numeric' as const, pattern: '[0-9]{1,5}' } : {})} />
    </TextField>
  );
}
