import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { parseConfig } from '../../../api/config.ts';
import { NAMESPACE, RETENTION_DAYS, SEARCH_ATTRIBUTES } from '../../../contracts/messages.ts';

const root = join(import.meta.dirname, '../../..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');

interface Service {
  image?: string;
  environment?: Record<string, string>;
  volumes?: string[];
  ports?: string[];
  command?: string[];
  depends_on?: Record<string, { condition: string }>;
}
const compose = parse(read('docker-compose.yml'), { merge: true }) as {
  services: Record<string, Service>;
  volumes: Record<string, unknown>;
};

describe('docker-compose.yml', () => {
  it('keeps the database in a named volume, and Temporal on 512 shards', () => {
    expect(compose.services['postgres']?.volumes).toEqual(['postgres:/var/lib/postgresql/data']);
    expect(Object.keys(compose.volumes)).toContain('postgres');
    expect(compose.services['temporal']?.environment?.['NUM_HISTORY_SHARDS']).toBe('512');
  });

  it('gives the API an environment that it accepts', () => {
    const given = compose.services['api']?.environment ?? {};
    const secrets = { POSTGRES_PASSWORD: 'ab12', KUBEWRIGHT_SECRET_KEY: Buffer.alloc(32).toString('base64') };
    const env = Object.fromEntries(
      Object.entries(given).map(([name, value]) => [
        name,
        value.replace(/\$\{(\w+):-([^}]*)\}/g, (_all, key: string, fallback: string) =>
          key in secrets ? secrets[key as keyof typeof secrets] : fallback,
        ),
      ]),
    );
    expect(parseConfig(env)).toMatchObject({
      process: 'api',
      host: '0.0.0.0',
      temporalAddress: 'temporal:7233',
      temporalNamespace: NAMESPACE,
      databaseUrl: 'postgres://kubewright:ab12@postgres:5432/kubewright',
    });
  });

  it('publishes on loopback only, unless told otherwise', () => {
    const ports = Object.values(compose.services).flatMap((service) => service.ports ?? []);
    expect(ports.length).toBe(2);
    for (const port of ports) expect(port).toMatch(/:-127\.0\.0\.1:/);
  });

  it('has no secret in it, and says what to fill in', () => {
    const example = read('deploy/.env.example');
    const used = [...read('docker-compose.yml').matchAll(/\$\{(\w+):-/g)].map((match) => match[1]!);
    for (const name of used) expect(example, name).toContain(`${name}=`);
    for (const line of example.split('\n').filter((each) => !each.startsWith('#') && each !== '')) {
      expect(line).toMatch(/^\w+=$/);
    }
  });
});

describe('create-namespace.sh', () => {
  const script = read('deploy/temporal/create-namespace.sh');
  it('makes the search attributes that the workflows set', () => {
    const made = Object.fromEntries(
      [...script.matchAll(/^attribute (\w+) (\w+)$/gm)].map((match) => [match[1], match[2]]),
    );
    const spelled = (type: string) =>
      type.replace(/([A-Z])([A-Z]*)_?/g, (_all, first: string, rest: string) => first + rest.toLowerCase());
    expect(made).toEqual(
      Object.fromEntries(Object.entries(SEARCH_ATTRIBUTES).map(([name, type]) => [name, spelled(type)])),
    );
  });

  it('keeps closed workflows as long as we say', () => {
    expect(script).toContain(`retention=${RETENTION_DAYS}d`);
    expect(compose.services['temporal-namespace']?.environment?.['NAMESPACE']).toBe(NAMESPACE);
  });
});
