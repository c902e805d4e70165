import { secretEnvironment } from '../../store/secret-environment.ts';

/** Secrets may come from files, as in the services: the commands read plain variables. Ends the process when a file cannot be read. */
export function readSecretFiles(): void {
  const { env, problems } = secretEnvironment(process.env);
  if (problems.length > 0) {
    process.stderr.write(problems.map((line) => `kubewright: ${line}\n`).join(''));
    process.exit(1);
  }
  Object.assign(process.env, env);
}
