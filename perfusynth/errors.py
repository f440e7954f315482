"""The errors that people see: what was expected, what came, and what to do."""


class PerfusynthError(Exception):
    """Base of every error that this library raises on purpose."""


class InputError(PerfusynthError):
    """An input that cannot be used; shown to the user in one line, or as JSON with HTTP 4xx.

    Parameters
    ----------
    error
        What is wrong, one sentence.
    expected, got
        What was expected, and what came instead.
    hint
        What the user can do about it.
    code
        Stable machine-readable name of the fault.
    """

    def __init__(self, error: str, *, expected: str, got: str, hint: str, code: str = "bad_input"):
        super().__init__(error)
        self.error = error
        self.expected = expected
        self.got = got
        self.hint = hint
        self.code = code

    def as_dict(self) -> dict[str, str]:
        """The fields as plain JSON values."""
        return {
            "code": self.code,
            "error": self.error,
            "expected": self.expected,
            "got": self.got,
            "hint": self.hint,
        }

    def __str__(self) -> str:
        return f"{self.error} Expected {self.expected}; got {self.got}. {self.hint}"

    def __reduce__(self):
        # Keyword-only arguments do not survive the default pickling between worker and server.
        return (_rebuild_input_error, (type(self), self.as_dict()))


def _rebuild_input_error(cls: type[InputError], fields: dict[str, str]) -> InputError:
    return cls(**fields)


class Cancelled(PerfusynthError):
    """Raised by a progress callback to stop long work; nothing is left behind."""
