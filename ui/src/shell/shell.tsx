import { useQueryClient } from '@tanstack/react-query';
import { Link, Outlet, useMatches, useNavigate } from '@tanstack/react-router';
import { useEffect } from 'react';
import { ask } from '../lib/api.ts';
import { followEvents, useConnection } from '../lib/events.ts';
import { useMay, useSession } from '../lib/session.ts';
import { useLanguage, useTexts } from '../lib/texts.ts';
import { Button } from '../parts/button.tsx';
import { HostText } from '../parts/host-text.tsx';
import { ProblemBox } from '../parts/problem.tsx';
import { menu, screens } from '../screens.ts';
import texts from '../texts/shell.ts';
import { Pending } from './fallbacks.tsx';
import styles from './shell.module.css';
import { Switches } from './switches.tsx';

/** The frame of all screens with a session: menu, choices, the state of the event stream. */
export function Shell() {
  const t = useTexts(texts);
  const language = useLanguage();
  const session = useSession();
  const cache = useQueryClient();
  const navigate = useNavigate();
  const connection = useConnection();
  const rights = { operator: useMay('operator'), admin: useMay('admin') };
  const loggedIn = session.data !== undefined;
  useEffect(() => (loggedIn ? followEvents(cache) : undefined), [cache, loggedIn]);
  useEffect(() => {
    document.documentElement.lang = language === 'zh' ? 'zh-Hans' : 'en';
  }, [language]);
  const routePath: unknown = useMatches().at(-1)?.fullPath;
  const shown = screens.find(({ path }) => path === routePath);
  useEffect(() => {
    document.title = shown ? `${shown.title[language]} · Kubewright` : 'Kubewright';
  }, [shown, language]);
  const logOut = async () => {
    await ask('/sessions/current', { method: 'DELETE' });
    cache.clear();
    await navigate({ to: '/login' });
  };
  return (
    <>
      <a className={styles['skip']} href="#main">
        {t.skip}
      </a>
      <header className={styles['header']}>
        <Link className={styles['brand']} to="/">
          Kubewright
        </Link>
        <nav className={styles['nav']} aria-label={t.menu}>
          {menu
            .filter(({ nav: { role } }) => !role || rights[role])
            .map(({ path, title }) => (
              <Link key={path} to={path} activeOptions={{ exact: path === '/' }}>
                {title[language]}
              </Link>
            ))}
        </nav>
        <div className={styles['tools']}>
          <Switches />
          {session.data && (
            <Button onPress={() => void logOut()} aria-label={`${t.logOut} (${session.data.actor.name})`}>
              {t.logOut} · <HostText>{session.data.actor.name}</HostText>
            </Button>
          )}
        </div>
      </header>
      <div role="status">{loggedIn && connection === 'cut' && <p className={styles['cut']}>{t.cut}</p>}</div>
      <main id="main" className={styles['main']} tabIndex={-1}>
        {session.error ? <ProblemBox error={session.error} /> : loggedIn ? <Outlet /> : <Pending />}
      </main>
    </>
  );
}
