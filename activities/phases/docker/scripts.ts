import { CURL } from '../../host/direct.ts';

/**
 * runc for hosts without CAP_SYS_RESOURCE, which neither lower OOM scores nor have all capabilities: Docker has no setting for
 * that, as containerd has (`restrict_oom_score_adj`). Changes the specification that runc is about to read, then runs it.
 */
export const RUNC_WRAPPER_SCRIPT = `#!/bin/sh
# Written by Kubewright: spec.phases.docker.restrictOomScoreAdj.
set -u
spec='' next=''
for word; do
  case $next in
    bundle) spec=$word/config.json ;;
    process) spec=$word ;;
  esac
  next=''
  case $word in
    -b | --bundle) next=bundle ;;
    --bundle=*) spec=\${word#*=}/config.json ;;
    -p | --process) next=process ;;
    --process=*) spec=\${word#*=} ;;
  esac
done
if [ -f "$spec" ]; then
  sed -i -e 's/"oomScoreAdj": *-[0-9]*/"oomScoreAdj":0/' -e 's/"CAP_SYS_RESOURCE",//g' -e 's/,"CAP_SYS_RESOURCE"//g' "$spec"
fi
exec runc "$@"
`;

/** Names of running containers that are not of pods. */
export const CONTAINERS_OF_OTHERS = `command -v docker >/dev/null && [ -S /run/docker.sock ] || exit 0
timeout 5 docker -H unix:///run/docker.sock ps --format '{{.Names}}' | grep -v '^k8s_'`;

/** Images on the host before the first build, for the teardown; nothing where there is no Docker. */
export const IMAGES = `command -v docker >/dev/null && timeout 5 docker image ls -q --no-trunc 2>/dev/null | sort -u | head -n 2000`;

/**
 * $1: path of the socket, $2: the driver of cgroups. cri-dockerd has to answer as a runtime does (gRPC: a frame without content),
 * and Docker to have the driver. Prints \`ready\`, or what is wrong.
 */
export const CHECK = `
tries=0
while :; do
  has=$(timeout 5 docker -H unix:///run/docker.sock info --format '{{.CgroupDriver}}' 2>&1)
  if [ "$has" = "$2" ]; then
    said=$(printf '\\000\\000\\000\\000\\000' | ${CURL} -sS -m 5 --http2-prior-knowledge --unix-socket "$1" \\
      -H 'content-type: application/grpc' -H 'te: trailers' --data-binary @- http://localhost/runtime.v1.RuntimeService/Version 2>&1 | tr -cd '[:print:]')
    case $said in *docker*) echo ready; exit 0 ;; esac
    why="cri-dockerd does not answer at $1: $said"
  else why="docker info: the driver of cgroups is $has, and not $2"
  fi
  tries=$((tries + 1))
  [ "$tries" -lt 50 ] || { printf '%s\\n' "$why"; exit 0; }
  sleep 0.3
done
`;

/**
 * The containers of pods, with Docker's own means, while it is there; images that came with them and that no other container uses. $1: images
 * that were there before the first build.
 */
export const CONTAINERS_TEARDOWN = `KW_KEY=containers
kw_docker() { timeout 120 docker -H unix:///run/docker.sock "$@"; }
command -v docker >/dev/null || exit 0
kw_active=$(systemctl is-active docker.service)
[ "$kw_active" = active ] || timeout 90 systemctl start docker.service || { echo 'docker does not start, so its containers cannot be removed' >&2; exit 1; }
kw_found=$(kw_docker ps -aq --no-trunc --filter label=io.kubernetes.docker.type) || exit 1
if [ -n "$kw_found" ]; then
  kw_images=$(kw_docker inspect --format '{{.Image}}' $kw_found | sort -u)
  kw_docker rm -f -v $kw_found >/dev/null || exit 1
  kw_tell removed "$(printf '%s\\n' "$kw_found" | wc -l) containers of pods"
  for kw_i in $kw_images; do
    case " $1 " in *" $kw_i "*) continue ;; esac
    kw_docker image rm -f "$kw_i" >/dev/null 2>&1 && KW_KEY="image:$kw_i" kw_tell removed 'came with pods'
  done
fi
[ "$kw_active" = active ] || systemctl stop docker.socket docker.service
`;

/** Whether the group of the socket was there before the package, which does not take it away. */
export const GROUP = 'getent group docker >/dev/null && echo there || echo none';

/** That group, unless people were added to it. */
export const GROUP_TEARDOWN = `KW_KEY=group:docker
kw_found=$(getent group docker) || exit 0
kw_people=\${kw_found##*:}
if [ -n "$kw_people" ]; then kw_tell kept "it has members: $kw_people"; else groupdel docker && kw_tell removed 'came with the package'; fi
`;
