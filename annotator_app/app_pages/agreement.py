"""How far people agree: with each other, with themselves, with the gold clips; for managers."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from annotator_app import charts
from annotator_app.agreeing import AgreementFigures
from annotator_app.figures import agreement_figures
from annotator_app.managing import begin
from annotator_app.session import visit_as
from caer_build.annotation.accounts import Account, everyone
from caer_build.annotation.agreement import Confusion
from caer_build.annotation.calibration import Step
from caer_build.annotation.estimates import Estimate
from caer_build.annotation.office import Office
from caer_build.annotation.project import STEP_WORDS
from caer_build.annotation.reliability import PairKappa
from caer_build.errors import StoreError


def show(office: Office, _account: Account) -> None:
    """The page."""
    begin("Agreement")
    try:
        with st.spinner("Comparing all answers …"):
            found = agreement_figures(office)
    except StoreError as error:
        st.error(str(error))
        return
    with office.database.reading() as connection:
        name = {a.alias: a.name for a in everyone(connection)}
    st.caption(
        f"Of {found.n_answers:,} emotions that count, in their newest revision. Intervals are "
        "95 %, from 1,000 draws of the clips. Counted anew every ten minutes."
    )
    first, second, third, fourth = st.columns(4)
    with first:
        _metric("Krippendorff's alpha", found.alpha, "1: full agreement; 0: as by chance.", False)
    with second:
        _metric("Fleiss' kappa", found.fleiss, "Over clips with the usual number of answers.",
                False)  # fmt: skip
    with third:
        _metric("Agree with themselves", found.with_self.overall, "Of clips shown a second time.")
    with fourth:
        _metric("Agree with gold", found.with_gold.overall, "Of gold clips; practice left out.")
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Every two people: Cohen's kappa")
        _pairs(found.pairs, name)
    with right:
        st.subheader("Who says this, where others say that")
        _confusion(found.confusions, name)
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Does confidence mean something?")
        _calibration(found.steps)
    with right:
        st.subheader("With themselves, and with gold")
        _by_person(found, name)


def _metric(title: str, found: Estimate, words: str, is_share: bool = True) -> None:
    def said(value: float | None) -> str:
        return "-" if value is None else f"{100 * value:.1f} %" if is_share else f"{value:.3f}"

    if found.value is None:
        interval = str(found.reason)
    elif found.low is None:
        interval = f"{found.n_clips:,} clips. {found.reason}"
    else:
        interval = f"{said(found.low)} to {said(found.high)}, {found.n_clips:,} clips"
    st.metric(title, said(found.value), interval, delta_color="off", delta_arrow="off",
              border=True, help=words)  # fmt: skip


def _pairs(pairs: list[PairKappa], name: Mapping[str, str]) -> None:
    if not pairs:
        st.info("Nobody has answered a clip that somebody else has answered too.")
        return
    rows = []
    for pair in pairs:
        first, second = name[pair.first], name[pair.second]
        kappa = pair.kappa
        text = "" if kappa.value is None else f"{kappa.value:.2f}"
        more = kappa.reason or f"{kappa.low:.2f} to {kappa.high:.2f}, {kappa.n_clips:,} clips"
        rows += [(first, second, kappa.value, text, more), (second, first, kappa.value, text, more)]
    people = list(dict.fromkeys(name[p] for pair in pairs for p in (pair.first, pair.second)))
    st.altair_chart(charts.square(rows, people, ("", ""), (0.0, 1.0)), width="stretch")


def _confusion(confusions: Mapping[str, Confusion], name: Mapping[str, str]) -> None:
    who = st.selectbox(
        "Whose answers", list(confusions), format_func=lambda a: name.get(a, a),
        label_visibility="collapsed",
    )  # fmt: skip
    found = confusions[who]
    if not found.counts.sum():
        st.info("There is nothing to compare yet.")
        return
    rows = []
    for said, counts in zip(found.categories, found.counts.tolist(), strict=True):
        whole = sum(counts)
        for others, n in zip(found.categories, counts, strict=True):
            share = n / whole if whole else None
            text = "" if share is None else f"{100 * share:.0f}"
            rows.append((said, others, share, text, f"{n:,} of {whole:,} comparisons"))
    titles = (f"{name.get(who, who)} said", "another said (% of the row)")
    st.altair_chart(charts.square(rows, found.categories, titles, (0.0, 1.0)), width="stretch")


def _calibration(steps: list[Step]) -> None:
    for scale in sorted({s.steps for s in steps}):
        mine = [s for s in steps if s.steps == scale]
        rows = [
            (f"{s.step / (s.steps - 1):.2f}", s.agreement.value, s.agreement.low,
             s.agreement.high, s.n_answers)
            for s in mine
        ]  # fmt: skip
        st.altair_chart(charts.calibration(rows), width="stretch")
        words = STEP_WORDS.get(scale, ())
        counts = ", ".join(f"{row[0]}: {row[4]:,}" for row in rows)
        st.caption(
            "The share of other people's answers for the same clip that are the same. It should "
            f"rise. Answers with each confidence: {counts}."
            + (f" 0 is “{words[0]}”, 1 is “{words[-1]}”" if words else "")
        )
    if not steps:
        st.info("There are no answers yet.")


def _by_person(found: AgreementFigures, name: Mapping[str, str]) -> None:
    for agreement, title, what in (
        (found.with_self, "same answer again", "clips seen twice"),
        (found.with_gold, "as expected", "gold clips"),
    ):
        rows = [
            (f"{name[alias]} ({agreement.n_compared[alias]})", e.value, e.low, e.high, e.n_clips)
            for alias, e in agreement.by_annotator.items()
            if agreement.n_compared[alias]
        ]
        if rows:
            st.altair_chart(charts.with_interval(rows, (title, what)), width="stretch")
        else:
            st.info(str(agreement.overall.reason))


if __name__ == "__main__":
    here = visit_as("manager")
    show(here.office, here.account)
