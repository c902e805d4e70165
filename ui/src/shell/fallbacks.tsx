import type { ErrorComponentProps } from '@tanstack/react-router';
import { useTexts } from '../lib/texts.ts';
import { Button } from '../parts/button.tsx';
import styles from '../parts/parts.module.css';
import { ProblemBox } from '../parts/problem.tsx';
import texts from '../texts/problem.ts';

/** In place of a screen that threw. */
export function Failure({ error, reset }: ErrorComponentProps) {
  const t = useTexts(texts);
  return (
    <div className={styles['dialog']}>
      <ProblemBox error={error} />
      <div>
        <Button onPress={reset}>{t.again}</Button>
      </div>
    </div>
  );
}

/** While the code of a screen, or its first data, is loaded. */
export function Pending() {
  const t = useTexts(texts);
  return (
    <p role="status" className={styles['muted']}>
      {t.loading}
    </p>
  );
}

export function NotFound() {
  const t = useTexts(texts);
  return <p className={styles['dialog']}>{t.notFound}</p>;
}
