import { useQueryClient } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useEffect, useRef, useState } from 'react';
import { Input, Label, TextField } from 'react-aria-components';
import { ask } from '../../lib/api.ts';
import { useTexts } from '../../lib/texts.ts';
import { Button } from '../../parts/button.tsx';
import parts from '../../parts/parts.module.css';
import { ProblemBox } from '../../parts/problem.tsx';
import { Switches } from '../../shell/switches.tsx';
import texts from '../../texts/login.ts';
import styles from './login.module.css';

/** The one-time code of a link, from the fragment, which browsers never send; it is removed from the address at once. */
function takeCode(): string | null {
  const code = new URLSearchParams(location.hash.slice(1)).get('code');
  if (code !== null) history.replaceState(history.state, '', location.pathname + location.search);
  return code;
}

export default function Login() {
  const t = useTexts(texts);
  const cache = useQueryClient();
  const navigate = useNavigate();
  const { to } = useSearch({ strict: false }) as { to?: unknown };
  const [token, setToken] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const logIn = async (body: { code: string } | { token: string }) => {
    setBusy(true);
    setError(null);
    try {
      const { body: session } = await ask('/sessions', { method: 'POST', body });
      cache.clear();
      cache.setQueryData(['session'], session);
      // Only a place of this application: one slash, and no address of another origin.
      const inside = typeof to === 'string' && /^\/(?![/\\])/.test(to) ? to : '/';
      await navigate({ to: inside, replace: true });
    } catch (thrown) {
      setError(thrown);
    } finally {
      setBusy(false);
    }
  };
  // A code is valid once, and effects run twice while developing.
  const taken = useRef(false);
  useEffect(() => {
    document.title = `${t.title} · Kubewright`;
    if (taken.current) return;
    taken.current = true;
    const code = takeCode();
    if (code !== null) void logIn({ code });
  });
  return (
    <main className={styles['page']}>
      <div className={styles['box']}>
        <h1>Kubewright</h1>
        <p>{busy ? t.busy : t.how}</p>
        {error !== null && <ProblemBox error={error} />}
        <form
          onSubmit={(event) => {
            event.preventDefault();
            void logIn({ token: token.trim() });
          }}
        >
          <TextField
            className={parts['field'] ?? ''}
            value={token}
            onChange={setToken}
            type="password"
            isRequired
            autoComplete="off"
          >
            <Label>{t.token}</Label>
            <Input />
          </TextField>
          <Button type="submit" kind="primary" isDisabled={busy || token.trim() === ''}>
            {t.title}
          </Button>
        </form>
        <div className={styles['tools']}>
          <Switches />
        </div>
      </div>
    </main>
  );
}
