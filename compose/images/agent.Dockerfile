# The Agent: Node and iptables with the libraries they need, the bundled programs, and nothing else. There is no shell.
# `esb up --mode docker` builds it; by hand: docker build --file compose/images/agent.Dockerfile .
ARG ESB_NODE_IMAGE=node:24.21.0-bookworm-slim

FROM ${ESB_NODE_IMAGE} AS node
RUN command -v iptables || { apt-get update && apt-get install --yes --no-install-recommends iptables; }
COPY compose/images/collect.sh /collect.sh
RUN sh /collect.sh iptables iptables-restore

FROM scratch
COPY --from=node /root-of-image/ /
COPY --from=node --chown=10001:10001 /volumes/state/ /var/lib/
COPY dist/server-*.js dist/health.js dist/fence.js dist/agent.js /app/dist/
ENV ESB_HOME=/var/lib/esb IMAGE_RUNTIME=docker PATH=/usr/sbin:/usr/bin
LABEL org.opencontainers.image.title="esb agent" \
      org.opencontainers.image.description="Starts, freezes, measures and destroys workers by a Docker Engine" \
      org.opencontainers.image.licenses="MIT"
USER 10001:10001
WORKDIR /var/lib/esb
EXPOSE 50051 50052 9091
HEALTHCHECK --interval=10s --timeout=5s --retries=3 --start-period=30s \
  CMD ["/usr/bin/node", "/app/dist/health.js", "http://127.0.0.1:9091/health"]
ENTRYPOINT ["/usr/bin/node", "/app/dist/agent.js"]
