import type { Kysely } from 'kysely';
import { traitsOf } from '../contracts/earlier-kinds.ts';
import type { OperationTraits } from '../contracts/operation-traits.ts';
import type { StatusHead } from './changes.ts';
import type { OperationRow, Tables } from './schema.ts';

/** A status without its tasks, with the traits of its operation. */
export type TraitedStatus = StatusHead & { traits: OperationTraits };

/** The status in a row, with the traits beside it. */
export const traitedStatus = (row: Pick<OperationRow, 'kind' | 'status' | 'traits'>): TraitedStatus => ({
  ...(JSON.parse(row.status) as StatusHead),
  traits: storedTraits(row),
});

/** The traits in a row; of one that an earlier version wrote, those of its kind then. */
export const storedTraits = ({ kind, traits }: Pick<OperationRow, 'kind' | 'traits'>): OperationTraits =>
  traitsOf({ kind, traits: traits === null ? undefined : (JSON.parse(traits) as OperationTraits) });

/** The traits with which an operation was saved before; of one that is new, those that its kind had in earlier versions. */
export async function knownTraits(
  db: Kysely<Tables>,
  { cluster, operationId, kind }: Pick<StatusHead, 'cluster' | 'operationId' | 'kind'>,
): Promise<OperationTraits> {
  const row = await db
    .selectFrom('operations')
    .select(['kind', 'traits'])
    .where('cluster', '=', cluster)
    .where('id', '=', operationId)
    .executeTakeFirst();
  return storedTraits(row ?? { kind, traits: null });
}
