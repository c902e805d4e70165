import type { Guard } from './guard.ts';

/**
 * Flags that every token that may build may set: sizes, rates, times and how much is logged. Whatever is not named here is
 * guarded (guard.ts): who is let in, as whom, what they may do, what is recorded, keys, certificates, addresses, ports,
 * features, and files that say any of it. Names as of Kubernetes 1.36.
 */
type Free = NonNullable<Guard['free']>;

/** From 6 on, bodies of requests are in the log, and Secrets in them. */
const LOGGING: Free = [{ key: 'v', value: /[0-5]/ }, 'logging-format', 'log-flush-frequency'];
const CLIENT: Free = ['kube-api-qps', 'kube-api-burst'];
const LEADER: Free = ['leader-elect-lease-duration', 'leader-elect-renew-deadline', 'leader-elect-retry-period'];

export const API_SERVER_FREE: Free = [
  ...LOGGING,
  'default-not-ready-toleration-seconds',
  'default-unreachable-toleration-seconds',
  'default-watch-cache-size',
  'delete-collection-workers',
  'etcd-compaction-interval',
  'etcd-count-metric-poll-period',
  'etcd-db-metric-poll-interval',
  'etcd-healthcheck-timeout',
  'etcd-readycheck-timeout',
  'event-ttl',
  'goaway-chance',
  'http2-max-streams-per-connection',
  'lease-reuse-duration-seconds',
  'livez-grace-period',
  'max-mutating-requests-inflight',
  'max-requests-inflight',
  'min-request-timeout',
  'request-timeout',
  'shutdown-delay-duration',
  'shutdown-send-retry-after',
  'shutdown-watch-termination-grace-period',
  'watch-cache',
  'watch-cache-sizes',
];

export const CONTROLLER_MANAGER_FREE: Free = [
  ...LOGGING,
  ...CLIENT,
  ...LEADER,
  /concurrent-[a-z-]+-syncs/,
  /horizontal-pod-autoscaler-[a-z-]+/,
  'attach-detach-reconcile-sync-period',
  'large-cluster-size-threshold',
  'max-endpoints-per-slice',
  'min-resync-period',
  'namespace-sync-period',
  'node-eviction-rate',
  'node-monitor-grace-period',
  'node-monitor-period',
  'node-startup-grace-period',
  'pvclaimbinder-sync-period',
  'resource-quota-sync-period',
  'secondary-node-eviction-rate',
  'terminated-pod-gc-threshold',
  'unhealthy-zone-threshold',
];

export const SCHEDULER_FREE: Free = [...LOGGING, ...CLIENT, ...LEADER, 'pod-max-in-unschedulable-pods-duration'];

export const KUBELET_FLAGS_FREE: Free = [
  ...LOGGING,
  ...CLIENT,
  /(soft-)?eviction-[a-z-]+/,
  /container-log-max-(files|size)/,
  /image-gc-(high|low)-threshold/,
  'cpu-cfs-quota',
  'cpu-cfs-quota-period',
  'cpu-manager-policy',
  'cpu-manager-reconcile-period',
  'event-burst',
  'event-qps',
  'fail-swap-on',
  'kube-reserved',
  'max-open-files',
  'max-pods',
  'memory-manager-policy',
  'minimum-image-ttl-duration',
  'node-status-max-images',
  'node-status-update-frequency',
  'pods-per-core',
  'registry-burst',
  'registry-qps',
  'reserved-cpus',
  'runtime-request-timeout',
  'serialize-image-pulls',
  'sync-frequency',
  'system-reserved',
  'topology-manager-policy',
  'topology-manager-scope',
];

/** Keys of KubeletConfiguration. */
export const KUBELET_CONFIG_FREE: Free = [
  'cgroupDriver',
  'cgroupsPerQOS',
  'containerLogMaxFiles',
  'containerLogMaxSize',
  'containerLogMaxWorkers',
  'containerLogMonitorInterval',
  'cpuCFSQuota',
  'cpuCFSQuotaPeriod',
  'cpuManagerPolicy',
  'cpuManagerPolicyOptions',
  'cpuManagerReconcilePeriod',
  'crashLoopBackOff',
  'enforceNodeAllocatable',
  'eventBurst',
  'eventRecordQPS',
  'evictionHard',
  'evictionMaxPodGracePeriod',
  'evictionMinimumReclaim',
  'evictionPressureTransitionPeriod',
  'evictionSoft',
  'evictionSoftGracePeriod',
  'failCgroupV1',
  'failSwapOn',
  'hairpinMode',
  'imageGCHighThresholdPercent',
  'imageGCLowThresholdPercent',
  'imageMaximumGCAge',
  'imageMinimumGCAge',
  'kubeAPIBurst',
  'kubeAPIQPS',
  'kubeReserved',
  'localStorageCapacityIsolation',
  'maxOpenFiles',
  'maxParallelImagePulls',
  'maxPods',
  'memoryManagerPolicy',
  'memorySwap',
  'memoryThrottlingFactor',
  'mergeDefaultEvictionSettings',
  'nodeLeaseDurationSeconds',
  'nodeStatusMaxImages',
  'nodeStatusReportFrequency',
  'nodeStatusUpdateFrequency',
  'oomScoreAdj',
  'podsPerCore',
  'qosReserved',
  'registryBurst',
  'registryPullQPS',
  'reservedMemory',
  'reservedSystemCPUs',
  'runtimeRequestTimeout',
  'serializeImagePulls',
  'shutdownGracePeriod',
  'shutdownGracePeriodByPodPriority',
  'shutdownGracePeriodCriticalPods',
  'singleProcessOOMKill',
  'syncFrequency',
  'systemReserved',
  'topologyManagerPolicy',
  'topologyManagerPolicyOptions',
  'topologyManagerScope',
  'volumeStatsAggPeriod',
];

export const PROXY_FLAGS_FREE: Free = [
  ...LOGGING,
  ...CLIENT,
  /conntrack-[a-z-]+/,
  /(iptables|ipvs)-(min-)?sync-period/,
  'config-sync-period',
  'ipvs-scheduler',
];

/** Keys of KubeProxyConfiguration. */
export const PROXY_CONFIG_FREE: Free = ['configSyncPeriod', 'conntrack', 'ipvs', 'nftables'];

/** Kernel settings for load: buffers, queues, tables, limits of files. */
export const SYSCTLS_FREE: Free = [
  /net\.core\.[a-z_]*(somaxconn|rmem|wmem|backlog|budget)[a-z_]*/,
  /net\.ipv4\.tcp_(?!syncookies|timestamps)[a-z0-9_]+/,
  /net\.ipv4\.(ip_local_port_range|neigh\.default\.gc_[a-z0-9_]+|udp_[rw]?mem[a-z_]*)/,
  /net\.netfilter\.nf_conntrack_(max|buckets|[a-z_]*timeout[a-z_]*)/,
  /fs\.(file-max|nr_open|aio-max-nr|inotify\.max_[a-z_]+)/,
  /vm\.(swappiness|max_map_count|min_free_kbytes|dirty_[a-z_]+|vfs_cache_pressure|overcommit_(memory|ratio))/,
];
