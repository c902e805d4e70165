import { defineScreen } from '../../define-screen.ts';

export default defineScreen({
  path: '/clusters/$name',
  title: { en: 'Cluster', zh: '集群' },
  view: () => import('./view.tsx'),
});
