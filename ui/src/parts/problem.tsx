import { ApiError } from '../lib/api.ts';
import { useTexts } from '../lib/texts.ts';
import texts from '../texts/problem.ts';
import { HostLines, HostText } from './host-text.tsx';
import styles from './parts.module.css';

/** An error with everything that its problem document says: code, cause, evidence, hint. */
export function ProblemBox({ error }: { error: unknown }) {
  const t = useTexts(texts);
  const problem = error instanceof ApiError ? error.problem : null;
  if (!problem) {
    const unreachable = error instanceof ApiError && error.status === 0;
    return (
      <div role="alert" className={styles['problem']}>
        <h2>{unreachable ? t.unreachable : t.unexpected}</h2>
        <p>
          <HostText>{error instanceof Error ? error.message : String(error)}</HostText>
        </p>
      </div>
    );
  }
  return (
    <div role="alert" className={styles['problem']}>
      <h2>
        {problem.title} <code>{problem.code}</code>
      </h2>
      <p>
        <HostText>{problem.detail}</HostText>
      </p>
      {problem.errors && (
        <ul>
          {problem.errors.map(({ path, message }) => (
            <li key={`${path} ${message}`}>
              <code>
                <HostText>{path}</HostText>
              </code>{' '}
              <HostText>{message}</HostText>
            </li>
          ))}
        </ul>
      )}
      {problem.evidence && <HostLines label={t.evidence}>{problem.evidence}</HostLines>}
      <p>
        <strong>{t.hint}</strong> {problem.hint}
      </p>
      {problem.requestId && (
        <p className={styles['muted']}>
          {t.request} <code>{problem.requestId}</code>
        </p>
      )}
    </div>
  );
}
