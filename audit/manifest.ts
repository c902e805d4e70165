import { z } from 'zod';

/** What is in a bundle, signed. The parts follow in this order. */
export const FORMAT = 'kubewright-bundle/1';

const digest = z.string().regex(/^[0-9a-f]{64}$/);

export const manifest = z.object({
  format: z.literal(FORMAT),
  cluster: z.string().max(256),
  operation: z.string().max(256),
  createdAt: z.string().max(32),
  /** The operation's chain as it was when the bundle was made. */
  chain: z.object({ id: z.string().max(600), links: z.int(), head: digest }),
  /** Heads of the cluster's and the installation's chains then. Absent in bundles of earlier versions, as the next two. */
  heads: z
    .array(z.object({ chain: z.string().max(600), n: z.int(), hash: digest }))
    .max(10)
    .optional(),
  /** The newest anchor then. */
  anchor: z.object({ n: z.int(), hash: digest }).optional(),
  /** Whose the specs are, and when they were stored. */
  specs: z
    .array(z.object({ digest, cluster: z.string().max(256), createdAt: z.string().max(32) }))
    .max(10_000)
    .optional(),
  /** Fingerprint of the signing key. */
  key: z.string().max(100),
  parts: z.array(z.object({ name: z.string().max(100), size: z.int().min(0), sha256: digest })).max(5_000_000),
});
export type Manifest = z.infer<typeof manifest>;

/** Names of what every bundle holds. */
export const PARTS = {
  manifest: 'manifest.json',
  signature: 'manifest.sig',
  publicKey: 'public-key.pem',
  readme: 'README.txt',
  sums: 'SHA256SUMS',
  chain: 'chain.jsonl',
  requests: 'requests.jsonl',
  plan: 'plan.json',
  status: 'status.json',
} as const;

export const outputPart = (digestOfOutput: string): string => `outputs/${digestOfOutput}`;
export const specPart = (digestOfSpec: string): string => `specs/${digestOfSpec}.json`;
export const historyPart = (index: number): string => `history/${String(index + 1).padStart(4, '0')}.json`;

/** For readers who open a bundle without Kubewright. */
export const README = `This is everything that is known of one operation on a Kubernetes cluster: who asked for it, every command that ran on
a host with its result and output, and the workflow that decided on it. It can be checked without Kubewright:

  sha256sum -c SHA256SUMS                          every part is the one that was packed
  openssl pkeyutl -verify -pubin -inkey public-key.pem -rawin -in manifest.json -sigfile manifest.sig
                                                   the manifest, which names SHA256SUMS, was signed with this key
  openssl pkey -pubin -in public-key.pem -outform DER | sha256sum
                                                   compare this with the fingerprint from the installation's operator

chain.jsonl: each line is the sha256 of the rest of the line, a space, and one half of a record (begin or end) as JSON.
That JSON names the sha256 of the line before it as "prev", so no line can be changed, dropped, added or moved:

  cut -d' ' -f2- chain.jsonl | while IFS= read -r line; do printf %s "$line" | sha256sum | cut -c1-64; done |
    diff - <(cut -c1-64 chain.jsonl) && echo unchanged

outputs/<sha256>: what a command wrote, by the digest that its end names; secrets are masked, and "truncated":1 marks
outputs of which only the beginning was kept.
history/*.json: the workflows' histories as Temporal's own tools read them. Results of tasks hold "chainHead": the number
and hash of a link of the chain, so history and chain prove each other.
requests.jsonl: requests to the API that concern this operation, in the form of chain.jsonl; they are links of the
cluster's own chain. specs/, plan.json, status.json: what was wanted, what was to be done, how it ended.

kubewright audit verify FILE does all of this, and more.
`;
