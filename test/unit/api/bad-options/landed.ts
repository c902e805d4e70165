import { type BadOption, defineBadOptions } from '../bad-options.ts';

/** A value of an option of a phase; `[0]` at the end of its place: the error names the first element. */
function option(phase: string, place: string, value: unknown, message: RegExp): BadOption {
  const keys = place.replace('[0]', '').split('.');
  return {
    title: `${phase}.${place} ${JSON.stringify(value)?.slice(0, 60) ?? 'undefined'}`,
    spec: (draft) => {
      draft.phases[phase] = keys.reduceRight<unknown>((inside, key) => ({ [key]: inside }), value) as Record<
        string,
        unknown
      >;
    },
    code: 'SPEC_INVALID',
    path: `spec.phases.${phase}.${place}`,
    message,
  };
}

/** Options of phases that were there before the choices of networks, runtimes and engines. */
export default defineBadOptions([
  option('flannel', 'backend', 'vxlam', /did you mean `vxlan`/),
  option('flannel', 'vxlanPort', 0, /at least 1$/),
  option('flannel', 'vxlanPort', 65_536, /at most 65535/),
  option('flannel', 'ipMasq', 'yes', /must be true or false/),
  option('flannel', 'version', 'latest', /exact version/),
  option('runtime', 'version', '2.3', /exact version/),
  option('runtime', 'config.openFilesLimit', 12, /at least 1024/),
  option('runtime', 'config.systemdCgroup', 'true', /must be true or false/),
  option('nodes', 'kubeProxy.mode', 'userspace', /unknown value `userspace`; known: nftables, iptables, ipvs/),
  option('nodes', 'kubelet.config', [], /must be an object/),
  option('master', 'encryption', 'rot13', /known: secretbox, aesgcm, aescbc/),
  option('master', 'podSecurity', 'none', /known: privileged, baseline, restricted/),
  option('master', 'audit.maxAgeDays', 0, /at least 1$/),
  option('master', 'audit.maxSizeMiB', 10_001, /at most 10000/),
  option('master', 'certificateNames[0]', ['https://api'], /address of one machine/),
  option('chrony', 'provider', 'ntpd', /known: .*chrony/),
  option('chrony', 'allow', '10.0.0.1/8', /IPv4 network.*host bits zero/),
  option('chrony', 'pool[0]', ['time example'], /DNS name/),
  option('prepare', 'packages[0]', ['rm -rf'], /name of a package/),
  option('prepare', 'sysctls', { 'net;reboot': '1' }, /the key "net;reboot" may have/),
  option('prepare', 'firewall.mode', 'closed', /known: open, leave/),
  option('prepare', 'firewall.apiFrom[0]', ['192.0.2.1'], /IPv4 network/),
]);
