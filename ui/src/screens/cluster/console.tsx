import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { z } from 'zod';
import type { historyPage, historyRecord } from '../../../../contracts/api.ts';
import type { TaskStatus } from '../../../../contracts/status.ts';
import { path, read } from '../../lib/api.ts';
import { clock, duration } from '../../lib/format.ts';
import { useLanguage, useTexts } from '../../lib/texts.ts';
import { Button } from '../../parts/button.tsx';
import { HostLines, HostText } from '../../parts/host-text.tsx';
import parts from '../../parts/parts.module.css';
import { ProblemBox } from '../../parts/problem.tsx';
import { Pending } from '../../shell/fallbacks.tsx';
import texts from '../../texts/cluster.ts';
import styles from './cluster.module.css';

type HistoryPage = z.infer<typeof historyPage>;
type HistoryRecord = z.infer<typeof historyRecord>;
/** Period of reading while a task runs, ms. */
const FOLLOW_MS = 1_500;

/** The commands of a task with their output; followed while it runs, and searched. */
export function Console({
  cluster,
  operation,
  task,
  onClose,
}: {
  cluster: string;
  operation: string;
  task: TaskStatus;
  onClose: () => void;
}) {
  const t = useTexts(texts);
  const [search, setSearch] = useState('');
  const [follow, setFollow] = useState(true);
  const { phase, host, state } = task;
  const { data, error } = useQuery({
    queryKey: ['console', cluster, operation, phase, host],
    queryFn: ({ signal }) =>
      read<HistoryPage>(
        `${path`/clusters/${cluster}/history`}?${new URLSearchParams({ operation, phase, host, events: 'false', order: 'newest', limit: '200' })}`,
        signal,
      ),
    refetchInterval: follow && state === 'running' ? FOLLOW_MS : false,
  });
  const found = data?.items.filter(({ kind }) => ['exec', 'script', 'upload', 'stop'].includes(kind)).toReversed();
  const wanted = search.toLowerCase();
  const shown = found?.filter(({ argv }) => wanted === '' || argv.join(' ').toLowerCase().includes(wanted));
  return (
    <section className={parts['card']} aria-label={`${t.console}: ${host} ${phase}`}>
      <div className={styles['head']}>
        <h2>
          {t.console}: <HostText>{`${host} · ${phase}`}</HostText>
        </h2>
        <div className={styles['tools']}>
          <input
            type="search"
            aria-label={t.search}
            placeholder={t.search}
            value={search}
            onChange={(event) => setSearch(event.target.value)}
          />
          <label>
            <input type="checkbox" checked={follow} onChange={(event) => setFollow(event.target.checked)} /> {t.follow}
          </label>
          <Button onPress={onClose}>{t.close}</Button>
        </div>
      </div>
      {error && <ProblemBox error={error} />}
      {!data && !error && <Pending />}
      {wanted !== '' && shown && <p role="status">{t.matches(shown.length)}</p>}
      {found?.length === 0 && <p className={parts['muted']}>{t.noCommands}</p>}
      {data?.next && <p className={parts['muted']}>{t.lastPage}</p>}
      <ol className={styles['commands']}>
        {shown?.map((record) => (
          <Command key={record.id} cluster={cluster} record={record} />
        ))}
      </ol>
    </section>
  );
}

function Command({ cluster, record }: { cluster: string; record: HistoryRecord }) {
  const t = useTexts(texts);
  const language = useLanguage();
  const [open, setOpen] = useState(false);
  const { argv, startedAt, endedAt, exitCode, stdoutSha256, stderrSha256, kind, result } = record;
  const digests = [stdoutSha256, stderrSha256].filter((sha) => sha !== null);
  const output = useQuery({
    queryKey: ['output', cluster, ...digests],
    queryFn: async ({ signal }) =>
      (
        await Promise.all(digests.map((sha) => read<string>(path`/clusters/${cluster}/history/output/${sha}`, signal)))
      ).join(''),
    enabled: open && digests.length > 0,
    staleTime: Number.POSITIVE_INFINITY,
  });
  return (
    <li>
      <div className={styles['command']}>
        <span className={parts['muted']}>{clock(startedAt, Date.now(), language)}</span>
        <code>
          <HostText>{argv.length > 0 ? argv.join(' ').slice(0, 400) : kind}</HostText>
        </code>
        <span className={result === 'failed' ? styles['failed'] : parts['muted']}>
          {endedAt === null
            ? t.running
            : `${exitCode ?? result} · ${duration(Date.parse(endedAt) - Date.parse(startedAt))}`}
        </span>
        {digests.length > 0 && (
          <button type="button" className={styles['fold']} aria-expanded={open} onClick={() => setOpen(!open)}>
            {t.output}
          </button>
        )}
      </div>
      {output.error && <ProblemBox error={output.error} />}
      {open && output.data !== undefined && <HostLines label={t.output}>{output.data}</HostLines>}
    </li>
  );
}
