# Leeward as one small image: the binary, the C library it needs, and certificates. No shell, no root.
#
#   docker build -t leeward .
#   docker run --rm -e LEEWARD_SOURCE_URL -e LEEWARD_TARGET_URL leeward doctor
#
# Needs BuildKit (the default since Docker 23) for the cache mounts and for ADD --chmod.

# The compiler of rust-toolchain.toml. That file is not copied: it also asks for rustfmt and clippy, which rustup
# would then download for a build that uses neither. Debian 12 on both sides, so that the C library is the same.
FROM rust:1.95.0-slim-bookworm AS build

# The image's gcc and ar are all that the C parts (aws-lc, zlib) want. Without this setting zlib might be linked to a
# shared library that the final image lacks.
ENV LIBZ_SYS_STATIC=1

WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY crates crates
# Both are compiled into the binary.
COPY migrations migrations
COPY policies policies

# --locked: the versions that were tested, or no image. The caches outlive a change of the sources, so that only
# Leeward itself is compiled again; what is in a cache mount is not in the layer, hence the copy.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked -p leeward \
    && cp target/release/leeward /leeward

# cc: the static image plus glibc and libgcc_s, and ca-certificates for calls to AWS; nothing else is linked.
FROM gcr.io/distroless/cc-debian12:nonroot

# Certificates of RDS are signed by AWS's own authorities, which no system store holds, and a Fargate task can mount
# no file: so the image carries the bundle, and the configuration names it as the CA file. It is fetched at build time
# because it grows as AWS adds Regions: build again now and then. GovCloud and China have their own addresses.
ARG RDS_CA_BUNDLE_URL=https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem
# The linters do not see that the variable is a URL, which COPY cannot fetch.
# checkov:skip=CKV_DOCKER_4: COPY cannot fetch a URL
# hadolint ignore=DL3020
ADD --chmod=0444 ${RDS_CA_BUNDLE_URL} /etc/leeward/rds-ca.pem

COPY --from=build /leeward /usr/local/bin/leeward

# By number, so that a platform that demands a non-root user can see that this is one; it is the image's "nonroot".
# Leeward writes nothing to disk: the root file system can be read-only.
USER 65532:65532

# Exec form: Leeward is process 1 and gets SIGTERM itself. It then stops within 100 s; give it a stop time-out of
# 120 s. No HEALTHCHECK: ECS ignores the image's and takes the task definition's, which is to be `leeward healthcheck`
# (infra/ecs.tf).
# checkov:skip=CKV_DOCKER_2: ECS ignores it, and most commands of this image run to an end and listen nowhere
ENTRYPOINT ["/usr/local/bin/leeward"]
CMD ["--help"]
