import { type BadOption, defineBadOptions } from '../bad-options.ts';

/** Options of phase docker, and the place of the one that is wrong. */
const option = (options: Record<string, unknown>, place: string, message: RegExp): BadOption => ({
  title: `docker ${JSON.stringify(options).slice(0, 80)}`,
  spec: (draft) => {
    draft.phases['docker'] = options;
  },
  code: 'SPEC_INVALID',
  path: `spec.phases.docker${place}`,
  message,
});

/** Registries that Docker cannot have. */
const registries = (title: string, list: readonly object[], path: string, message: RegExp): BadOption => ({
  title: `docker with ${title}`,
  spec: (draft) => {
    draft.phases['docker'] = {};
    draft['registries'] = list;
  },
  code: 'SPEC_INVALID',
  path: `spec.registries${path}`,
  message,
});

export default defineBadOptions([
  option({ packages: 'podman' }, '.packages', /known: distribution, docker-ce/),
  option({ criDockerdVersion: 'latest' }, '.criDockerdVersion', /exact version/),
  option({ cgroupDriver: 'cgroup' }, '.cgroupDriver', /known: systemd, cgroupfs|did you mean/),
  option({ storageDriver: 'devicemapper' }, '.storageDriver', /known: overlay2/),
  option({ dataRoot: 'docker' }, '.dataRoot', /absolute|begin/),
  option({ dataRoot: '/etc/docker' }, '.dataRoot', /folder/),
  option({ dataRoot: '/var/lib/etcd/docker' }, '.dataRoot', /is in \/var\/lib\/etcd of etcd/),
  option({ logs: { maxSizeMiB: 0 } }, '.logs.maxSizeMiB', /at least 1$/),
  option({ logs: { maxFiles: 101 } }, '.logs.maxFiles', /at most 100$/),
  option({ openFilesLimit: 100 }, '.openFilesLimit', /at least 1024$/),
  option({ liveRestore: 'no' }, '.liveRestore', /must be true or false/),
  option({ daemon: { iptables: true } }, '.daemon.iptables', /what pods need, and no option/),
  option({ daemon: { 'data-root': '/x' } }, '.daemon.data-root', /spec\.phases\.docker\.dataRoot/),
  option({ daemon: { 'registry-mirrors': [] } }, '.daemon.registry-mirrors', /spec\.registries/),
  option({ daemon: { 'exec-opts': [] } }, '.daemon.exec-opts', /spec\.phases\.docker\.cgroupDriver/),
  option({ mirrors: [] }, '', /unknown key `mirrors`/),
  {
    title: 'docker with another driver of cgroups than the kubelet',
    spec: (draft) => {
      draft.phases['docker'] = {};
      draft.phases['nodes'] = { kubelet: { config: { cgroupDriver: 'cgroupfs' } } };
    },
    code: 'SPEC_INVALID',
    path: 'spec.phases.nodes.kubelet.config.cgroupDriver',
    message: /cgroupfs is not systemd, which Docker has/,
  },
  {
    title: 'docker beside a containerd that is named',
    spec: (draft) => {
      draft.phases['docker'] = {};
      draft.phases['runtime'] = {};
    },
    code: 'SPEC_INVALID',
    path: 'spec.phases.runtime',
    message: /each provide container-runtime/,
  },
  {
    title: 'docker without a mirror, with a version whose sum is not known',
    spec: (draft) => {
      draft.phases['docker'] = {};
      delete draft['artifacts'];
    },
    code: 'SPEC_INVALID',
    path: 'spec.phases.docker.criDockerdVersion',
    message: /no sum of the release 0\.3\.17 is known: set 0\.3\.26/,
  },
  {
    title: 'docker for one host alone',
    spec: (draft) => {
      draft.hosts[1]!['phases'] = { docker: { enabled: true } };
    },
    code: 'SPEC_INVALID',
    path: 'spec.hosts[1].phases.docker.enabled',
    message: /is chosen for the whole cluster/,
  },
  registries(
    'mirrors of another registry than Docker Hub',
    [{ host: 'registry.k8s.io', mirrors: ['https://m.test'] }],
    '[0].mirrors',
    /Docker has mirrors of docker\.io only/,
  ),
  registries(
    'a project behind a mirror',
    [{ host: 'docker.io', mirrors: ['https://m.test/hub'] }],
    '[0].mirrors',
    /takes no project/,
  ),
  registries(
    'a login at Docker Hub beside mirrors',
    [{ host: 'docker.io', mirrors: ['https://m.test'], credential: { name: 'hub' } }],
    '[0].credential',
    /send the login of docker\.io to its mirrors/,
  ),
  registries(
    'a login at a mirror',
    [
      { host: 'docker.io', mirrors: ['https://m.test'] },
      { host: 'm.test', credential: { name: 'm' } },
    ],
    '[1].credential',
    /does not log in to mirrors/,
  ),
  {
    title: 'docker with logins and another folder of the kubelet',
    spec: (draft) => {
      draft.phases['docker'] = {};
      draft.phases['nodes'] = { kubelet: { extraArgs: { 'root-dir': '/srv/kubelet' } } };
      draft['registries'] = [{ host: 'private.test', credential: { name: 'private' } }];
    },
    code: 'SPEC_INVALID',
    path: 'spec.phases.nodes.kubelet.extraArgs.root-dir',
    message: /need the folder \/var\/lib\/kubelet/,
  },
]);
