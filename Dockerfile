# One image for `api` and `worker`. glibc, not Alpine: Temporal's native core has no musl build.
FROM node:24.21.0-bookworm-slim AS modules
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# The core package holds five platforms, 150 MB; this image runs on one of them.
RUN npm ci --omit=dev --no-audit --no-fund \
  && case "$(uname -m)" in x86_64) keep=x86_64-unknown-linux-gnu ;; aarch64) keep=aarch64-unknown-linux-gnu ;; esac \
  && find node_modules/@temporalio/core-bridge/releases -mindepth 1 -maxdepth 1 ! -name "$keep" -exec rm -r {} +

FROM node:24.21.0-bookworm-slim
ENV NODE_ENV=production MALLOC_ARENA_MAX=2 KUBEWRIGHT_DATA=/data KUBEWRIGHT_CACHE=/app/cache
WORKDIR /app
COPY --from=modules /app/node_modules ./node_modules
COPY package.json LICENSE ./
COPY contracts ./contracts
COPY workflows ./workflows
COPY activities ./activities
COPY store ./store
COPY telemetry ./telemetry
COPY codec ./codec
COPY audit ./audit
COPY worker ./worker
COPY api ./api
COPY cli/main.ts cli/program.ts cli/command.ts ./cli/
COPY cli/client ./cli/client
COPY cli/local ./cli/local
COPY cli/commands ./cli/commands
COPY deploy/image/kubewright /usr/local/bin/kubewright
# The workflow bundle is made here, so that no worker needs webpack's memory.
RUN node -e "import('./worker/bundle.ts').then((bundle) => bundle.workflowBundlePath())" \
  && useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin kubewright \
  && install -d -o kubewright -g kubewright -m 0700 /data
USER kubewright
VOLUME /data
EXPOSE 8080
# PID 1 would not get default signal handling; both entries close with grace by themselves.
CMD ["node", "api/main.ts"]
