#!/usr/bin/env node
// `npx kubewright ...` in a clone, on any Node >= 20: the pinned Node runs the TypeScript entry (scripts/bootstrap.mjs).
import { fileURLToPath } from 'node:url';

const bootstrap = new URL('../scripts/bootstrap.mjs', import.meta.url);
process.argv.splice(1, 1, fileURLToPath(bootstrap), 'run', 'cli/main.ts');
await import(bootstrap.href);
