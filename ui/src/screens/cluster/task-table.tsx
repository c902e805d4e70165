import { useState } from 'react';
import type { TaskStatus } from '../../../../contracts/status.ts';
import { duration } from '../../lib/format.ts';
import { useTexts } from '../../lib/texts.ts';
import { Button } from '../../parts/button.tsx';
import { HostText } from '../../parts/host-text.tsx';
import parts from '../../parts/parts.module.css';
import { StateBadge } from '../../parts/state-badge.tsx';
import texts from '../../texts/cluster.ts';

/** Rows of one page: more would make the page slow. */
const PAGE = 100;

/** The same data as the picture, for screen readers and for reading numbers. */
export function TaskTable({ tasks, onPick }: { tasks: readonly TaskStatus[]; onPick: (task: TaskStatus) => void }) {
  const t = useTexts(texts);
  const [page, setPage] = useState(0);
  const pages = Math.max(1, Math.ceil(tasks.length / PAGE));
  const at = Math.min(page, pages - 1);
  return (
    <>
      <div className={parts['scroll']}>
        <table className={parts['table']}>
          <thead>
            <tr>
              {[t.host, t.phase, t.state, t.attempt, t.duration, t.changes, t.console].map((title) => (
                <th key={title} scope="col">
                  {title}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {tasks.slice(at * PAGE, (at + 1) * PAGE).map((task) => (
              <tr key={`${task.phase} ${task.host}`}>
                <th scope="row">
                  <HostText>{task.host}</HostText>
                </th>
                <td>{task.phase}</td>
                <td>
                  <StateBadge state={task.state} />
                </td>
                <td>{task.attempt}</td>
                <td>
                  {task.startedAt && task.endedAt
                    ? duration(Date.parse(task.endedAt) - Date.parse(task.startedAt))
                    : ''}
                </td>
                <td>{task.changeCount ?? ''}</td>
                <td>
                  <Button aria-label={`${t.console}: ${task.host} ${task.phase}`} onPress={() => onPick(task)}>
                    {t.console}
                  </Button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {pages > 1 && (
        <div>
          <Button isDisabled={at === 0} onPress={() => setPage(at - 1)} aria-label={t.previous}>
            ‹
          </Button>{' '}
          {at + 1} / {pages}{' '}
          <Button isDisabled={at === pages - 1} onPress={() => setPage(at + 1)} aria-label={t.next}>
            ›
          </Button>
        </div>
      )}
    </>
  );
}
