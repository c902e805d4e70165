import type { Arch } from '../../../activities/artifacts/artifact.ts';
import { SourceUnavailable } from '../types.ts';

/** The architecture of this machine, as artifacts name it. */
export const machineArch = (): Arch => (process.arch === 'arm64' ? 'arm64' : 'amd64');

/** Throws SourceUnavailable for files of other machines than this one, where it can only make its own. */
export function refuseOtherArch(arch: Arch, why: string, own: Arch = machineArch()): void {
  if (arch !== own) throw new SourceUnavailable(`${why} for ${arch}, and this machine is ${own}`, { loud: true });
}
