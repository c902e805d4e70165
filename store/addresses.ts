import type { Kysely, Transaction } from 'kysely';
import { type HostAddress, samePlace } from '../contracts/host-addresses.ts';
import { FINAL_STATES } from './changes.ts';
import type { Tables } from './schema.ts';
import { now } from './time.ts';

/**
 * For so long a reservation holds by itself, ms: longer than Temporal is waited for. After that what it was made for has
 * an operation, or never will.
 */
const RESERVED_MS = 2 * 60_000;
/** Values bound in one query. */
const VALUES = 500;

/**
 * Which machines the clusters of this installation have: those of the present spec of each that was not removed, of every
 * operation that waits or runs, and of every submission under way.
 */
export interface Addresses {
  /** Those of `wanted` that another cluster has and this one had not before. */
  taken(cluster: string, wanted: readonly HostAddress[]): Promise<HostAddress[]>;
  /** The same; when it is empty, the spec's addresses are the cluster's from now on. Of two at once only one gets them. */
  reserve(cluster: string, specRef: string, wanted: readonly HostAddress[]): Promise<HostAddress[]>;
  /** What it was reserved for has an operation by now, or was refused. */
  release(cluster: string, specRef: string): Promise<void>;
  /** Addresses of other clusters that are names, not numbers; sorted. */
  names(cluster: string): Promise<string[]>;
}

export function addresses(db: Kysely<Tables>): Addresses {
  return {
    taken,
    async reserve(cluster, specRef, wanted) {
      return await db.transaction().execute(async (tx) => {
        // One row that every writer updates first: the second writer waits here until the first has committed.
        await write(tx, '', '');
        const conflicts = await takenBy(tx, cluster, wanted);
        if (conflicts.length === 0) await write(tx, cluster, specRef);
        await tx.deleteFrom('reservations').where('reserved_at', '<', since()).execute();
        return conflicts;
      });
    },
    async release(cluster, specRef) {
      await db.deleteFrom('reservations').where('cluster', '=', cluster).where('spec_ref', '=', specRef).execute();
    },
    async names(cluster) {
      const rows = await db
        .selectFrom('spec_addresses')
        .innerJoin(inPlay(db).as('play'), 'play.spec_ref', 'spec_addresses.spec_ref')
        .select('spec_addresses.address')
        .distinct()
        .where('play.cluster', '!=', cluster)
        .where('spec_addresses.is_name', '=', 1)
        .orderBy('spec_addresses.address')
        .execute();
      return rows.map(({ address }) => address);
    },
  };

  async function taken(cluster: string, wanted: readonly HostAddress[]): Promise<HostAddress[]> {
    return await takenBy(db, cluster, wanted);
  }
}

const since = (): string => new Date(Date.now() - RESERVED_MS).toISOString();

async function write(tx: Transaction<Tables>, cluster: string, specRef: string): Promise<void> {
  const reserved_at = now();
  await tx
    .insertInto('reservations')
    .values({ cluster, spec_ref: specRef, reserved_at })
    .onConflict((conflict) => conflict.columns(['cluster', 'spec_ref']).doUpdateSet({ reserved_at }))
    .execute();
}

/** Specs whose addresses are taken now, with the cluster of each. */
function inPlay(db: Kysely<Tables>) {
  return db
    .selectFrom('clusters')
    .select(['name as cluster', 'spec_ref'])
    .where('state', '!=', 'removed')
    .union(
      db
        .selectFrom('operations')
        .select(['cluster', 'spec_ref'])
        .where('mode', '=', 'apply')
        .where('effect', '!=', 'removes')
        .where('state', 'not in', [...FINAL_STATES]),
    )
    .union(
      db
        .selectFrom('reservations')
        .select(['cluster', 'spec_ref'])
        .where('reserved_at', '>=', since())
        .where('cluster', '!=', '')
        .where((where) =>
          where.not(
            where.exists(
              where
                .selectFrom('clusters')
                .select('clusters.name')
                .whereRef('clusters.name', '=', 'reservations.cluster')
                .whereRef('clusters.updated_at', '>', 'reservations.reserved_at')
                .where('clusters.state', '=', 'removed'),
            ),
          ),
        ),
    );
}

async function takenBy(db: Kysely<Tables>, cluster: string, wanted: readonly HostAddress[]): Promise<HostAddress[]> {
  const texts = [...new Set(wanted.map(({ address }) => address))];
  const reserved: (Omit<HostAddress, 'host'> & { cluster: string })[] = [];
  for (let from = 0; from < texts.length; from += VALUES) {
    const rows = await db
      .selectFrom('spec_addresses')
      .innerJoin(inPlay(db).as('play'), 'play.spec_ref', 'spec_addresses.spec_ref')
      .select(['play.cluster', 'spec_addresses.via', 'spec_addresses.address', 'spec_addresses.port'])
      .where('spec_addresses.address', 'in', texts.slice(from, from + VALUES))
      .execute();
    reserved.push(...rows);
  }
  const has = (each: HostAddress, whose: (holder: string) => boolean) =>
    reserved.some((other) => whose(other.cluster) && samePlace(each, other));
  // What a cluster has already it keeps, even where an older version let another one have it too.
  return wanted.filter(
    (each) => has(each, (holder) => holder !== cluster) && !has(each, (holder) => holder === cluster),
  );
}
