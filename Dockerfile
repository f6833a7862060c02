# The image of worker and IPN receiver; which one it is, the command says. The simulator has an image of its own
# (simulator/Dockerfile), and what bills real buyers carries neither it nor a Temporal server.
# No settings and no secrets are in it: they come with the environment (runtime/settings.py).

ARG PYTHON=python:3.13.15-slim-trixie

FROM ${PYTHON} AS build
ARG UV_VERSION=0.13.9
RUN pip install --no-cache-dir --disable-pip-version-check uv==${UV_VERSION}
ENV UV_PROJECT_ENVIRONMENT=/opt/perennial \
    UV_PYTHON_DOWNLOADS=never \
    UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_NO_CACHE=1
WORKDIR /build
# The dependencies by themselves first: they change less often than the code.
COPY pyproject.toml uv.lock LICENSE README.md ./
COPY client/pyproject.toml client/
COPY simulator/pyproject.toml simulator/
RUN uv sync --frozen --no-dev --extra otel --no-install-workspace
# Only what .dockerignore lets through is here to be copied: the packages.
COPY . .
RUN uv sync --frozen --no-dev --extra otel --no-editable

FROM ${PYTHON}
RUN groupadd --gid 10001 perennial \
    && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin perennial \
    && install --directory --owner=10001 --group=10001 --mode=0750 /data
COPY --from=build /opt/perennial /opt/perennial
ENV PATH=/opt/perennial/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
WORKDIR /tmp
STOPSIGNAL SIGTERM
ENTRYPOINT ["perennial"]
