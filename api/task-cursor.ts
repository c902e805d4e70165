import { createHash } from 'node:crypto';
import { KubewrightError } from '../contracts/errors.ts';
import type { TaskPlace } from '../store/task-pages.ts';

/**
 * Cursors of the tasks of an operation: the place of the last task in base64url, and a digest of operation and place, so
 * that one of another operation, or of another list, is refused instead of answered with any page.
 */

const CURSOR = /^t([A-Za-z0-9_-]{1,200})\.([0-9a-f]{16})$/;
const PLACE = /^(\d{1,9}) ([a-z0-9-]{1,63}:[a-z0-9-]{1,63})$/;

interface Operation {
  cluster: string;
  operationId: string;
}

/** At most 200 characters. Null for no place: there are no more pages. */
export function taskCursor(operation: Operation, place: TaskPlace | null): string | null {
  if (place === null) return null;
  const text = `${place.position} ${place.task}`;
  return `t${Buffer.from(text).toString('base64url')}.${digestOf(operation, text)}`;
}

/** The place of a cursor. Throws BAD_REQUEST for one that this operation's pages did not give. */
export function taskPlace(operation: Operation, cursor: string): TaskPlace {
  const [, encoded = '', digest] = CURSOR.exec(cursor) ?? [];
  const text = Buffer.from(encoded, 'base64url').toString('utf8');
  const [, position, task] = PLACE.exec(text) ?? [];
  if (position !== undefined && task !== undefined && digest === digestOf(operation, text)) {
    return { position: Number(position), task };
  }
  const error = { path: 'query.cursor', message: 'must be the `next` of a page of tasks of this operation' };
  throw new KubewrightError('BAD_REQUEST', `${error.path} ${error.message}`, { errors: [error] });
}

function digestOf({ cluster, operationId }: Operation, text: string): string {
  return createHash('sha256').update(`${cluster}/${operationId} ${text}`).digest('hex').slice(0, 16);
}
