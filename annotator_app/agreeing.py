"""All figures of agreement, worked out in a process of its own.

Every vote is read for them. At 300,000 votes that takes seconds and hundreds of megabytes, which
the process that serves annotators must not spend.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.engine import URL

from caer_build.annotation.agreement import (
    Agreement,
    Confusion,
    confusion,
    gold_agreement,
    self_agreement,
)
from caer_build.annotation.calibration import Step, calibration
from caer_build.annotation.database import Database
from caer_build.annotation.estimates import Estimate
from caer_build.annotation.gold import gold_clips
from caer_build.annotation.ledger import aliases, recorded_votes
from caer_build.annotation.ratings import emotion_ratings
from caer_build.annotation.reliability import (
    PairKappa,
    cohen_kappas,
    fleiss_kappa,
    krippendorff_alpha,
)
from caer_build.errors import StoreError

EVERYBODY = "Everybody"
_MODULE = "annotator_app.agreeing"


@dataclass(frozen=True)
class AgreementFigures:
    """Agreement, by what people are called.

    Attributes:
        confusions: of :data:`EVERYBODY`, and of each person.
        n_answers: emotions that count.
    """

    alpha: Estimate
    fleiss: Estimate
    pairs: list[PairKappa]
    with_self: Agreement
    with_gold: Agreement
    confusions: Mapping[str, Confusion]
    steps: list[Step]
    n_answers: int


def figures(database: Database) -> AgreementFigures:
    """Works them out, here."""
    with database.reading() as connection:
        votes = recorded_votes(connection, aliases(connection))
        gold = {clip.clip_id: clip.emotion for clip in gold_clips(connection)}
    rated = emotion_ratings(votes)
    confusions = {EVERYBODY: confusion(rated)}
    confusions |= {alias: confusion(rated, alias) for alias in rated.annotators}
    return AgreementFigures(
        krippendorff_alpha(rated), fleiss_kappa(rated), cohen_kappas(rated),
        self_agreement(votes), gold_agreement(votes, gold), confusions, calibration(votes),
        len(rated.clip),
    )  # fmt: skip


def worked_out_apart(url: URL) -> AgreementFigures:
    """Works them out in another process.

    Raises:
        StoreError: if that failed.
    """
    # The address may hold a password, which a command line would show to everybody on the machine.
    given = url.render_as_string(hide_password=False).encode()
    done = subprocess.run(
        [sys.executable, "-c", f"from {_MODULE} import main; main()"],
        input=given, capture_output=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise StoreError(f"Agreement could not be worked out: {said[-1] if said else 'no reason'}.")
    # Written by `main` a moment ago, and by nobody else.
    found: AgreementFigures = pickle.loads(done.stdout)
    return found


def main() -> None:
    """The other process: a database's address comes in, figures go out."""
    os.nice(10)  # annotators who wait for their next clip come first
    database = Database(sys.stdin.read())
    try:
        sys.stdout.buffer.write(pickle.dumps(figures(database)))
    finally:
        database.close()
