"""`perfusynth token`: who may use the server."""

from typing import Annotated

import typer

app = typer.Typer(help="Access tokens of the server.", no_args_is_help=True)


@app.command()
def add(
    user: Annotated[str, typer.Argument(help="Who will hold it; jobs belong to this name.")],
    role: Annotated[str, typer.Option(help="user, annotator or admin.")] = "user",
    days: Annotated[int | None, typer.Option(min=1, help="How long it is valid; without: until removed.")] = None,
) -> None:
    """Make a token and print it, this once; the server keeps only its hash."""
    from perfusynth.server.access.tokens import TokenStore

    typer.echo(TokenStore().add(user, role, days))


@app.command("list")
def list_tokens() -> None:
    """Show ids, holders, roles and dates."""
    from perfusynth.server.access.tokens import TokenStore

    for entry in TokenStore().entries():
        until = f"until {entry.expires:%Y-%m-%d}" if entry.expires else "until removed"
        expired = "  EXPIRED" if entry.expired else ""
        typer.echo(f"{entry.id}  {entry.user}  {entry.role}  made {entry.created:%Y-%m-%d}, {until}{expired}")


@app.command()
def remove(token_id: Annotated[str, typer.Argument(metavar="ID", help="As `token list` shows it.")]) -> None:
    """Remove a token; a running server refuses it from the next request on."""
    from perfusynth.server.access.tokens import TokenStore

    TokenStore().remove(token_id)
    typer.echo(f"{token_id} removed")
