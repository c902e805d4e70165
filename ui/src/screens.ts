import type { Screen } from './define-screen.ts';

const found = import.meta.glob<Screen>('./screens/*/screen.{ts,tsx}', { eager: true, import: 'default' });

/** All screens of the application. */
export const screens: readonly Screen[] = Object.values(found);

/** Those of the menu, in its order. */
export const menu = screens
  .flatMap((screen) => (screen.nav ? [{ ...screen, nav: screen.nav }] : []))
  .sort((a, b) => a.nav.order - b.nav.order);
