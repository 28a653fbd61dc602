# Any image of Debian's kind with python3 3.11 or newer and its venv module will do. A release names
# both by digest: see docs/releasing.md.
ARG BASE_IMAGE=python:3.13-slim-bookworm
# What builds GraphiQL's page; nothing of it runs.
ARG NODE_IMAGE=node:20-bookworm-slim

FROM ${NODE_IMAGE} AS graphiql
WORKDIR /src/graphiql
COPY graphiql/package.json graphiql/package-lock.json graphiql/.npmrc ./
RUN npm ci --omit=dev
WORKDIR /src
COPY graphiql graphiql
COPY examples examples
COPY gateway/http/cdn gateway/http/cdn
RUN node graphiql/build.mjs

FROM ${BASE_IMAGE} AS build
# requirements-otel.txt has what traces need as well.
ARG REQUIREMENTS=requirements.txt
WORKDIR /src
# What builds stays behind in this stage; what runs gets an environment of its own, without pip.
COPY ${REQUIREMENTS} scripts/build.txt ./
RUN python3 -m venv /opt/build \
    && /opt/build/bin/pip install --no-cache-dir --require-hashes -r build.txt \
    && python3 -m venv --without-pip /opt/gateway \
    && /opt/build/bin/pip --python /opt/gateway/bin/python install --no-cache-dir --require-hashes -r "${REQUIREMENTS}"
COPY pyproject.toml README.md LICENSE ./
COPY gateway gateway
COPY --from=graphiql /src/gateway/http/assets gateway/http/assets
RUN /opt/build/bin/hatchling build -t wheel \
    && /opt/build/bin/pip --python /opt/gateway/bin/python install --no-cache-dir --no-deps dist/*.whl

FROM ${BASE_IMAGE}
RUN useradd --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin gateway
COPY --from=build /opt/gateway /opt/gateway
ENV PATH=/opt/gateway/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    GATEWAY_HOST=0.0.0.0 \
    GATEWAY_PORT=8080
ARG BASE_IMAGE
ARG VERSION=unreleased
ARG REVISION=unknown
ARG CREATED=unknown
ARG SOURCE=unknown
LABEL org.opencontainers.image.title="Customer groups gateway" \
      org.opencontainers.image.description="A GraphQL gateway over the REST APIs that own customer groups." \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.base.name="${BASE_IMAGE}"
USER 10001:10001
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["python", "-m", "gateway.healthcheck"]
# Python listens to it from its first moment; to SIGTERM, as process 1, only once a module has said so.
STOPSIGNAL SIGINT
ENTRYPOINT ["gateway"]
CMD ["serve"]
