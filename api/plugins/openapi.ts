import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import { createJsonSchemaTransform } from '@fastify/type-provider-zod';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { PROBLEM_TYPE } from '../../contracts/problem.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Schemas of answers in other media types than the route's own: of each line or event of a stream. */
    media?: Readonly<Record<string, z.ZodType>> | undefined;
  }
}

interface Described {
  content?: Record<string, unknown>;
}

/** Refusals are problem documents, whatever the route produces otherwise. */
function nameProblems(operation: { responses?: Record<string, Described> }): void {
  for (const [status, response] of Object.entries(operation.responses ?? {})) {
    const [schema] = Object.values(response.content ?? {});
    if (/^[45]XX$/.test(status) && schema !== undefined) response.content = { [PROBLEM_TYPE]: schema };
  }
}

/** Each media type that a route declares gets its own schema: the route's is that of its JSON. */
function nameMedia(answer: Described | undefined, media: Readonly<Record<string, z.ZodType>>): void {
  if (answer?.content === undefined) return;
  for (const [type, schema] of Object.entries(media)) {
    answer.content[type] = { schema: z.toJSONSchema(schema, { io: 'output', unrepresentable: 'any' }) };
  }
}

/** OpenAPI from the routes' schemas, at /docs and /docs/json. To be registered before the routes. */
export async function documentApi(app: FastifyInstance): Promise<void> {
  const media = new Map<string, Readonly<Record<string, z.ZodType>>>();
  app.addHook('onRoute', ({ schema, config }) => {
    if (schema?.operationId !== undefined && config?.media) media.set(schema.operationId, config.media);
  });
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Kubewright',
        description: 'Builds, operates and audits Kubernetes clusters on plain Linux hosts over SSH.',
        version: '0.1.0',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: '/' }],
      components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
      security: [{ bearer: [] }],
    },
    transform: createJsonSchemaTransform({ zodToJsonConfig: { unrepresentable: 'any' } }),
    transformObject: (document) => {
      const openapi = 'openapiObject' in document ? document.openapiObject : {};
      for (const operation of Object.values(openapi.paths ?? {}).flatMap((path) => Object.values(path ?? {}))) {
        const described = operation as { operationId?: string; responses?: Record<string, Described> };
        nameProblems(described);
        nameMedia(described.responses?.['200'], media.get(described.operationId ?? '') ?? {});
      }
      return openapi;
    },
  });
  await app.register(async (docs) => {
    // The API's description holds no secret, and a browser sends no bearer token.
    docs.addHook('onRoute', (route) => {
      route.config = { ...route.config, role: 'public' };
    });
    await docs.register(swaggerUi, { routePrefix: '/docs', staticCSP: true });
  });
}
