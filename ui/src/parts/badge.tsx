import type { ReactNode } from 'react';
import { cx } from '../lib/cx.ts';
import styles from './parts.module.css';

export type Tone = 'good' | 'warn' | 'bad' | 'busy' | 'quiet';

/** A state in a word, with a colour that says the same. */
export const Badge = ({ tone, children }: { tone: Tone; children: ReactNode }) => (
  <span className={cx(styles['badge'], styles[tone])}>{children}</span>
);
