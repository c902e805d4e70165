export type { Manifest } from './manifest.ts';
export { ensureMirror, type Mirror, type MirrorOptions } from './mirror.ts';
export { mirrorDebianPackages } from './packages.ts';
export { type MirrorServer, serveMirror } from './serve.ts';
export type { MirrorProgress } from './types.ts';
