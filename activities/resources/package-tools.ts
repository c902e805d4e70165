import type { PackageTool } from '../host/family/family.ts';
import type { HostFacts } from '../host/types.ts';
import { apt } from './apt.ts';
import { dnf } from './dnf.ts';
import type { PackageScripts } from './package-scripts.ts';

export const PACKAGE_NAME = /^[A-Za-z0-9][A-Za-z0-9+._-]{0,127}$/;

export const TOOLS: Readonly<Record<PackageTool['name'], PackageScripts>> = { apt, dnf };

/** The scripts of a host's package manager; null where it has none of ours. Pure. */
export const toolOf = ({ packageManager }: Pick<HostFacts, 'packageManager'>): PackageScripts | null =>
  packageManager === 'none' ? null : TOOLS[packageManager];
