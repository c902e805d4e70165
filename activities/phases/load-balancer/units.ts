import { daemonUnit, systemdUnit, type UnitSections } from '../../render/unit.ts';
import type { Flavour } from './flavour.ts';
import type { BalancerOptions } from './options.ts';
import { BALANCER, RUN_DIR, WANTED } from './paths.ts';

/** What a package starts when it is installed would listen with the settings of the distribution, nginx on port 80. */
export const ONLY_CONFIGURED = systemdUnit({ Unit: { ConditionPathExists: WANTED } });

/** Restarted at once and for ever; the folder of a boot stays while any of the units runs. */
const DAEMON = {
  Restart: 'always',
  RestartSec: '100ms',
  RuntimeDirectory: RUN_DIR.replace('/run/', ''),
  RuntimeDirectoryPreserve: true,
};

/** What none of the daemons needs. */
const HARDENING = {
  NoNewPrivileges: true,
  ProtectHome: true,
  ProtectSystem: 'full',
  PrivateTmp: true,
  ProtectKernelModules: true,
  ProtectKernelTunables: true,
  ProtectControlGroups: true,
  RestrictSUIDSGID: true,
  RestrictRealtime: true,
  LockPersonality: true,
};

/** haproxy's fixed number of descriptors besides two for each connection. */
const OTHER_FILES = 1000;
/** systemd's hard limit is 524,288; containers may have less, which is enough for the default. */
const DEFAULT_CONNECTIONS = 8000;

/** Drop-in of the unit of the distribution. */
export const balancerDropIn = ({ service }: Flavour, { maxConnections }: BalancerOptions): UnitSections => ({
  Unit: { StartLimitIntervalSec: 0 },
  Service: {
    ...DAEMON,
    ...HARDENING,
    // To bind, to become another user in a changed root, and to raise its own limits.
    CapabilityBoundingSet:
      'CAP_NET_BIND_SERVICE CAP_SETUID CAP_SETGID CAP_SYS_CHROOT CAP_SYS_RESOURCE CAP_CHOWN CAP_FOWNER CAP_DAC_OVERRIDE CAP_KILL',
    ...(maxConnections > DEFAULT_CONNECTIONS ? { LimitNOFILE: 2 * maxConnections + OTHER_FILES } : {}),
    ...service,
    // The first clears what the unit of the distribution has: the address leaves before the process does.
    ExecStop: ['', `-${BALANCER} withdraw`],
    ExecStopPost: `-${BALANCER} ended`,
    ExecStartPost: `-${BALANCER} offer`,
    // A reload that a program refused looks like one that went well.
    ExecReload: `${BALANCER} loaded`,
  },
});

/** Drop-in of keepalived. It stops first when the host does: the address has moved when the balancer ends. */
export const keepalivedDropIn = ({ unit }: Flavour): UnitSections => ({
  Unit: { After: `${unit}.service`, StartLimitIntervalSec: 0 },
  Service: { ...DAEMON, ProtectHome: true, ProtectSystem: 'full', PrivateTmp: true },
});

/** Unit of the daemon that tests the API servers for nginx. */
export const healthUnit = (argv: readonly string[]): string =>
  daemonUnit({
    description: 'Health of API servers, for the load balancer',
    exec: argv,
    after: ['nginx.service'],
    service: { ...DAEMON, ...HARDENING },
  });
