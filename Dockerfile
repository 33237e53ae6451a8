# The service in one image. Nothing is downloaded when it runs: the model is prepared while the image is built.
FROM python:3.12-slim-bookworm AS build

# The MariaDB connector is compiled against the client library; the compiler stays in this stage.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc libc6-dev libmariadb-dev \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /source
RUN python -m venv /opt/mayfly
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY processes processes
COPY models models
COPY vectorstore vectorstore
COPY proof proof
COPY ingestion ingestion
COPY sessions sessions
COPY api api
RUN /opt/mayfly/bin/pip install --no-cache-dir --constraint constraints.txt ".[mariadb]" \
    && /opt/mayfly/bin/mayfly models prepare


FROM python:3.12-slim-bookworm

# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libmariadb3 tesseract-ocr \
       tesseract-ocr-ara tesseract-ocr-chi-sim tesseract-ocr-chi-tra tesseract-ocr-deu tesseract-ocr-ell \
       tesseract-ocr-eng tesseract-ocr-fra tesseract-ocr-heb tesseract-ocr-hin tesseract-ocr-ita tesseract-ocr-jpn \
       tesseract-ocr-jpn-vert \
       tesseract-ocr-kor tesseract-ocr-nld tesseract-ocr-osd tesseract-ocr-pol tesseract-ocr-por tesseract-ocr-rus \
       tesseract-ocr-spa tesseract-ocr-tha tesseract-ocr-tur tesseract-ocr-ukr tesseract-ocr-vie \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin mayfly \
    && install --directory --owner=mayfly --group=mayfly --mode=0700 /var/lib/mayfly

COPY --from=build /opt/mayfly /opt/mayfly

# The runtime folder must be a RAM disk: docker-compose.yml mounts one there.
ENV MAYFLY_HOST=0.0.0.0 \
    MAYFLY_DATA_DIR=/var/lib/mayfly \
    MAYFLY_RUNTIME_DIR=/run/mayfly \
    PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=120s --retries=3 \
    CMD ["/opt/mayfly/bin/python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health/ready', timeout=4)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["/opt/mayfly/bin/mayfly"]
CMD ["serve"]
