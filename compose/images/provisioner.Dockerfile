# The Provisioner: Node with the libraries it needs, the bundled program, and nothing else. There is no shell.
# `esb up --mode docker` builds it; by hand: docker build --file compose/images/provisioner.Dockerfile .
ARG ESB_NODE_IMAGE=node:24.21.0-bookworm-slim

FROM ${ESB_NODE_IMAGE} AS node
COPY compose/images/collect.sh /collect.sh
RUN sh /collect.sh

FROM scratch
COPY --from=node /root-of-image/ /
COPY --from=node --chown=10001:10001 /volumes/config/ /app/
COPY dist/server-*.js dist/provisioner.js /app/dist/
LABEL org.opencontainers.image.title="esb provisioner" \
      org.opencontainers.image.description="Makes the tables and buckets that resources.yml asks for, and ends" \
      org.opencontainers.image.licenses="MIT"
USER 10001:10001
WORKDIR /app
# It does one thing and ends: there is nothing to ask after.
HEALTHCHECK NONE
ENTRYPOINT ["/usr/bin/node", "/app/dist/provisioner.js"]
