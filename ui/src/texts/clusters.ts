import { defineTexts } from '../lib/texts.ts';

export default defineTexts({
  en: {
    title: 'Clusters',
    none: 'There is no cluster yet.',
    more: 'More clusters',
    progress: 'Tasks of the last operation',
    blocked: (count: number) => (count === 1 ? '1 blocked host:' : `${count} blocked hosts:`),
    hosts: 'Hosts',
    health: 'Health',
    operation: 'Last operation',
    by: 'by',
    updated: 'Changed',
  },
  zh: {
    title: '集群',
    none: '还没有集群。',
    more: '更多集群',
    progress: '最近一次操作的任务',
    blocked: (count: number) => `${count} 台受阻主机：`,
    hosts: '主机',
    health: '健康',
    operation: '最近操作',
    by: '执行者',
    updated: '更改于',
  },
});
