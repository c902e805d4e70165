import { existsSync, readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DROP_CHAINS } from '../../../activities/kube/packet-filter.ts';
import { undoByScript } from '../../../activities/resources/engine/undo.ts';
import { LocalHost, RUNS_HERE } from '../resources/support/local-host.ts';

const SAVED = `*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [10:840]
:THEIRS - [0:0]
:KUBE-FIREWALL - [0:0]
:FLANNEL-FWD - [0:0]
-A INPUT -m comment --comment "not KUBE-FIREWALL; $(touch /tmp/pwned)" -j THEIRS
-A INPUT -j KUBE-FIREWALL
-A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD
-A THEIRS -s 10.0.0.0/8 -m comment --comment "KUBE-FIREWALL" -j DROP
-A FLANNEL-FWD -s 10.244.0.0/16 -j ACCEPT
COMMIT
*nat
:POSTROUTING ACCEPT [0:0]
:CNI-HOSTPORT-DNAT - [0:0]
:CNI-DN-0123abc - [0:0]
:CNI-DN-4567def - [0:0]
-A CNI-HOSTPORT-DNAT -p tcp -m comment --comment "dnat name: \\"kubewright\\" id: \\"a\\"" -m multiport --dports 80 -j CNI-DN-0123abc
-A CNI-HOSTPORT-DNAT -p tcp -m comment --comment "dnat name: \\"podman\\" id: \\"b\\"" -m multiport --dports 81 -j CNI-DN-4567def
-A POSTROUTING -s 10.1.0.0/16 -j MASQUERADE
COMMIT
`;

let host: LocalHost;
beforeEach(() => {
  host = new LocalHost();
  for (const family of ['iptables', 'ip6tables']) {
    host.program(`${family}-save`, family === 'iptables' ? `cat <<'RULES'\n${SAVED}RULES` : ':');
    host.program(`${family}-restore`, `echo "$*" >>"$LOG"; cat >>"$LOG"`);
  }
});
afterEach(() => host.dispose());
const restored = () => (existsSync(host.path('log')) ? readFileSync(host.path('log'), 'utf8') : '');

describe.skipIf(!RUNS_HERE)('chains of ours', () => {
  it('go with the rules that lead to them; nothing of others is touched or run', async () => {
    const changes = await undoByScript(host, `${DROP_CHAINS}\nkw_drop_chains '^KUBE-'`);
    expect(restored()).toBe(
      '--noflush\n*filter\n:KUBE-FIREWALL - [0:0]\n-D INPUT -j KUBE-FIREWALL\n-X KUBE-FIREWALL\nCOMMIT\n',
    );
    expect(changes).toEqual([{ resource: 'rules:iptables', action: 'remove', detail: 'chains KUBE-FIREWALL' }]);
    expect(existsSync('/tmp/pwned')).toBe(false);
  });

  it('that are not there cost nothing', async () => {
    expect(await undoByScript(host, `${DROP_CHAINS}\nkw_drop_chains '^NOBODY-'`)).toEqual([]);
    expect(restored()).toBe('');
  });

  it('of pods with host ports go for our network alone; the shared ones stay while another uses them', async () => {
    await undoByScript(host, `${DROP_CHAINS}\nkw_drop_portmap kubewright`);
    const text = restored();
    expect(text).toContain('-X CNI-DN-0123abc\n');
    expect(text).toContain('-D CNI-HOSTPORT-DNAT -p tcp -m comment --comment "dnat name: \\"kubewright\\"');
    expect(text).not.toContain('4567def');
    expect(text).not.toContain('-X CNI-HOSTPORT-DNAT');
  });
});
