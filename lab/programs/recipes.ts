import type { GoProgram } from './ensure.ts';

const TEMPORAL = 'go.temporal.io/server';
const COMPOSE = 'github.com/docker/compose/v2';
const DOCKER = 'github.com/docker/docker';

/** Temporal's server, its schema tool and the schemas: what production runs. About 4 minutes on two idle cores. */
export const temporalServer: GoProgram = {
  name: 'temporal-server',
  recipe: {
    module: TEMPORAL,
    version: 'v1.32.0',
    builds: [
      { pkg: `${TEMPORAL}/cmd/server`, output: 'temporal-server' },
      { pkg: `${TEMPORAL}/cmd/tools/sql`, output: 'temporal-sql-tool' },
    ],
    ldflags: [],
  },
  folders: ['schema/postgresql', 'docker/scripts'],
};

/** The compose plugin of the docker CLI. About 4 minutes. */
export const dockerCompose: GoProgram = {
  name: 'docker-compose',
  recipe: {
    module: COMPOSE,
    version: 'v2.40.3',
    builds: [{ pkg: `${COMPOSE}/cmd`, output: 'docker-compose' }],
    ldflags: [`-X ${COMPOSE}/internal.Version=v2.40.3`],
  },
};

/**
 * Docker's daemon and the helper for published ports. About 4 minutes. Debian's 20.10 resolves names in networks without
 * a way out too slowly for gRPC.
 */
export const dockerDaemon: GoProgram = {
  name: 'dockerd',
  recipe: {
    module: DOCKER,
    version: 'v28.5.2+incompatible',
    vendored: true,
    builds: ['dockerd', 'docker-proxy'].map((name) => ({ pkg: `${DOCKER}/cmd/${name}`, output: name })),
    // Needs a C library.
    tags: ['exclude_graphdriver_btrfs', 'no_btrfs'],
    ldflags: [`-X ${DOCKER}/dockerversion.Version=28.5.2`],
  },
};

/** Temporal's web UI with its pages inside. A minute. */
export const temporalUi: GoProgram = {
  name: 'temporal-ui',
  recipe: {
    module: 'github.com/temporalio/ui-server/v2',
    version: 'v2.54.1',
    builds: [{ pkg: 'github.com/temporalio/ui-server/v2/cmd/server', output: 'temporal-ui' }],
    ldflags: [],
  },
  folders: ['config'],
};

/** An etcd of another version than the catalogue's, as users run them beside their clusters. A minute. */
export const earlierEtcd = (version: string): GoProgram => ({
  name: 'etcd',
  recipe: {
    module: 'go.etcd.io/etcd/server/v3',
    version: `v${version}`,
    builds: [{ pkg: 'go.etcd.io/etcd/server/v3', output: 'etcd' }],
    ldflags: [],
  },
});
