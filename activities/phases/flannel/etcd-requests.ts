import { encodeMessage, type Field, type Message } from '../external-etcd/public.ts';

// etcd's own gRPC API (api/etcdserverpb/rpc.proto and api/authpb/auth.proto of 3.6), numbers of fields from there.

/** Paths of the calls. */
export const CALLS = {
  put: '/etcdserverpb.KV/Put',
  range: '/etcdserverpb.KV/Range',
  deleteRange: '/etcdserverpb.KV/DeleteRange',
  authStatus: '/etcdserverpb.Auth/AuthStatus',
  authEnable: '/etcdserverpb.Auth/AuthEnable',
  userAdd: '/etcdserverpb.Auth/UserAdd',
  userGrantRole: '/etcdserverpb.Auth/UserGrantRole',
  roleAdd: '/etcdserverpb.Auth/RoleAdd',
  roleGrant: '/etcdserverpb.Auth/RoleGrantPermission',
} as const;

export const NOTHING = encodeMessage([]);

/** Keys below a prefix, with their values. */
export const below = (prefix: string): Uint8Array =>
  encodeMessage([
    [1, `${prefix}/`],
    [2, `${prefix}0`],
  ]);
export const put = (key: string, value: string): Uint8Array =>
  encodeMessage([
    [1, key],
    [2, value],
  ]);
/** One key; with `end` those from it up to, and without, the end. */
export const deleteKeys = (key: string, end?: string): Uint8Array =>
  encodeMessage([[1, key], ...(end === undefined ? [] : [[2, end] satisfies Field])]);

/** A user without a password: only a certificate with its name is that user. */
export const addUser = (name: string): Uint8Array =>
  encodeMessage([
    [1, name],
    [3, encodeMessage([[1, 1]])],
  ]);
export const grantRole = (user: string, role: string): Uint8Array =>
  encodeMessage([
    [1, user],
    [2, role],
  ]);
export const addRole = (name: string): Uint8Array => encodeMessage([[1, name]]);
/** Permission READWRITE (2) on all keys below a prefix. */
export const grantPrefix = (role: string, prefix: string): Uint8Array =>
  encodeMessage([
    [1, role],
    [
      2,
      encodeMessage([
        [1, 2],
        [2, `${prefix}/`],
        [3, `${prefix}0`],
      ]),
    ],
  ]);

/** Does the etcd know users? */
export const isAuthEnabled = (answer: Message): boolean => answer.integer(2) === 1n;
