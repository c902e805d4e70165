import { quote } from '../../host/quote.ts';
import type { HostFacts } from '../../host/types.ts';
import type { Fragment, Resource } from '../resource.ts';
import type { AnyKind } from './resource-kinds.ts';

/**
 * On a host with SELinux, what a fragment placed gets the label that the policy has for its path: a new file has that of its
 * folder, or of the folder that it was moved from. Elsewhere the fragment stays as it is. Pure.
 */
export function labelled(
  fragment: Fragment,
  kind: AnyKind,
  resource: Resource,
  { selinux }: Pick<HostFacts, 'selinux'>,
): Fragment {
  const paths = selinux === undefined ? [] : (kind.places?.(resource) ?? []);
  if (paths.length === 0 || fragment.script === '') return fragment;
  return { ...fragment, script: `${fragment.script}\nkw_relabel ${paths.map(quote).join(' ')}` };
}
