# The runtime node: containerd with what it starts and what makes networks, on Debian, and the bundled programs.
# `esb up --mode containerd` builds it; by hand: docker build --file compose/images/runtime-node.Dockerfile .
ARG ESB_NODE_IMAGE=node:24.21.0-bookworm-slim

FROM ${ESB_NODE_IMAGE}
RUN for program in containerd runc iptables ip ethtool dmsetup /usr/lib/cni/bridge; do command -v "$program" || missing=1; done; \
    [ -z "${missing:-}" ] || { apt-get update && apt-get install --yes --no-install-recommends \
      containerd runc containernetworking-plugins iptables iproute2 ethtool dmsetup && rm -rf /var/lib/apt/lists/*; }
RUN [ -x /usr/bin/node ] || ln -s "$(command -v node)" /usr/bin/node; \
    mkdir -p /var/lib/esb /var/lib/containerd /var/lib/cni /app/config/ssl
COPY dist/server-*.js dist/health.js dist/agent.js dist/runtime-node.js /app/dist/
ENV ESB_HOME=/var/lib/esb IMAGE_RUNTIME=containerd PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LABEL org.opencontainers.image.title="esb runtime node" \
      org.opencontainers.image.description="Runs workers by a containerd of its own, and the Agent that starts, freezes, measures and destroys them" \
      org.opencontainers.image.licenses="MIT"
# Root makes containers.
USER 0:0
WORKDIR /var/lib/esb
EXPOSE 50051 50052 9091
HEALTHCHECK --interval=10s --timeout=5s --retries=3 --start-period=30s \
  CMD ["/usr/bin/node", "/app/dist/health.js", "http://127.0.0.1:9091/health"]
ENTRYPOINT ["/usr/bin/node", "/app/dist/runtime-node.js"]
