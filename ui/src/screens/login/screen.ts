import { defineScreen } from '../../define-screen.ts';

export default defineScreen({
  path: '/login',
  title: { en: 'Log in', zh: '登录' },
  open: true,
  view: () => import('./view.tsx'),
});
