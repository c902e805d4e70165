import { ProgressBar } from 'react-aria-components';
import type { OperationDetail } from '../lib/models.ts';
import styles from './parts.module.css';

/** How many tasks are over, of all. */
export function Progress({ counts, label }: { counts: OperationDetail['taskCounts']; label: string }) {
  const total = Object.values(counts).reduce((sum, count) => sum + (count ?? 0), 0);
  if (total === 0) return null;
  const over = (counts.succeeded ?? 0) + (counts.skipped ?? 0);
  return (
    <ProgressBar value={over} maxValue={total} valueLabel={`${over} / ${total}`} aria-label={label}>
      {({ percentage = 0 }) => (
        <>
          <div className={styles['muted']}>
            {label}: {over} / {total}
          </div>
          <div className={styles['bar']}>
            <div style={{ width: `${percentage}%` }} />
          </div>
        </>
      )}
    </ProgressBar>
  );
}
