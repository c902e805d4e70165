import { createHash } from 'node:crypto';
import { checkoutRoot } from '../../../cli/dev/paths.ts';
import type { ClusterSpecInput } from '../../../lab/types.ts';
import type { MatrixCase, SpecDraft } from './case.ts';

/** The spec of a case, made from the one that the lab proposes. `changed`: with the one option of the second build. */
export function specOf(each: MatrixCase, proposed: ClusterSpecInput, { changed = false } = {}): ClusterSpecInput {
  const document = structuredClone(proposed);
  const draft = document.spec as unknown as SpecDraft;
  each.spec(draft);
  if (changed) each.change(draft);
  return document;
}

/** Names of labs have at most 8 characters; one for each case and checkout, so that checkouts do not take each other's hosts. */
export const labNameOf = (name: string): string =>
  process.env['KUBEWRIGHT_MATRIX_LAB'] ??
  `mx${createHash('sha256').update(`${checkoutRoot} ${name}`).digest('hex').slice(0, 6)}`;
