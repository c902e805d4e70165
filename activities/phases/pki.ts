import { z } from 'zod';
import { AUTHORITIES } from '../pki/types.ts';
import { kubernetesStore } from './capabilities/kubernetes-store.ts';
import { definePhase } from './phase.ts';

/** The cluster's certificate authorities, in the store before any host asks for a certificate of theirs. */
export default definePhase({
  name: 'pki',
  title: 'Certificate authorities',
  hosts: 'controller',
  needs: [],
  timeouts: { applyMs: 60_000, verifyMs: 10_000 },
  expectedMs: 300,
  options: z.strictObject({}),
  hooks: {
    // Reading makes what is missing, so hosts that ask at the same time never race to make two of one authority.
    async after({ pki, offer }) {
      const { clientCertificate } = offer(kubernetesStore);
      // An etcd of others has an authority of its own.
      const needed = AUTHORITIES.filter((each) => each !== 'etcd' || clientCertificate === null);
      await Promise.all(needed.map((authority) => pki.ca(authority)));
      return [];
    },
  },
});
