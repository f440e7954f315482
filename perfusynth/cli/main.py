"""`perfusynth`: every command is registered here; bad input ends in one line and exit code 2."""

import sys

import typer

from perfusynth import __version__
from perfusynth.cli import (
    brain,
    calibrate,
    check,
    colours,
    demo,
    evaluate,
    maps,
    measure,
    models,
    phantom,
    prepare,
    register,
    serve,
    synthesize,
    token,
    train,
)
from perfusynth.errors import Cancelled, InputError, PerfusynthError

app = typer.Typer(
    help="CT perfusion maps (Tmax, CBF) synthesised from a plain head CT. SYNTHETIC - research use only.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(synthesize.synthesize)
app.command()(check.check)
app.add_typer(models.app, name="models")
app.command()(serve.serve)
app.command()(demo.demo)
app.command()(phantom.phantom)
app.command()(prepare.prepare)
app.command()(train.train)
app.command()(evaluate.evaluate)
app.command()(calibrate.calibrate)
app.command()(maps.maps)
app.command()(register.register)
app.command()(colours.colours)
app.command()(measure.measure)
app.command()(brain.brain)
app.add_typer(token.app, name="token")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"perfusynth {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_print_version, is_eager=True, help="Show the version."),
) -> None:
    pass


def main() -> None:
    """Entry point of the console script."""
    try:
        app()
    except InputError as error:
        print(f"perfusynth: [{error.code}] {error}".replace("\n", " "), file=sys.stderr)
        sys.exit(2)
    except (Cancelled, KeyboardInterrupt):
        print("perfusynth: cancelled.", file=sys.stderr)
        sys.exit(130)
    except OSError as error:
        # A full disk, a folder that may not be read: a traceback would not help the person who can mend it.
        place = f": {error.filename}" if error.filename else ""
        print(f"perfusynth: {error.strerror or error}{place}", file=sys.stderr)
        sys.exit(1)
    except PerfusynthError as error:
        print(f"perfusynth: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
