import { z } from 'zod';
import { importedInventory } from '../../contracts/api.ts';
import { LIMITS } from '../../contracts/limits.ts';
import { dnsLabel } from '../../contracts/primitives.ts';
import { loadImportFormats } from '../imports/format.ts';
import { importInventory } from '../imports/import.ts';
import { specProblems } from '../imports/problems.ts';
import { clusterName, defineRoutes, responses } from '../route.ts';

/** Characters of a pasted inventory. One of 1,000 hosts has some 100 KiB. */
const TEXT_CHARS = 512 * 1024;

const formats = await loadImportFormats();
const names = formats.map(({ name }) => name);

const body = z.strictObject({
  text: z
    .string()
    .min(1)
    .max(TEXT_CHARS)
    .describe('The inventory; several files one after the other, divided by lines of `---`'),
  format: z
    .enum(['auto', ...names])
    .default('auto')
    .describe('Format of the text; auto: the first that recognizes it'),
  name: clusterName.optional().describe('Name of the cluster; default: that of the inventory, or `imported`'),
  credential: dnsLabel
    .optional()
    .describe('Stored credential for all hosts; default: the key files that the inventory names'),
});

/** POST /imports: an inventory of another tool as a spec. Changes and keeps nothing. */
export default defineRoutes((api, deps) => {
  const problemsOf = specProblems(deps.phases);
  api.post(
    '/imports',
    {
      // Inventories hold passwords.
      config: { role: 'viewer', anyCluster: true, secretBody: true, bodyBounds: { textChars: TEXT_CHARS } },
      bodyLimit: LIMITS.requestBodyBytes,
      schema: {
        operationId: 'importInventory',
        summary: 'Give the spec of an inventory of Kubespray, kubeasz or k0sctl',
        description:
          'Nothing is built or stored. What does not map is listed with the reason; values of secrets are in no answer.',
        tags: ['clusters'],
        body,
        response: responses({ 200: importedInventory }),
      },
    },
    async (request) => {
      const { format, ...rest } = request.body;
      const caller = request.actor?.id ?? request.ip;
      const readYaml = async (text: string) => {
        const bytes = new TextEncoder().encode(text);
        return (await api.parsePool.parse({ bytes, type: 'application/yaml' }, caller)).value;
      };
      return await importInventory(
        { ...rest, format: format === 'auto' ? undefined : format },
        { formats, readYaml, problemsOf },
      );
    },
  );
});
