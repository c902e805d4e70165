import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { parseConfig } from '../../../api/config.ts';
import { NAMESPACE, RETENTION_DAYS, SEARCH_ATTRIBUTES } from '../../../contracts/messages.ts';
import { workerConfig } from '../../../worker/config.ts';

const root = join(import.meta.dirname, '../../..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');

interface Service {
  image?: string;
  environment?: Record<string, string>;
  volumes?: string[];
  ports?: string[];
  command?: string[];
  depends_on?: Record<string, { condition: string }>;
  healthcheck?: { test: string[] };
  restart?: string;
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

  it('gives API and worker an environment that they accept, with any characters in the password', () => {
    const secrets: Record<string, string> = {
      KUBEWRIGHT_DB_PASSWORD: 'a/b@c:d%',
      KUBEWRIGHT_SECRET_KEY: Buffer.alloc(32).toString('base64'),
    };
    const environmentOf = (service: string) =>
      Object.fromEntries(
        Object.entries(compose.services[service]?.environment ?? {}).map(([name, value]) => [
          name,
          value.replace(/\$\{(\w+):([-?])([^}]*)\}/g, (_all, key: string, mark: string, text: string) =>
            mark === '?' ? secrets[key]! : text,
          ),
        ]),
      );
    const databaseUrl = 'postgres://kubewright:a%2Fb%40c%3Ad%25@postgres:5432/kubewright';
    expect(parseConfig(environmentOf('api'))).toMatchObject({
      process: 'api',
      host: '0.0.0.0',
      temporal: { address: 'temporal:7233', namespace: NAMESPACE },
      databaseUrl,
    });
    expect(workerConfig(environmentOf('worker'))).toMatchObject({
      temporal: { address: 'temporal:7233', namespace: NAMESPACE },
      databaseUrl,
    });
  });

  it('stops with a sentence when a secret is missing, and gives no secret a default', () => {
    const text = read('docker-compose.yml');
    const named = [...text.matchAll(/\$\{(\w*(?:PASSWORD|KEY)\w*)(:?.)([^}]*)\}/g)];
    expect(new Set(named.map((match) => match[1]))).toEqual(
      new Set([
        'POSTGRES_PASSWORD',
        'KUBEWRIGHT_DB_PASSWORD',
        'TEMPORAL_DB_PASSWORD',
        'TEMPORAL_VISIBILITY_DB_PASSWORD',
        'KUBEWRIGHT_SECRET_KEY',
      ]),
    );
    for (const [all, , mark, sentence] of named) {
      expect(mark, all).toBe(':?');
      expect(sentence, all).toMatch(/\.env.*openssl/);
    }
  });

  it('has the superuser of PostgreSQL in the database and in the service that makes the users, nowhere else', () => {
    const users = Object.entries(compose.services).filter(([, { environment }]) =>
      Object.values(environment ?? {}).some((value) => value.includes('POSTGRES_PASSWORD')),
    );
    expect(users.map(([name]) => name)).toEqual(['postgres', 'database-users']);
    const { environment } = compose.services['temporal'] ?? {};
    expect(environment).toMatchObject({ POSTGRES_USER: 'temporal', VISIBILITY_POSTGRES_USER: 'temporal_visibility' });
    expect(environment?.['POSTGRES_PWD']).toContain('${TEMPORAL_DB_PASSWORD:');
    expect(environment?.['VISIBILITY_POSTGRES_PWD']).toContain('${TEMPORAL_VISIBILITY_DB_PASSWORD:');
  });

  it('has a health check with a request for every long-running service', () => {
    for (const [name, { restart, healthcheck }] of Object.entries(compose.services)) {
      if (restart !== 'unless-stopped') continue;
      expect(healthcheck?.test.length, name).toBeGreaterThan(1);
      expect(healthcheck?.test, name).not.toContain('nc');
    }
  });

  it('publishes on loopback only by default', () => {
    const ports = Object.values(compose.services).flatMap((service) => service.ports ?? []);
    expect(ports.length).toBe(2);
    for (const port of ports) expect(port).toMatch(/:-127\.0\.0\.1:/);
  });

  it('contains no secret, and names the values to fill in', () => {
    const example = read('deploy/.env.example');
    const used = [...read('docker-compose.yml').matchAll(/\$\{(\w+):[-?]/g)].map((match) => match[1]!);
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

  it('keeps closed workflows for the configured time', () => {
    expect(script).toContain(`retention=${RETENTION_DAYS}d`);
    expect(compose.services['temporal-namespace']?.environment?.['NAMESPACE']).toBe(NAMESPACE);
  });
});
