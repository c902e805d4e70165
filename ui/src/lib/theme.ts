import { useSyncExternalStore } from 'react';
import { preference } from './preference.ts';

export const THEMES = ['light', 'dark'] as const;
type Theme = (typeof THEMES)[number];

/** The colours that were chosen; null: those of the system. */
export const themeChoice = preference<Theme>('kubewright.theme', THEMES);
export const useTheme = () => useSyncExternalStore(themeChoice.subscribe, themeChoice.get);

const apply = () => {
  const chosen = themeChoice.get();
  if (chosen === null) delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = chosen;
};
/** Keeps the page in the chosen colours. Before the first view, so that it does not change colour. */
export function followTheme(): void {
  apply();
  themeChoice.subscribe(apply);
}
