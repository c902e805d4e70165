import { combination } from '../kit/combination.ts';

export default combination({ hosts: 'rhel', proxy: 'iptables', etcd: 'apart' });
