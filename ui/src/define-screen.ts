import type { ComponentType } from 'react';
import type { Text } from './lib/texts.ts';

/** A screen: its place, and how its code is loaded with the first visit. */
export interface Screen {
  /** Below `/ui`; parameters as `$name`. */
  path: string;
  /** Its title in the page and the menu. */
  title: Text;
  /** Its place in the menu, lowest first; absent: not in the menu. */
  nav?: { order: number; role?: 'operator' | 'admin' };
  /** True: it is shown without a session, and without the frame of the application. */
  open?: boolean;
  view: () => Promise<{ default: ComponentType }>;
}

/** The default export of `screens/<name>/screen.ts`. The file is part of the first load: everything large is in its view. */
export const defineScreen = (screen: Screen): Screen => screen;
