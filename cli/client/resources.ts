import type { Api } from './api.ts';
import { ageOf, type Column } from './print.ts';

type Row = Record<string, unknown>;
const textOf =
  (key: string) =>
  (row: Row): string => {
    const value = row[key];
    return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
  };
const column = (title: string, key: string, wide?: true): Column<Row> => ({
  title,
  value: textOf(key),
  ...(wide ? { wide } : {}),
});
const age = (title: string, key: string): Column<Row> => ({ title, value: (row) => ageOf(row[key] as string | null) });

/** What `kubewright get` knows, as data. */
export interface Resource {
  name: string;
  /** Singular and short names. */
  aliases: readonly string[];
  /** True when it is part of a cluster: `--cluster` is needed. */
  ofCluster?: true;
  /** Path of the list; of one item with `/ID` behind it, where `single` is true. */
  path: (cluster: string) => string;
  single: boolean;
  /** The member that names an item. */
  key: string;
  columns: readonly Column<Row>[];
}

export const RESOURCES: readonly Resource[] = [
  {
    name: 'clusters',
    aliases: ['cluster', 'cl'],
    path: () => '/clusters',
    single: true,
    key: 'name',
    columns: [
      column('NAME', 'name'),
      column('STATE', 'state'),
      { title: 'HEALTH', value: (row) => String((row['health'] as { state?: string } | null)?.state ?? '') },
      column('VERSION', 'kubernetesVersion'),
      column('HOSTS', 'hostCount'),
      age('AGE', 'createdAt'),
      column('OPERATION', 'operation', true),
      column('SPEC', 'specRef', true),
    ],
  },
  {
    name: 'operations',
    aliases: ['operation', 'op', 'ops'],
    ofCluster: true,
    path: (cluster) => `/clusters/${cluster}/operations`,
    single: true,
    key: 'operationId',
    columns: [
      column('NAME', 'operationId'),
      column('KIND', 'kind'),
      column('MODE', 'mode'),
      column('STATE', 'state'),
      {
        title: 'TASKS',
        value: (row) => {
          const counts = (row['taskCounts'] ?? {}) as Record<string, number>;
          const all = Object.values(counts).reduce((sum, each) => sum + each, 0);
          return `${counts['succeeded'] ?? 0}/${all}`;
        },
      },
      column('ACTOR', 'actor'),
      age('AGE', 'queuedAt'),
      column('STARTED', 'startedAt', true),
      column('ENDED', 'endedAt', true),
    ],
  },
  {
    name: 'tokens',
    aliases: ['token'],
    path: () => '/tokens',
    single: false,
    key: 'id',
    columns: [
      column('ID', 'id'),
      column('NAME', 'name'),
      column('ROLE', 'role'),
      { title: 'CLUSTERS', value: (row) => (row['clusters'] as string[] | null)?.join(',') ?? '*' },
      age('AGE', 'createdAt'),
      column('EXPIRES', 'expiresAt'),
      column('REVOKED', 'revokedAt', true),
    ],
  },
  {
    name: 'credentials',
    aliases: ['credential', 'cred'],
    path: () => '/credentials',
    single: false,
    key: 'name',
    columns: [
      column('NAME', 'name'),
      column('KIND', 'kind'),
      age('AGE', 'createdAt'),
      column('UPDATED', 'updatedAt', true),
    ],
  },
  {
    name: 'phases',
    aliases: ['phase'],
    path: () => '/phases',
    single: false,
    key: 'name',
    columns: [
      column('NAME', 'name'),
      column('HOSTS', 'hosts'),
      column('TITLE', 'title'),
      column('EXPECTED-MS', 'expectedMs', true),
    ],
  },
];

/** Items of a resource: all of them, or those that are named. */
export async function itemsOf(api: Api, resource: Resource, cluster: string, names: readonly string[]): Promise<Row[]> {
  const path = resource.path(encodeURIComponent(cluster));
  if (names.length > 0 && resource.single) {
    return await Promise.all(names.map((name) => api.request<Row>('GET', `${path}/${encodeURIComponent(name)}`)));
  }
  const all = await api.all<Row>(path);
  return names.length === 0 ? all : all.filter((row) => names.includes(String(row[resource.key])));
}
