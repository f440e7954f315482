"""Starts the server: what it may listen on, and with what."""

import ipaddress
import logging
from pathlib import Path
from typing import Any

from perfusynth.errors import InputError
from perfusynth.server.access.tokens import TokenStore
from perfusynth.server.app_folder import app_folder
from perfusynth.server.settings import Settings


def start(
    studies: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    devices: tuple[str, ...] = (),
    tls_cert: Path | None = None,
    tls_key: Path | None = None,
    tls_elsewhere: bool = False,
) -> None:
    """Serve until interrupted.

    Parameters
    ----------
    studies
        The studies folder; made when it is missing.
    host, port
        Where to listen.
    devices
        Devices of the workers; empty: as the settings say.
    tls_cert, tls_key
        PEM files.
    tls_elsewhere
        A proxy in front ends TLS.

    Raises
    ------
    InputError
        The address needs tokens or TLS, or a file is missing.
    """
    settings = Settings.of_environment()
    changes: dict[str, Any] = {"tls_elsewhere": tls_elsewhere or settings.tls_elsewhere}
    if devices:
        changes["devices"] = devices
    settings = settings.model_copy(update=changes)
    proxied = settings.tls_elsewhere
    check_exposure(host, tls=tls_cert is not None or proxied, tokens=TokenStore().configured, proxied=proxied)
    check_certificate(tls_cert, tls_key)
    studies.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")

    # Imported here: what is above answers mistakes at once.
    import uvicorn

    from perfusynth.server.factory import create_app

    uvicorn.run(
        create_app(settings, studies=studies.resolve(), app_dir=app_folder()),
        host=host,
        port=port,
        log_config=None,
        access_log=False,  # it would write query strings; our own line has the route instead
        server_header=False,
        proxy_headers=settings.tls_elsewhere,
        ssl_certfile=tls_cert,
        ssl_keyfile=tls_key,
        timeout_graceful_shutdown=5,
    )


def check_exposure(host: str, *, tls: bool, tokens: bool, proxied: bool = False) -> None:
    """Refuse to listen for other machines without tokens and TLS; ``proxied``: a proxy here listens for them.

    Raises
    ------
    InputError
        Codes ``no_tokens`` and ``no_tls``.
    """
    if _is_loopback(host) and not proxied:
        return
    if not tokens:
        raise InputError(
            "Without access tokens the server only listens on this machine.",
            expected="--host 127.0.0.1 and no --tls-elsewhere, or at least one token",
            got=f"--host {host}{' behind a proxy' if proxied else ''} and no token",
            hint="Make a token with `perfusynth token add NAME`.",
            code="no_tokens",
        )
    if not tls:
        raise InputError(
            "Without TLS the server only listens on this machine.",
            expected="--host 127.0.0.1, or --tls-cert and --tls-key, or --tls-elsewhere behind a proxy",
            got=f"--host {host} and none of them",
            hint="Tokens and images would travel in the clear.",
            code="no_tls",
        )


def check_certificate(cert: Path | None, key: Path | None) -> None:
    """Both or neither, and there.

    Raises
    ------
    InputError
        Code ``bad_certificate``.
    """
    if (cert is None) != (key is None) or any(path is not None and not path.is_file() for path in (cert, key)):
        raise InputError(
            "The certificate cannot be used.",
            expected="--tls-cert and --tls-key, two PEM files",
            got="one of them, or a file that is not there",
            hint="Give both.",
            code="bad_certificate",
        )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
