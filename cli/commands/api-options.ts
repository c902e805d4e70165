import { readFileSync } from 'node:fs';
import type { Command } from 'commander';

/** Where a running service is, and who asks. */
export interface ApiOptions {
  url: string;
  tokenFile?: string;
}

/** Of one answer; the largest is a plan of 1,000 hosts, ms. */
const TIMEOUT_MS = 60_000;

/** The command with the options of `ask`. */
export const withApiOptions = (command: Command, role: 'viewer' | 'admin'): Command =>
  command
    .option('--url <url>', 'URL of the API', process.env['KUBEWRIGHT_URL'] ?? 'http://127.0.0.1:8080')
    .option(
      '--token-file <file>',
      `file with a token of role ${role}; default: KUBEWRIGHT_TOKEN, then <data>/admin-token`,
    );

/** One request to the API. Throws an Error with the text of the problem document, or with the status. */
export async function ask<Answer>({ url, tokenFile }: ApiOptions, path: string, body?: object): Promise<Answer> {
  const response = await fetch(`${url}${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: {
      authorization: `Bearer ${tokenOf(tokenFile)}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  const answer = (await response.json()) as Answer & { detail?: string };
  if (!response.ok) throw new Error(answer.detail ?? `HTTP ${response.status}`);
  return answer;
}

function tokenOf(file: string | undefined): string {
  const given = process.env['KUBEWRIGHT_TOKEN'];
  if (file === undefined && given !== undefined && given !== '') return given;
  return readFileSync(file ?? `${process.env['KUBEWRIGHT_DATA'] ?? './.kubewright'}/admin-token`, 'utf8').trim();
}
