"""Every error the package raises on purpose, and the exit code each one means.

::

    CaerError                     1   anything we foresaw; the message says what to do
    |-- RecipeError               2   a recipe or a --set that cannot be right
    |-- MediaError                1   a source file that cannot be used
    |   |-- ProbeError                its headers cannot be read, or hold no video
    |   `-- DecodeError               its frames cannot be decoded
    |-- StoreError                1   the workspace cannot be used (locked, full, not one)
    |   `-- IntegrityError            a result on disk is not what its manifest says
    |-- ModelMissing              1   a model's file or package is not installed
    |-- SchemaError               1   a table or record of the wrong form
    |-- VoteError                 1   an answer that cannot be taken
    |   |-- DuplicateVote
    |   |-- LeaseLost
    |   `-- NotAllowed
    |-- SplitError                1   a split that cannot be made
    |   `-- GroupLeak
    |-- DatasetError              1   an exported folder that cannot be used
    |-- CheckpointError           1   a training run that cannot be read
    `-- DeviceError               1   a device that is not there, or computes wrongly

^C exits with 130; anything unforeseen exits with 3 and leaves a log file.
A message says what was expected, what was found, and (``remedy``) what to do.
"""

from __future__ import annotations

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_RECIPE = 2
EXIT_UNFORESEEN = 3
EXIT_INTERRUPTED = 130


class CaerError(Exception):
    """An error we foresaw.

    Args:
        message: what was expected and what was found, naming the file.
        remedy: what the user can do about it, one sentence; may be empty.
    """

    exit_code = EXIT_FAILED

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()

    def __reduce__(self) -> tuple[type[CaerError], tuple[str, str]]:
        # Errors cross process boundaries: the default would drop the remedy.
        return type(self), (self.message, self.remedy)


class RecipeError(CaerError):
    """A recipe, or a ``--set``, that cannot be right. All its problems are named at once."""

    exit_code = EXIT_RECIPE


class MediaError(CaerError):
    """A source file that cannot be used."""


class ProbeError(MediaError):
    """The headers cannot be read, or there is no video behind them."""


class DecodeError(MediaError):
    """The frames cannot be decoded."""


class StoreError(CaerError):
    """The workspace cannot be used: it is locked, full, or not a workspace."""


class IntegrityError(StoreError):
    """A result on disk is not what its manifest says it is."""


class ModelMissing(CaerError):
    """A model's file, or the package that carries it, is not installed."""


class SchemaError(CaerError):
    """A table or a record of the wrong form."""


class VoteError(CaerError):
    """An answer that cannot be taken."""


class DuplicateVote(VoteError):
    """This person has already answered for this clip."""


class LeaseLost(VoteError):
    """The clip was given to somebody else meanwhile."""


class NotAllowed(VoteError):
    """This role may not do that."""


class SplitError(CaerError):
    """A split that cannot be made."""


class GroupLeak(SplitError):
    """One group would stand in two splits."""


class DatasetError(CaerError):
    """An exported data set that cannot be used."""


class CheckpointError(CaerError):
    """A training run that cannot be read."""


class DeviceError(CaerError):
    """A device that is not there, or computes wrongly."""
