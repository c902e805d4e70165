import type { ReactNode } from 'react';
import { Button as AriaButton } from 'react-aria-components';
import { cx } from '../lib/cx.ts';
import styles from './parts.module.css';

/** A button. `primary`: what most people want here; `danger`: what takes something away. */
export function Button({
  kind,
  children,
  ...rest
}: {
  kind?: 'primary' | 'danger' | undefined;
  children: ReactNode;
  onPress?: () => void;
  isDisabled?: boolean;
  type?: 'submit' | 'button';
  'aria-label'?: string;
}) {
  return (
    <AriaButton {...rest} className={cx(styles['button'], kind && styles[kind])}>
      {children}
    </AriaButton>
  );
}
