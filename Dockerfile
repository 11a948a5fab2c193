# One image for web, workers and beat; docker-compose.yml says which command each runs.

FROM node:22-slim AS page
WORKDIR /page
COPY frontend/package.json frontend/package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY frontend/ ./
RUN npm run build

FROM python:3.11-slim AS packages
# pip reads these by itself: they choose the CPU or a CUDA build of torch (docs/install.md).
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /venv
COPY requirements.txt .
RUN /venv/bin/pip install -r requirements.txt

FROM python:3.11-slim
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 VAR_DIR=/data STATIC_ROOT=/app/static
RUN useradd --system --uid 10001 --home-dir /app irisurvey && mkdir /data && chown irisurvey /data
WORKDIR /app
COPY --from=packages /venv /venv
COPY manage.py pyproject.toml ./
COPY survey_site/ survey_site/
COPY workers/ workers/
COPY frontend/templates/ frontend/templates/
COPY --from=page /page/dist/ frontend/dist/
RUN SECRET_KEY=only-for-this-step VAR_DIR=/tmp/build python manage.py collectstatic --noinput
USER irisurvey
VOLUME /data
EXPOSE 8000
CMD ["gunicorn", "survey_site.wsgi", "-c", "python:survey_site.gunicorn_settings", "--bind", "0.0.0.0:8000"]
