import type { z } from 'zod';
import type { ClusterSpec } from '../../contracts/cluster.ts';
import type { Host } from '../../contracts/host.ts';

interface CapabilitySpec<Data> {
  name: string;
  /** A cluster has exactly one provider of it, or at most one; absent: any number. */
  choice?: true | 'at-most-one';
  /** Why another provider cannot take over while pods run, as the end of a sentence; absent: it can. */
  bound?: string;
  /**
   * Of a choice that the spec makes with a field of its own: the field, and the phase that it chooses. Providers are then on when
   * they are chosen. Absent: phases that are on provide it.
   */
  chosen?: { field: string; by: (cluster: ClusterSpec) => string };
  /** Fields of the data that no build changes while the cluster runs, and where the spec has them; with `bound`. */
  stays?: readonly { field: string; path: string }[];
  /** Data of its provider for other phases. */
  data: z.ZodType<Data>;
}

/** What phases provide to each other, whichever phase it is: one file under activities/phases/capabilities/. */
export interface Capability<Data = unknown> extends CapabilitySpec<Data> {
  /**
   * Of a phase's `offers`: the phase provides the capability, and `from` says what it is like there. Pure. `from` names the
   * type of the phase's options, `({ options }: OfferView<Options>)`: TypeScript does not infer it here.
   */
  offer<Options>(from: (view: OfferView<Options>) => Data): Offer<Options>;
}

/** Declare a capability. */
export function defineCapability<Data>(spec: CapabilitySpec<Data>): Capability<Data> {
  const capability: Capability<Data> = { ...spec, offer: (from) => ({ capability, from }) };
  return capability;
}

/** What an offer is made from: no facts, so that a plan and the API can read it. */
export interface OfferView<Options> {
  cluster: ClusterSpec;
  /** The host that asks. */
  host: Host;
  /** The provider's options on that host. */
  options: Options;
}

/** Data of a phase for others about a capability that it provides. */
export interface Offer<Options> {
  capability: Capability;
  from(view: OfferView<Options>): unknown;
}

/** What the cluster's provider of a capability offers on a host. Throws what `offerOf` throws. */
export type GetOffer = <Data>(capability: Capability<Data>, host?: Host) => Data;
