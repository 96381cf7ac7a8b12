# The same image as `make image` builds without Docker. Context: the checkout.
#   docker build -t HOST/PATH:TAG .
ARG NODE_VERSION=24.21.0
FROM node:${NODE_VERSION}-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src src
RUN npm run build && npm prune --omit=dev --no-audit --no-fund \
  && find node_modules -type f \( -name '*.map' -o -name '*.ts' -o -name '*.mts' -o -name '*.cts' \) -delete
COPY LICENSE ./
COPY policy-engine/modules policy-engine/modules
COPY config/samples/golemtrust-production-policy.yaml config/samples/
COPY crds crds
COPY config/base/rbac.yaml config/base/
COPY config/webhook/rbac.yaml config/webhook/
COPY config/monitor/rbac.yaml config/monitor/
COPY config/kyverno/rbac.yaml config/kyverno/
RUN rm -rf src tsconfig.json tsconfig.build.json package-lock.json .npmrc

FROM gcr.io/distroless/nodejs24-debian12:nonroot
COPY --from=build --chown=0:0 /app /app
ENV NODE_ENV=production HOME=/tmp
USER 65532:65532
WORKDIR /
ENTRYPOINT ["/nodejs/bin/node", "--max-semi-space-size=4", "/app/dist/commands/main.js"]
