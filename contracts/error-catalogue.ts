/**
 * The error catalogue. Zod-free and dependency-free: workflows, activities, API, CLI and UI share it.
 * `docs/errors.md` is generated from it. Non-retryable is a listed decision; retryable is the default.
 */

/** What a catalogue entry says. `status` is the HTTP status when the API answers with it; `hint` is what the operator does. */
export interface ErrorEntry {
  readonly title: string;
  readonly class: 'request' | 'ssh' | 'host' | 'artifact' | 'phase' | 'kubernetes' | 'internal';
  readonly retryable: boolean;
  readonly status: number;
  readonly hint: string;
}

const entry = (
  klass: ErrorEntry['class'],
  retryable: boolean,
  status: number,
  title: string,
  hint: string,
): ErrorEntry => ({ title, class: klass, retryable, status, hint });

export const ERRORS = {
  // What a caller got wrong.
  BAD_REQUEST: entry(
    'request',
    false,
    400,
    'The request is malformed',
    'Correct the request; the detail names the place.',
  ),
  SPEC_MALFORMED: entry(
    'request',
    false,
    400,
    'The document is not valid YAML or JSON',
    'Correct the syntax at the line and column given.',
  ),
  SPEC_INVALID: entry(
    'request',
    false,
    422,
    'The cluster spec is invalid',
    'Correct the fields listed under `errors` and send it again.',
  ),
  UNAUTHENTICATED: entry(
    'request',
    false,
    401,
    'No valid bearer token',
    'Send `Authorization: Bearer <token>`; the first admin token is in <data>/admin-token.',
  ),
  FORBIDDEN: entry(
    'request',
    false,
    403,
    'The token may not do this',
    'Use a token with the role named in the detail.',
  ),
  NOT_FOUND: entry(
    'request',
    false,
    404,
    'Nothing by that name',
    'Check the name; GET the collection to see what exists.',
  ),
  METHOD_NOT_ALLOWED: entry(
    'request',
    false,
    405,
    'The route does not take this method',
    'See /docs for the methods of this route.',
  ),
  DOCUMENT_TOO_COMPLEX: entry(
    'request',
    false,
    413,
    'The document holds more than any of ours needs',
    'Send fewer values, keys or aliases; the detail names the bound. A spec has room for 1,000 hosts.',
  ),
  BODY_TOO_LARGE: entry(
    'request',
    false,
    413,
    'The request body is too large',
    'Send less: a spec may have 2 MiB as JSON and 1 MiB as YAML, other bodies 256 KiB.',
  ),
  UNSUPPORTED_MEDIA_TYPE: entry(
    'request',
    false,
    415,
    'The content type is not understood',
    'Send application/json or application/yaml.',
  ),
  RATE_LIMITED: entry('request', true, 429, 'Too many requests', 'Wait for the number of seconds in Retry-After.'),
  CONFLICT: entry(
    'request',
    false,
    409,
    'The present state does not allow this',
    'Read the detail; GET the resource to see its state.',
  ),
  IDEMPOTENCY_KEY_REUSED: entry(
    'request',
    false,
    422,
    'This Idempotency-Key was used for another request',
    'Use a new key for a different request.',
  ),
  NOT_CONFIRMED: entry('request', false, 400, 'The removal is not confirmed', 'Add ?confirm= and the name.'),
  OPERATION_RUNNING: entry(
    'request',
    false,
    409,
    'Another operation of this cluster is running',
    'Wait for it, or cancel it.',
  ),
  HOST_NOT_BLOCKED: entry(
    'request',
    false,
    409,
    'The host has no blocked task',
    'Only a host with a blocked task takes a decision; GET the cluster to see them. A host in quarantine can be healed or replaced.',
  ),
  QUORUM_WOULD_BREAK: entry(
    'request',
    false,
    409,
    'The cluster cannot do without this host',
    'Repair the host and retry it, or let another machine take its place with replace.',
  ),
  ADDRESS_IN_USE: entry(
    'request',
    false,
    409,
    'Another host has this address',
    'Give the address of the machine that is meant.',
  ),
  STALE_VERSION: entry(
    'request',
    false,
    412,
    'The decision was made on an outdated view',
    'GET the cluster, look again, and send the version that it shows.',
  ),
  HOST_NOT_QUARANTINED: entry(
    'request',
    false,
    409,
    'The host is not in quarantine',
    'Only hosts in quarantine can be healed; GET the cluster to see them. A build covers every other host.',
  ),
  TEMPORAL_UNAVAILABLE: entry(
    'internal',
    true,
    503,
    'Temporal does not answer',
    'Check the Temporal server and that a worker runs; the same Idempotency-Key is safe to repeat.',
  ),

  // Reaching a host.
  // Not retried any more: the pool has tried for long enough already.
  SSH_UNREACHABLE: entry(
    'ssh',
    false,
    502,
    'The host cannot be reached over SSH',
    'Check that the machine is up, sshd runs and the address, port and firewall are right; then retry the host.',
  ),
  SSH_CONNECTION_LOST: entry(
    'ssh',
    true,
    502,
    'The SSH connection was lost',
    'Usually passes with a retry; check the network and the host if it does not.',
  ),
  SSH_AUTH_FAILED: entry(
    'ssh',
    false,
    502,
    'The host refused our credential',
    'Check user and credential of the host; put the public key into authorized_keys; then retry the host.',
  ),
  SSH_HOST_KEY_MISMATCH: entry(
    'ssh',
    false,
    502,
    'The host key is not the pinned one',
    'Somebody may be in between, or the machine was reinstalled. Verify the new key out of band, set it in the spec, then retry the host.',
  ),
  SSH_HOST_KEY_UNCONFIRMED: entry(
    'ssh',
    false,
    502,
    'A password is not sent to a host whose key nobody has confirmed',
    'Compare the fingerprint on the machine itself, confirm it with POST /clusters/{name}/hosts/{host}/host-key or pin it as `hostKey` in the spec, then retry the host.',
  ),
  SSH_CREDENTIAL_UNUSABLE: entry(
    'ssh',
    false,
    422,
    'The credential cannot be used',
    'Check that the credential exists, that it is for this cluster and this address, and that the worker can read it; encrypted keys need their passphrase.',
  ),
  SUDO_REFUSED: entry(
    'ssh',
    false,
    502,
    'The login user may not use sudo without a prompt',
    'Give the user NOPASSWD sudo, give its password in the credential, or log in as root.',
  ),
  COMMAND_FAILED: entry(
    'host',
    true,
    502,
    'A command on the host failed',
    'Read the evidence: it holds the last lines of its output.',
  ),
  COMMAND_TIMEOUT: entry(
    'host',
    true,
    504,
    'A command on the host took too long',
    'Look at the load and the disk of the host; then retry it.',
  ),
  TASK_PAUSED: entry('host', false, 409, 'The operation is paused', 'The task runs again on resume.'),
  COMMAND_ABORTED: entry('host', true, 499, 'The command was stopped', 'It runs again on resume or retry.'),

  HOST_BUSY: entry(
    'host',
    true,
    409,
    'A later attempt or operation holds the host',
    'Nothing, if that one is yours: it goes on. Else see docs/operations.md, "Who holds a host".',
  ),
  FENCE_LOST: entry(
    'host',
    true,
    502,
    'The host forgot who works on it',
    'It was rebooted or re-imaged, or /var/lib/kubewright was removed, under a running task. The retry claims it again.',
  ),

  // What preflight finds.
  OS_UNSUPPORTED: entry(
    'host',
    false,
    422,
    'The operating system is not supported',
    'Use Debian 12+, Ubuntu 22.04+, or a RHEL 9 family system on amd64 or arm64.',
  ),
  KERNEL_FEATURE_MISSING: entry(
    'host',
    false,
    422,
    'The kernel lacks a feature that the plan needs',
    'Load or install the module named in the evidence, or choose another option.',
  ),
  DISK_FULL: entry(
    'host',
    false,
    507,
    'Not enough disk space',
    'Free space on the file system named in the evidence; then retry the host.',
  ),
  MEMORY_TOO_SMALL: entry('host', false, 422, 'Not enough memory', 'Give the machine more memory or fewer roles.'),
  PORT_IN_USE: entry(
    'host',
    false,
    409,
    'A port that the plan needs is taken',
    'Stop the process named in the evidence, or move it; then retry the host.',
  ),
  CLOCK_SKEW: entry('host', false, 422, 'The clock is too far off', 'Set the clock of the host; then retry it.'),
  HOST_IDENTITY_CLASH: entry(
    'host',
    false,
    422,
    'Two hosts share an identity',
    'Give each machine its own machine-id, address and name.',
  ),
  HOST_OF_ANOTHER_CLUSTER: entry(
    'host',
    false,
    409,
    'The host belongs to another cluster',
    'Take it out of that cluster first (DELETE /clusters/{name}, or its host). When that cluster is gone for good, remove the file named in the evidence; then retry the host.',
  ),
  CGROUPS_UNUSABLE: entry(
    'host',
    false,
    422,
    'The cgroup setup cannot run Kubernetes',
    'Use cgroup v2, or set the kubelet overrides for cgroup v1.',
  ),
  NETWORK_UNREACHABLE: entry(
    'host',
    true,
    502,
    'The host cannot reach what it must',
    'Check routes and firewalls between the addresses in the evidence.',
  ),

  // Packages, artifacts, services.
  PACKAGE_INSTALL_FAILED: entry(
    'host',
    true,
    502,
    'The package manager failed',
    'Read its last lines in the evidence; check the package sources of the host.',
  ),
  PACKAGE_MANAGER_BUSY: entry(
    'host',
    true,
    409,
    'Another process holds the package manager',
    'It is retried by itself; unattended upgrades end within minutes.',
  ),
  ARTIFACT_UNREACHABLE: entry(
    'artifact',
    true,
    502,
    'An artifact cannot be downloaded',
    'Check that the host reaches the mirror named in the evidence.',
  ),
  ARTIFACT_CHECKSUM_MISMATCH: entry(
    'artifact',
    false,
    502,
    'An artifact has the wrong checksum',
    'The mirror holds another file than its manifest says. Rebuild or replace the mirror entry; then retry the host.',
  ),
  ARTIFACT_UNKNOWN: entry(
    'artifact',
    false,
    422,
    'An artifact is not in the mirror',
    'Add it to the mirror, or choose a version that the mirror has.',
  ),
  MIRROR_UNUSABLE: entry(
    'artifact',
    true,
    502,
    'The artifact mirror does not answer as it should',
    'Check the address under spec.artifacts.mirror.',
  ),
  IMAGE_PUSH_FAILED: entry(
    'artifact',
    true,
    502,
    'An image could not be pushed into the registry',
    'Read the answer of the registry in the evidence; check its unit and its disk.',
  ),
  UNIT_FAILED: entry(
    'host',
    true,
    502,
    'A systemd unit does not run',
    'Read the last lines of its journal in the evidence.',
  ),
  VERIFY_FAILED: entry(
    'phase',
    true,
    502,
    'The phase did not reach its goal',
    'Read the evidence; retry the host when the cause is gone.',
  ),

  // Kubernetes and etcd.
  ETCD_UNHEALTHY: entry(
    'kubernetes',
    true,
    502,
    'The etcd quorum is not healthy',
    'Check etcd.service and the network between the members named in the evidence.',
  ),
  ETCD_CANNOT_JOIN: entry(
    'kubernetes',
    true,
    502,
    'The host cannot become a member of etcd',
    'Bring back the members named in the evidence, then retry the host. When the data of a majority is lost for good, restore a backup, or delete the cluster and build it anew.',
  ),
  APISERVER_NOT_READY: entry(
    'kubernetes',
    true,
    502,
    'The API server is not ready',
    'Read its journal in the evidence; check etcd first.',
  ),
  // Not retried any more: it was listened for long enough already.
  NODE_UNREACHABLE: entry(
    'kubernetes',
    false,
    502,
    'A node does not answer the control plane',
    'Check that the machine is up and its network works; then retry it, or skip or replace it.',
  ),
  NODE_NOT_READY: entry(
    'kubernetes',
    true,
    502,
    'A node is not Ready',
    'Read the node conditions and the kubelet journal in the evidence.',
  ),
  WORKLOAD_NOT_READY: entry(
    'kubernetes',
    true,
    502,
    'A workload did not become ready',
    'Read the pod states and events in the evidence.',
  ),
  SMOKE_TEST_FAILED: entry(
    'kubernetes',
    true,
    502,
    'The smoke test failed',
    'The evidence names the check that failed and between which nodes.',
  ),
  MANIFEST_REFUSED: entry(
    'kubernetes',
    false,
    502,
    'The API server refused a manifest',
    'Read its answer in the evidence.',
  ),

  // The lab of demo and tests.
  LAB_FAILED: entry(
    'internal',
    true,
    500,
    'The lab could not be set up',
    'Read the evidence; `npm run lab -- down` removes what is left, then try again.',
  ),

  // Ourselves.
  OPERATION_ABORTED: entry(
    'phase',
    false,
    409,
    'The operation was aborted',
    'Start a new build when ready: what was done is kept.',
  ),
  SECRET_UNREADABLE: entry(
    'internal',
    false,
    500,
    'A stored secret cannot be decrypted',
    'Give the key with the id named in the evidence.',
  ),
  STORE_FAILED: entry(
    'internal',
    true,
    500,
    'Our database failed',
    'Check disk space and permissions of the data directory, or the PostgreSQL server.',
  ),
  SECRET_KEY_LOST: entry(
    'internal',
    false,
    500,
    'The key of the stored secrets is missing',
    'Put back the file secret.key of the data directory, or KUBEWRIGHT_SECRET_KEY, from your backup of the keys. Without it: restore into a new data directory and enter all credentials anew.',
  ),
  OPERATION_LOST: entry(
    'internal',
    true,
    500,
    'Temporal has lost this operation',
    'Start it again: what was done on the hosts is kept, and only the rest runs. Find out why the data of Temporal is gone or replaced.',
  ),
  STORE_BUSY: entry(
    'internal',
    true,
    503,
    'Our database is locked or overloaded',
    'Repeat the request. If it stays: end what holds the lock (another process on kubewright.db; in PostgreSQL a session that is "idle in transaction", see pg_stat_activity).',
  ),
  STORE_FULL: entry(
    'internal',
    true,
    507,
    'There is no space left for our database',
    'Free space on the disk of the data directory, or of the PostgreSQL server; nothing of ours has to be restarted.',
  ),
  INTERNAL: entry(
    'internal',
    true,
    500,
    'Something of ours went wrong',
    'Look up the request id in the log and report it.',
  ),
} as const satisfies Record<string, ErrorEntry>;
