import type { Elevation } from './command-line.ts';
import type { SshConnection } from './connection.ts';
import type { CommandKillers } from './exec.ts';

/** What goes with a connection while one command uses it. */
export interface ConnectionUse {
  /** How this login becomes root. */
  elevation: Elevation;
  killers: CommandKillers;
}

/** Hands out the present connection of one host, within its channel limit. Implemented by the pool. */
export interface ConnectionSource {
  /**
   * Calls `work` with a live connection, again with a fresh one when it throws ChannelOpenError. Throws what `work` or
   * connecting throws, and COMMAND_ABORTED when the signal fires before `work` began.
   */
  use<T>(signal: AbortSignal, work: (connection: SshConnection, use: ConnectionUse) => Promise<T>): Promise<T>;
}
