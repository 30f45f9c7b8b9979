# Airflow in an environment of its own beside Lockstep's, which its tasks run in.
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
RUN /opt/uv/bin/uv sync --frozen --no-dev --extra postgres --no-install-package mypy
# The extensions are optional where somebody installs this; in an image they must be there.
# hadolint ignore=DL3059
RUN .venv/bin/python -c "import lockstep.stores._vectors, lockstep.contract._trees"
COPY airflow/requirements.txt /tmp/airflow.txt
RUN /opt/uv/bin/uv venv /opt/airflow \
 && /opt/uv/bin/uv pip install --python /opt/airflow/bin/python --no-deps --require-hashes \
    -r /tmp/airflow.txt

FROM maven:3.9.11-eclipse-temurin-17 AS jars
WORKDIR /jars
COPY lockstep/lake/spark/jars/pom.xml lockstep/lake/spark/jars/SHA256SUMS ./
RUN mvn --quiet --batch-mode dependency:copy-dependencies -DoutputDirectory=/jars/spark-jars
WORKDIR /jars/spark-jars
RUN sha256sum --check --quiet --strict ../SHA256SUMS

FROM python:3.11.13-slim-bookworm
ARG LOCKSTEP_VERSION=dev
LABEL org.opencontainers.image.title="lockstep-airflow" \
      org.opencontainers.image.version="${LOCKSTEP_VERSION}"
RUN apt-get update \
 && apt-get install -y --no-install-recommends openjdk-17-jre-headless=17.* procps=2:4.0.* tini=0.19.* \
 && rm -rf /var/lib/apt/lists/*
RUN useradd --uid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin lockstep \
 && install -d -o 10001 -g 10001 /var/lib/lockstep
RUN install -d -o 10001 -g 10001 /var/lib/airflow
COPY --from=build /app /app
COPY --from=build /opt/airflow /opt/airflow
COPY --from=jars /jars/spark-jars /app/.venv/share/lockstep/spark-jars
COPY airflow/dags /app/airflow/dags
COPY airflow/pools.json /app/airflow/pools.json
COPY compose/entrypoint /usr/local/bin/lockstep-entrypoint
ENV PATH=/app/.venv/bin:/opt/airflow/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp \
    LOCKSTEP_PROJECT_DIR=/app \
    LOCKSTEP_HOME=/var/lib/lockstep
WORKDIR /app
USER 10001:10001
ENV AIRFLOW_HOME=/var/lib/airflow \
    AIRFLOW__CORE__DAGS_FOLDER=/app/airflow/dags \
    AIRFLOW__CORE__LOAD_EXAMPLES=False
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=10s --start-period=90s --retries=4 \
  CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8080/api/v2/monitor/health', timeout=8)"]
ENTRYPOINT ["/usr/bin/tini", "--", "/bin/sh", "/usr/local/bin/lockstep-entrypoint"]
CMD ["airflow", "api-server"]
