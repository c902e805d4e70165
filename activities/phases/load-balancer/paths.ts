import { LIB_DIR } from '../../kube/lib.ts';
import { KUBEWRIGHT_DIR } from '../../kube/paths.ts';

/** Certificates, and the digest of the configuration. */
export const BALANCER_DIR = `${KUBEWRIGHT_DIR}/load-balancer`;
export const CA = `${BALANCER_DIR}/ca.crt`;
/** Without `.crt` and `.key`. */
export const HEALTH_CLIENT = `${BALANCER_DIR}/health-client`;
/** Certificate and key in one file, as haproxy takes them. */
export const HEALTH_PEM = `${BALANCER_DIR}/health-client.pem`;
/** Digest of the configuration that has to be in use, alone in its file. */
export const WANTED = `${BALANCER_DIR}/configuration`;

/** sh variables of `balancer`: `flavour`, `port`, and in `others` the addresses of the other balancers. */
export const SETTINGS = `${BALANCER_DIR}/settings`;

/** Of one boot, made by the units. */
export const RUN_DIR = '/run/kubewright-balancer';
/** 1 while this balancer has stopped or is about to: keepalived watches it and gives the address away at once. */
export const WITHDRAWN = `${RUN_DIR}/withdrawn`;
/** HTTP for us alone: `/config` answers with the digest of the configuration that is in use. */
export const STATUS_SOCKET = `${RUN_DIR}/status.sock`;
/** One line per API server, where the balancer itself does not tell: `<name> ready`, `draining` or `down`. */
export const STATES = `${RUN_DIR}/states`;

export const BALANCER = `${LIB_DIR}/balancer`;
export const HEALTH = `${LIB_DIR}/balancer-health`;
/** Unit that tests the API servers for nginx, which cannot. */
export const HEALTH_UNIT = 'kubewright-balancer-health';
export const KEEPALIVED_CONFIG = '/etc/keepalived/keepalived.conf';
/** Account of keepalived's scripts; the name is keepalived's own default. */
export const SCRIPT_USER = 'keepalived_script';
