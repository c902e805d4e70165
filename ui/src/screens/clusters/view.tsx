import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { ask, path, read } from '../../lib/api.ts';
import { keys } from '../../lib/events.ts';
import { ago } from '../../lib/format.ts';
import type { ClusterSummary, OperationDetail, Page } from '../../lib/models.ts';
import { useLanguage, useTexts } from '../../lib/texts.ts';
import { useNow } from '../../lib/use-now.ts';
import { Button } from '../../parts/button.tsx';
import { HostText } from '../../parts/host-text.tsx';
import parts from '../../parts/parts.module.css';
import { ProblemBox } from '../../parts/problem.tsx';
import { Progress } from '../../parts/progress.tsx';
import { StateBadge } from '../../parts/state-badge.tsx';
import { Pending } from '../../shell/fallbacks.tsx';
import texts from '../../texts/clusters.ts';
import styles from './clusters.module.css';

/** Period of reading the progress of an operation that runs, ms. */
const PROGRESS_MS = 2_000;

export default function Clusters() {
  const t = useTexts(texts);
  const { data, error, hasNextPage, fetchNextPage, isFetchingNextPage } = useInfiniteQuery({
    queryKey: keys.clusters,
    queryFn: ({ signal, pageParam }) =>
      read<Page<ClusterSummary>>(
        `/clusters?limit=50${pageParam ? `&cursor=${encodeURIComponent(pageParam)}` : ''}`,
        signal,
      ),
    initialPageParam: '',
    getNextPageParam: ({ next }) => next,
  });
  const clusters = data?.pages.flatMap(({ items }) => items);
  return (
    <>
      <h1>{t.title}</h1>
      {error && <ProblemBox error={error} />}
      {!clusters && !error && <Pending />}
      {clusters?.length === 0 && <p className={parts['card']}>{t.none}</p>}
      <ul className={styles['list']}>
        {clusters?.map((cluster) => (
          <li key={cluster.name}>
            <Cluster cluster={cluster} />
          </li>
        ))}
      </ul>
      {hasNextPage && (
        <div>
          <Button onPress={() => void fetchNextPage()} isDisabled={isFetchingNextPage}>
            {t.more}
          </Button>
        </div>
      )}
    </>
  );
}

function Cluster({ cluster }: { cluster: ClusterSummary }) {
  const t = useTexts(texts);
  const language = useLanguage();
  const now = useNow(10_000);
  const { name, state, health, kubernetesVersion, hostCount, updatedAt, operation: id } = cluster;
  const { data } = useQuery({
    queryKey: keys.progress(name, id ?? ''),
    queryFn: ({ signal }) => ask<OperationDetail>(path`/clusters/${name}/operations/${id!}`, { signal }),
    enabled: id !== null,
    refetchInterval: ({ state: { data: found } }) => (found && found.body.endedAt === undefined ? PROGRESS_MS : false),
  });
  const operation = data?.body;
  return (
    <article className={`${parts['card']} ${styles['cluster']}`}>
      <div className={styles['head']}>
        <Link to="/clusters/$name" params={{ name }}>
          {name}
        </Link>
        <StateBadge state={state} />
      </div>
      {operation && <Progress counts={operation.taskCounts} label={t.progress} />}
      {operation && operation.blockedHosts.length > 0 && (
        <p className={styles['blocked']}>
          <strong>{t.blocked(operation.blockedHosts.length)}</strong>{' '}
          <HostText>{operation.blockedHosts.slice(0, 5).join(', ')}</HostText>
        </p>
      )}
      <dl className={styles['facts']}>
        <dt>Kubernetes</dt>
        <dd>{kubernetesVersion}</dd>
        <dt>{t.hosts}</dt>
        <dd>{hostCount}</dd>
        {health && (
          <>
            <dt>{t.health}</dt>
            <dd>
              <StateBadge state={health.state} /> {ago(health.at, now, language)}
              {health.reasons[0] && (
                <div>
                  <HostText>{`${health.reasons[0].subject}: ${health.reasons[0].reason}`}</HostText>
                </div>
              )}
            </dd>
          </>
        )}
        {operation && (
          <>
            <dt>{t.operation}</dt>
            <dd>
              {operation.kind} · {t.by} <HostText>{operation.actor}</HostText> · <StateBadge state={operation.state} />
            </dd>
          </>
        )}
        <dt>{t.updated}</dt>
        <dd>{ago(updatedAt, now, language)}</dd>
      </dl>
    </article>
  );
}
