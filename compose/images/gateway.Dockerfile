# The Gateway: Node with the libraries it needs, the bundled program, and nothing else. There is no shell.
# `esb up --mode docker` builds it; by hand: docker build --file compose/images/gateway.Dockerfile .
ARG ESB_NODE_IMAGE=node:24.21.0-bookworm-slim

FROM ${ESB_NODE_IMAGE} AS node
COPY compose/images/collect.sh /collect.sh
RUN sh /collect.sh

FROM scratch
COPY --from=node /root-of-image/ /
COPY --from=node --chown=10001:10001 /volumes/state/ /var/lib/
COPY --from=node --chown=10001:10001 /volumes/config/ /app/
COPY dist/server-*.js dist/sqlite-thread.js dist/health.js dist/gateway.js /app/dist/
ENV ESB_HOME=/var/lib/esb IMAGE_RUNTIME=docker
LABEL org.opencontainers.image.title="esb gateway" \
      org.opencontainers.image.description="Answers the AWS Lambda API and the routes of functions, and keeps their workers" \
      org.opencontainers.image.licenses="MIT"
USER 10001:10001
WORKDIR /var/lib/esb
EXPOSE 8443
HEALTHCHECK --interval=10s --timeout=5s --retries=3 --start-period=30s \
  CMD ["/usr/bin/node", "/app/dist/health.js", "https://127.0.0.1:8443/health", "/app/config/ssl/rootCA.crt"]
ENTRYPOINT ["/usr/bin/node", "/app/dist/gateway.js"]
