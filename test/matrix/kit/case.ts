import type { ErrorCode } from '../../../contracts/errors.ts';
import type { LabRoles } from '../../../lab/roles.ts';
import type { MatrixKit } from './kit.ts';

/** One host of a spec that is being written. */
export interface HostDraft extends Record<string, unknown> {
  name: string;
  address: string;
  roles: string[];
  labels?: Record<string, string>;
  taints?: object[];
}

/** The part `spec` of a cluster, as a user writes it: without defaults. Cases change what the lab proposes. */
export interface SpecDraft extends Record<string, unknown> {
  hosts: HostDraft[];
  /** Options by phase. */
  phases: Record<string, Record<string, unknown>>;
  network?: Record<string, unknown>;
  controlPlane?: Record<string, unknown>;
}

/** Something that a case verifies beside the standard checks; throws an Error that says what differs. */
export interface MatrixCheck {
  title: string;
  /** Not again after the change: it takes minutes, and the change has no part in it. */
  once?: true;
  run: (kit: MatrixKit) => Promise<void>;
}

/**
 * What a build on this machine must be refused with, where the kernel or a package lacks what the case chooses: the case
 * then consists of the refusal, and of hosts that are as they were.
 */
export interface ExpectedRefusal {
  /** True where the machine lacks it. Scripts run on a host by `kit.onHost`. */
  here: (kit: MatrixKit) => Promise<boolean>;
  code: ErrorCode;
  /** Names the missing thing. Asked of message and evidence of the blocked tasks. */
  names: RegExp;
}

/**
 * A choice, or several that are combined, on a real cluster of lab hosts. It is data: the steps are the same for all cases
 * (`steps.ts`).
 */
export interface MatrixCase {
  /** One line of `--list` and of docs/matrix.md. */
  title: string;
  /** Hosts of the lab by role; 2 or 3 where the layout does not ask for more. */
  hosts: LabRoles;
  /** Phases whose artifacts the mirror makes only on demand. */
  with?: readonly string[];
  /** System of the hosts, a name of `lab/systems.ts`; default: Debian 12. */
  os?: string;
  /** An etcd of others runs beside the hosts; `useExternalEtcd(draft)` makes the cluster its client. */
  externalEtcd?: true;
  /** Turns the spec of the lab, which builds as it is, into that of the case. */
  spec: (draft: SpecDraft) => void;
  /** The one option that differs in the second build; asked of a draft that went through `spec`. */
  change: (draft: SpecDraft) => void;
  checks?: readonly MatrixCheck[];
  /** What must be gone from the cluster with the node that left. */
  afterRemoval?: readonly MatrixCheck[];
  /** The host that leaves before the teardown, or several that leave together; default: the last one of the spec. */
  removes?: string | readonly string[];
  /** The hosts that left join again, as bare hosts, before the teardown. */
  returns?: true;
  refusal?: ExpectedRefusal;
  /** Credentials that are stored before the spec is sent: bodies of PUT /credentials/{name}, by their names. */
  credentials?: Readonly<Record<string, object>>;
  /** Makes the bare hosts what the case needs, such as a firewall that runs. Comes before the first snapshot. */
  prepareHosts?: (kit: MatrixKit) => Promise<void>;
  /** Runs beside the first build, from when the API server answers: what a user does meanwhile. */
  whileBuilding?: (kit: MatrixKit) => Promise<void>;
  /** Takes away what `whileBuilding` or `checks` brought to a host, after it has left the cluster. */
  cleanUp?: (kit: MatrixKit, host: string) => Promise<void>;
  /** CI runs it. */
  ci?: true;
}

/** Declare a case: one file of test/matrix/cases/, default export. Its name is that of the file. */
export const defineMatrixCase = (each: MatrixCase): MatrixCase => each;
