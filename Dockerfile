# Untested: nobody has built this image yet. It says how one would be made.
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked --bin weir

FROM debian:bookworm-slim
# The platform's certificate authorities, to reach providers by TLS.
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 4141 --create-home --home-dir /var/lib/weir weir
COPY --from=build /src/target/release/weir /usr/local/bin/weir
USER weir
WORKDIR /var/lib/weir
VOLUME /var/lib/weir
EXPOSE 4141
# Mount /etc/weir/weir.toml; it needs `listen = "0.0.0.0:4141"`, keys, an admin key, and `[ledger] url` in the volume.
ENTRYPOINT ["weir"]
CMD ["serve", "--config", "/etc/weir/weir.toml"]
