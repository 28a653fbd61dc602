# Any image of Debian's kind with python3 3.11 or newer and its venv module will do.
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
USER 10001:10001
EXPOSE 8080
# http.client, unlike urllib, asks no proxy.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["python", "-c", "\
import http.client, os, sys; \
gateway = http.client.HTTPConnection('127.0.0.1', int(os.environ['GATEWAY_PORT']), timeout=2); \
gateway.request('GET', '/health'); \
sys.exit(gateway.getresponse().status != 200)"]
# Python listens to it from its first moment; to SIGTERM, as process 1, only once a module has said so.
STOPSIGNAL SIGINT
ENTRYPOINT ["gateway"]
CMD ["serve"]
