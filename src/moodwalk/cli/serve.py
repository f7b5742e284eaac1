"""``moodwalk serve``: the HTTP API and the web app."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from moodwalk.cli.music import LibraryUrl
from moodwalk.cli.output import print_note
from moodwalk.errors import ConfigError

__all__ = ["register"]

_NEEDED = {
    "fastapi": "fastapi",
    "uvicorn": "uvicorn",
    "prometheus_client": "prometheus-client",
    "python_multipart": "python-multipart",
}


def register(app: typer.Typer) -> None:
    """Hang the command on the app."""
    app.command("serve")(serve)


def serve(
    host: Annotated[
        str,
        typer.Option(
            envvar="MOODWALK_HOST",
            help="Where to listen; anything but this machine itself needs a token.",
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, envvar="MOODWALK_PORT", help="0: any free one.")
    ] = 8000,
    token_file: Annotated[
        Path | None,
        typer.Option(
            readable=False,
            metavar="FILE",
            envvar="MOODWALK_TOKEN_FILE",
            help="Holds the token that clients show; or set MOODWALK_TOKEN.",
        ),
    ] = None,
    workers: Annotated[
        int, typer.Option(min=1, max=64, metavar="N", help="Processes that answer HTTP.")
    ] = 1,
    processes: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=64,
            metavar="N",
            help="Worker processes of each of these; by default one a core, four at most.",
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A name under which clients reach the server."),
    ] = None,
    origin: Annotated[
        list[str] | None,
        typer.Option(metavar="URL", help="A web site whose pages may use the API."),
    ] = None,
    proxy: Annotated[
        list[str] | None,
        typer.Option(metavar="ADDRESS", help="A proxy whose X-Forwarded-For is believed."),
    ] = None,
    rate: Annotated[
        float, typer.Option(min=0.1, help="Requests a second that one client may make.")
    ] = 100.0,
    max_upload: Annotated[
        float, typer.Option(min=0.01, max=4096, metavar="MIB", help="Largest file.")
    ] = 64.0,
    weights: Annotated[
        Path | None,
        typer.Option(readable=False, metavar="FILE", help="By default those that moodwalk ships."),
    ] = None,
    library: LibraryUrl = None,
    web: Annotated[bool, typer.Option("--web/--no-web", help="Serve the web app too.")] = True,
    access_log: Annotated[
        bool,
        typer.Option("--access-log/--no-access-log", help="A line for every request."),
    ] = True,
) -> None:
    """Answer over HTTP, on this machine alone unless told otherwise.

    What is uploaded is deleted at once; videos and positions are neither kept nor logged.
    """
    import os

    for module, package in _NEEDED.items():
        if find_spec(module) is None:
            raise ConfigError(f"{package} is not installed; expected it. Install 'moodwalk[app]'.")
    if find_spec("websockets") is None and find_spec("wsproto") is None:
        print_note(
            "note: /v1/live needs websockets, which is not installed. Install 'moodwalk[app]'."
        )
    from moodwalk.server.run import serve as run_server
    from moodwalk.server.settings import Limits, ServerSettings, count_processes, read_token

    token = os.environ.get("MOODWALK_TOKEN") or None
    if token_file is not None:
        if token is not None:
            raise ConfigError("both --token-file and MOODWALK_TOKEN are given; expected one.")
        token = read_token(token_file)
    limits = Limits(
        rate_per_s=rate, burst=max(2, round(2 * rate)), upload_bytes=round(max_upload * 2**20)
    )
    settings = ServerSettings(
        host=host,
        port=port,
        token=token,
        workers=workers,
        processes=processes or count_processes(),
        weights=weights,
        library=library,
        allowed_hosts=tuple(allow_host or ()),
        origins=tuple(origin or ()),
        proxies=tuple(proxy or ()),
        web=web,
        limits=limits,
    )
    run_server(settings, access_log=access_log)
