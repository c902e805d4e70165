import { type SimulationOptions, simulate } from './simulation.ts';

// One simulation in a process of its own, so that its memory is measured alone. Options as JSON, result as JSON.
const options = JSON.parse(process.argv[2] ?? '{}') as SimulationOptions;
const result = await simulate(options, (line) => process.stderr.write(`scale: ${line}\n`));
process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0));
