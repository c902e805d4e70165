import { z } from 'zod';

/**
 * `KUBEWRIGHT_LOGIN_PATHS`: folders and paths of the worker's machine, divided by `:`, whose key files and ssh-agent
 * sockets every operator may name in a spec. Empty: those that an admin named alone.
 */
export const loginPathEnvironment = {
  KUBEWRIGHT_LOGIN_PATHS: z
    .string()
    .max(4096)
    .default('')
    .refine(
      (text) => pathsOf(text).every((path) => path.startsWith('/') && !path.split('/').includes('..')),
      'must be absolute paths, divided by colons',
    ),
};

/** The normalised paths of the variable. */
export function loginPathsOf(env: { KUBEWRIGHT_LOGIN_PATHS?: string | undefined }): string[] {
  return pathsOf(env.KUBEWRIGHT_LOGIN_PATHS ?? '').map(plainPath);
}

/** True when the path is one of these, or lies in one of them. By its text alone: links are for who opens it. */
export function pathWithin(paths: readonly string[], path: string): boolean {
  const plain = plainPath(path);
  return paths.some((each) => plain === each || plain.startsWith(each === '/' ? '/' : `${each}/`));
}

const pathsOf = (text: string) => text.split(':').filter((path) => path !== '');
const plainPath = (path: string) =>
  `/${path
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/')}`;
