import { defineTexts } from '../lib/texts.ts';

export default defineTexts({
  en: {
    unreachable: 'The service does not answer',
    unexpected: 'Something unexpected happened',
    evidence: 'Evidence',
    hint: 'What to do:',
    request: 'Request',
    reason: 'Reason (optional, recorded in the history)',
    back: 'Back',
    again: 'Try again',
    loading: 'Loading…',
    notFound: 'There is no such page.',
  },
  zh: {
    unreachable: '服务没有响应',
    unexpected: '发生意外错误',
    evidence: '证据',
    hint: '处理方法：',
    request: '请求',
    reason: '原因（可选，会记入历史）',
    back: '返回',
    again: '重试',
    loading: '正在加载…',
    notFound: '没有这个页面。',
  },
});
