import { useQuery } from '@tanstack/react-query';
import { Link, useParams } from '@tanstack/react-router';
import { useMemo, useState } from 'react';
import type { TaskStatus } from '../../../../contracts/status.ts';
import { ask, path } from '../../lib/api.ts';
import { keys } from '../../lib/events.ts';
import { clock, duration } from '../../lib/format.ts';
import type { ClusterDetail, OperationDetail } from '../../lib/models.ts';
import { readOperation } from '../../lib/read-operation.ts';
import { useLanguage, useTexts } from '../../lib/texts.ts';
import { expectedRest, timelineOf } from '../../lib/timeline.ts';
import { useNow } from '../../lib/use-now.ts';
import { Button } from '../../parts/button.tsx';
import { HostText } from '../../parts/host-text.tsx';
import parts from '../../parts/parts.module.css';
import { ProblemBox } from '../../parts/problem.tsx';
import { Progress } from '../../parts/progress.tsx';
import { StateBadge } from '../../parts/state-badge.tsx';
import { Pending } from '../../shell/fallbacks.tsx';
import texts from '../../texts/cluster.ts';
import { BlockedCard, OperationActions } from './actions.tsx';
import styles from './cluster.module.css';
import { Console } from './console.tsx';
import { TaskTable } from './task-table.tsx';
import { Timeline } from './timeline.tsx';

export default function Cluster() {
  const { name = '' } = useParams({ strict: false });
  const t = useTexts(texts);
  const cluster = useQuery({
    queryKey: keys.cluster(name),
    queryFn: ({ signal }) => ask<ClusterDetail>(path`/clusters/${name}`, { signal }),
  });
  const detail = cluster.data?.body;
  const id = detail?.operation;
  const operation = useQuery({
    queryKey: keys.operation(name, id ?? ''),
    queryFn: ({ signal }) => readOperation(name, id ?? '', signal),
    enabled: typeof id === 'string',
  });
  const error = cluster.error ?? operation.error;
  return (
    <>
      <nav>
        <Link to="/">‹ {t.all}</Link>
      </nav>
      <h1 className={styles['title']}>
        {name} {detail && <StateBadge state={detail.state} />}
      </h1>
      {error && <ProblemBox error={error} />}
      {!detail && !error && <Pending />}
      {detail && id === null && <p>{t.noOperation}</p>}
      {operation.data && (
        <Operation operation={operation.data.body} etag={operation.data.etag} blocked={detail?.blockedHosts ?? []} />
      )}
    </>
  );
}

function Operation({
  operation,
  etag,
  blocked,
}: {
  operation: OperationDetail;
  etag: string | undefined;
  blocked: ClusterDetail['blockedHosts'];
}) {
  const t = useTexts(texts);
  const language = useLanguage();
  const now = useNow(1_000);
  const [filter, setFilter] = useState('');
  const [asTable, setAsTable] = useState(false);
  const [picked, setPicked] = useState<TaskStatus | null>(null);
  const { tasks, plan = null, startedAt, endedAt, kind, actor, state, pause, cluster, operationId } = operation;
  const shown = useMemo(
    () => (filter === '' ? tasks : tasks.filter(({ host }) => host.includes(filter.trim()))),
    [tasks, filter],
  );
  const picture = useMemo(() => timelineOf(shown, plan), [shown, plan]);
  const rest = endedAt === undefined ? expectedRest(tasks, plan, now) : null;
  const task = picked && (tasks.find(({ phase, host }) => phase === picked.phase && host === picked.host) ?? picked);
  return (
    <>
      <section className={`${parts['card']} ${styles['header']}`}>
        <div className={styles['head']}>
          <p>
            <strong>{kind}</strong> · {t.by} <HostText>{actor}</HostText> <StateBadge state={state} />{' '}
            {startedAt && `${t.elapsed} ${duration((endedAt ? Date.parse(endedAt) : now) - Date.parse(startedAt))}`}
            {rest !== null && ` · ${t.rest(duration(rest))}`}
          </p>
          <OperationActions operation={operation} etag={etag} />
        </div>
        {pause && (
          <p>
            {t.pausedBy} <HostText>{pause.by}</HostText>, {clock(pause.at, now, language)}
            {pause.reason && (
              <>
                : <HostText>{pause.reason}</HostText>
              </>
            )}
          </p>
        )}
        <Progress counts={operation.taskCounts} label={t.progress} />
        {operation.error && (
          <p className={styles['failed']}>
            <code>{operation.error.code}</code> <HostText>{operation.error.message}</HostText>
          </p>
        )}
      </section>
      {blocked.length > 0 && (
        <section className={styles['cards']} aria-label={t.blockedTitle}>
          <h2>{t.blockedTitle}</h2>
          {blocked.slice(0, 50).map((each) => (
            <BlockedCard key={`${each.host} ${each.phase}`} operation={operation} etag={etag} blocked={each} />
          ))}
        </section>
      )}
      <section className={parts['card']} aria-label={t.timeline}>
        <div className={styles['head']}>
          <h2>{t.timeline}</h2>
          <div className={styles['tools']}>
            <input
              type="search"
              aria-label={t.filter}
              placeholder={t.filter}
              value={filter}
              onChange={(event) => setFilter(event.target.value)}
            />
            <Button onPress={() => setAsTable(!asTable)}>{asTable ? t.picture : t.table}</Button>
          </div>
        </div>
        {picture.begin === null && <p className={parts['muted']}>{t.noTasks}</p>}
        {asTable ? (
          <TaskTable tasks={shown} onPick={setPicked} />
        ) : (
          <Timeline picture={picture} endedAt={endedAt} onPick={setPicked} />
        )}
      </section>
      {task && <Console cluster={cluster} operation={operationId} task={task} onClose={() => setPicked(null)} />}
    </>
  );
}
