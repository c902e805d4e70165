import { defineTexts } from '../lib/texts.ts';

export default defineTexts({
  en: {
    title: 'Log in',
    busy: 'Logging in…',
    how: 'Open the link that the service printed when it started, or paste a token.',
    token: 'Token',
  },
  zh: {
    title: '登录',
    busy: '正在登录…',
    how: '打开服务启动时输出的链接，或粘贴令牌。',
    token: '令牌',
  },
});
