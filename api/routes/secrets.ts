import { rotationAnswer, rotationRequest } from '../../contracts/api.ts';
import { defineRoutes, responses } from '../route.ts';

/** /secrets: what lies sealed in the store. No route gives any of it away. */
export default defineRoutes((api, deps) => {
  api.post(
    '/secrets/rotate',
    {
      config: { role: 'admin' },
      schema: {
        operationId: 'rotateSecrets',
        summary: 'Encrypt every stored secret with a new key. After an interruption the next call continues',
        tags: ['secrets'],
        body: rotationRequest,
        response: responses({ 200: rotationAnswer }),
      },
    },
    async (request) => {
      const { rotation } = deps.store;
      const droppedKeyIds = request.body.dropOld ? await rotation.dropOld() : [];
      const done = request.body.dropOld ? await rotation.state() : await rotation.rotate();
      request.log.info(
        { ...done, unreadable: done.unreadable.length, droppedKeyIds },
        'the API encrypted the stored secrets with the new key',
      );
      return { ...done, droppedKeyIds };
    },
  );
});
