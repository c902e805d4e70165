import { printable, printableLine } from '../../../contracts/printable.ts';
import styles from './parts.module.css';

/** One line of text from a host: as text, with characters that act on what shows them made visible, and its own direction. */
export const HostText = ({ children }: { children: string }) => <bdi>{printableLine(children)}</bdi>;

/** Several lines of it, such as evidence. */
export const HostLines = ({ children, label }: { children: string; label: string }) => (
  // Reachable with the keyboard, because it scrolls.
  <pre className={styles['pre']} dir="ltr" tabIndex={0} aria-label={label}>
    {printable(children)}
  </pre>
);
