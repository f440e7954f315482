"""`perfusynth serve`: the server for 3D Slicer and MONAI Label's clients."""

from pathlib import Path
from typing import Annotated

import typer


def serve(
    studies: Annotated[
        Path, typer.Option(help="Folder of images: case folders (CASE/ncct.nii.gz) and plain volumes; made if missing.")
    ] = Path("studies"),
    host: Annotated[str, typer.Option(help="Address to listen on; other machines need tokens and TLS.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8000,
    device: Annotated[
        list[str] | None, typer.Option(help="Where to compute: auto, cpu, cuda:0; once per worker process.")
    ] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="Certificate chain, PEM.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its private key, PEM.")] = None,
    tls_elsewhere: Annotated[
        bool, typer.Option("--tls-elsewhere", help="A proxy in front of this server ends TLS.")
    ] = False,
) -> None:
    """Serve synthesis jobs over HTTP until Ctrl-C.

    Without access tokens (`perfusynth token add`) only this machine is served.
    """
    from perfusynth.server.start import start

    start(
        studies,
        host=host,
        port=port,
        devices=tuple(device or ()),
        tls_cert=tls_cert,
        tls_key=tls_key,
        tls_elsewhere=tls_elsewhere,
    )
