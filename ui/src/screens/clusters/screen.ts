import { defineScreen } from '../../define-screen.ts';

export default defineScreen({
  path: '/',
  title: { en: 'Clusters', zh: '集群' },
  nav: { order: 10 },
  view: () => import('./view.tsx'),
});
