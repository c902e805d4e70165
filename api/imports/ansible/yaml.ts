import { malformed } from '../../../contracts/document-bounds.ts';
import { expandHosts } from './host-pattern.ts';
import type { Inventory } from './inventory.ts';

type Json = Record<string, unknown>;

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const KEYS = ['hosts', 'children', 'vars'];

/** True for a document whose top level are groups. */
export const isYamlInventory = (document: Json): boolean =>
  Object.values(document).some(
    (group) =>
      isObject(group) &&
      Object.keys(group).every((key) => KEYS.includes(key)) &&
      (isObject(group['hosts']) || isObject(group['children'])),
  );

/** An Ansible inventory in YAML, written into `inventory`. Throws SPEC_MALFORMED, which names groups and hosts only. */
export function readYamlInventory(document: Json, inventory: Inventory): void {
  for (const [name, group] of Object.entries(document)) readGroup(name, group, inventory);
}

function readGroup(name: string, group: unknown, inventory: Inventory): void {
  inventory.group(name);
  if (group === null) return;
  const where = `the group \`${name.slice(0, 64)}\``;
  if (!isObject(group)) throw malformed(`${where} must be an object with hosts, children and vars`);
  for (const key of Object.keys(group)) {
    if (!KEYS.includes(key)) throw malformed(`${where} has a key other than hosts, children and vars`);
    const part = group[key];
    if (part !== null && !isObject(part)) throw malformed(`${where}: \`${key}\` must be an object`);
  }
  for (const [pattern, vars] of Object.entries((group['hosts'] ?? {}) as Json)) {
    if (vars !== null && !isObject(vars)) throw malformed(`${where}: variables of a host must be an object`);
    for (const host of expandHosts(pattern)) {
      inventory.add(name, host);
      for (const [key, value] of Object.entries(vars ?? {})) inventory.hostVar(host, key, value);
    }
  }
  for (const [key, value] of Object.entries((group['vars'] ?? {}) as Json)) inventory.groupVar(name, key, value);
  for (const [child, below] of Object.entries((group['children'] ?? {}) as Json)) {
    inventory.child(name, child);
    readGroup(child, below, inventory);
  }
}
