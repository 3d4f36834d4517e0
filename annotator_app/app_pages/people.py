"""People: inviting, roles, practice, signs of clicking through, leaving; for managers."""

from __future__ import annotations

import pandas as pd
import streamlit as st
from sqlalchemy import select
from streamlit.delta_generator import DeltaGenerator

from annotator_app.figures import PEOPLE_DAYS, PeopleFigures, people_figures
from annotator_app.managing import act, begin, clock_now, moment, plain
from annotator_app.place import current
from annotator_app.session import visit_as
from caer_build.annotation import accounts, staff
from caer_build.annotation import tables as t
from caer_build.annotation.accounts import (
    INVITATION_DAYS,
    Account,
    Invitation,
    invite,
    needs_practice,
    open_invitations,
    revoke,
)
from caer_build.annotation.new_passwords import LINK_DAYS
from caer_build.annotation.office import Office
from caer_build.annotation.oversight import Person
from caer_build.annotation.suspicion import Sign

_LINK, _NEW_PASSWORD = "new_invitation", "new_password"
_ROLE_WORDS = {
    "annotator": "annotator: labels clips",
    "adjudicator": "adjudicator: labels clips, and decides ties",
    "manager": "manager: sees everything, labels nothing",
}
_SIGN_WORDS = {
    "too_fast": "Faster than the clips last",
    "one_key": "Always the same answer",
    "gold": "Against the gold clips",
}
_SIGN_SHORT = {"too_fast": "too fast", "one_key": "one key", "gold": "gold"}


def show(office: Office, account: Account, base_url: str) -> None:
    """The page.

    Args:
        base_url: of invitation links, without a slash at the end.
    """
    begin("People")
    found = people_figures(office, *clock_now(office))
    _table(found)
    left, right = st.columns([2, 3], gap="large")
    with left:
        _invite(office, account, base_url)
    with right:
        _one(office, account, found, base_url)


def _table(found: PeopleFigures) -> None:
    rows = [
        {
            "Name": p.name, "Called": p.alias, "Role": p.role,
            "State": "retired" if p.is_retired else "active" if p.is_qualified else "in practice",
            "Look at": ", ".join(
                _SIGN_SHORT[s.kind] for s in found.signs if s.annotator_id == p.annotator_id
            ),
            "Clips answered": p.n_votes, "Answers today": p.n_today,
            f"Hours, {PEOPLE_DAYS} days": found.hours.get(p.annotator_id, 0.0),
            "Last answer": moment(p.last_at),
        }
        for p in found.people
    ]  # fmt: skip
    st.dataframe(
        pd.DataFrame(rows), hide_index=True, width="stretch", placeholder="",
        column_config={
            "Clips answered": st.column_config.NumberColumn(format="localized"),
            f"Hours, {PEOPLE_DAYS} days": st.column_config.NumberColumn(format="%.1f"),
            "Last answer": st.column_config.DatetimeColumn(format="D MMM, HH:mm"),
            "Look at": st.column_config.TextColumn(
                width="medium", help="Signs of clicking through; the evidence is below."
            ),
        },
    )  # fmt: skip


def _invite(office: Office, account: Account, base_url: str) -> None:
    st.subheader("Invite somebody")
    with st.form("invite", clear_on_submit=True):
        note = st.text_input("For whom", max_chars=80, help="A note of yours; they do not see it.")
        role = st.selectbox("Role", list(_ROLE_WORDS), format_func=lambda r: _ROLE_WORDS[r])
        if st.form_submit_button("Make a link", icon=":material/link:"):
            if not note.strip():
                st.error("Say for whom the link is.")
            else:
                with office.database.writing() as connection:
                    token = invite(
                        connection, role, note.strip(), account.annotator_id, office.clock()
                    )
                st.session_state[_LINK] = f"For {note.strip()}\n{base_url}/join/{token}"
    _fresh_link(_LINK)
    _open_invitations(office, account)


def _fresh_link(key: str) -> None:
    """A link that was made a moment ago."""
    made = st.session_state.pop(key, None)
    if made:
        st.success("Copy it now: it is shown this once, and works once.")
        # Name and link in one, so that one never stands beside another's while the page is drawn.
        st.code(made, language=None, wrap_lines=True)


def _open_invitations(office: Office, account: Account) -> None:
    with office.database.reading() as connection:
        rows = open_invitations(connection, office.clock())
    if not rows:
        return
    st.caption(f"Links that nobody has used yet; a link is good for {INVITATION_DAYS} days.")
    st.dataframe(
        pd.DataFrame(
            [{"For": r.note, "Role": r.role, "Good until": moment(r.expires_at)} for r in rows]
        ),
        hide_index=True, width="stretch", placeholder="",
        column_config={"Good until": st.column_config.DatetimeColumn(format="D MMM, HH:mm")},
    )  # fmt: skip
    with st.form("revoke", border=False):
        chosen = st.selectbox("A link to take back", rows, format_func=_invitation_words)
        if st.form_submit_button("Take it back", icon=":material/link_off:"):
            act(
                office, account,
                lambda c: revoke(c, chosen.token_sha256, account.annotator_id, office.clock()),
                f"The link for {plain(chosen.note)} leads nowhere now.",
            )  # fmt: skip


def _invitation_words(invitation: Invitation) -> str:
    until = moment(invitation.expires_at)
    return f"{invitation.note}, {invitation.role}, until {until:%d %b %H:%M}"


def _one(office: Office, account: Account, found: PeopleFigures, base_url: str) -> None:
    st.subheader("One person")
    active = [p for p in found.people if not p.is_retired]
    suspects = {s.annotator_id for s in found.signs}
    first = next((k for k, p in enumerate(active) if p.annotator_id in suspects), 0)
    person = st.selectbox(
        "Person", active, index=first, format_func=lambda p: f"{p.name} ({p.alias})",
        key="person_chosen",
    )  # fmt: skip
    if person is None:
        return
    _signs(office, [s for s in found.signs if s.annotator_id == person.annotator_id])
    if person.role != "manager":
        st.write(_practice_words(office, person))
    password, practice, by_hand, leaving = st.columns(4)
    _new_password(office, account, person, base_url, password)
    if leaving.button("Retire …", icon=":material/person_off:", key="retire", width="stretch"):
        _confirm_retire(person)
    _fresh_link(_NEW_PASSWORD)
    if person.role != "manager":
        _practice(office, account, person, (practice, by_hand))
        _role(office, account, person)


def _signs(office: Office, signs: list[Sign]) -> None:
    if not signs:
        st.caption("Nothing stands out in the latest answers.")
        return
    with office.database.reading() as connection:
        ids = [clip_id for s in signs for clip_id in s.clip_ids]
        rows = connection.execute(
            select(t.clip.c.clip_id, t.clip.c.public_id).where(t.clip.c.clip_id.in_(ids))
        )
        public = {row.clip_id: row.public_id for row in rows}
    for sign in signs:
        links = " ".join(
            f"[{number}](/review?clip={public[clip_id]})"
            for number, clip_id in enumerate(sign.clip_ids, start=1)
        )
        st.warning(
            f"**{_SIGN_WORDS[sign.kind]}.** {sign.evidence} For example: {links}",
            icon=":material/visibility:",
        )
    st.caption("Each of these can be innocent. Look at the clips, and talk to the person.")


def _new_password(
    office: Office, account: Account, person: Person, base_url: str, place: DeltaGenerator
) -> None:
    with office.database.reading() as connection:
        if not accounts.account(connection, person.annotator_id).has_password:
            return
    if place.button(
        "New password", icon=":material/key:", width="stretch",
        help=f"A link to this account, good once, for {LINK_DAYS} days: whoever forgot their "
        "password sets another with it.",
    ):  # fmt: skip
        with office.database.writing() as connection:
            token = staff.new_password_link(
                connection, person.annotator_id, account.annotator_id, office.clock()
            )
        st.session_state[_NEW_PASSWORD] = (
            f"A new password for {person.name}\n{base_url}/join/{token}"
        )


def _practice_words(office: Office, person: Person) -> str:
    with office.database.reading() as connection:
        with_practice = needs_practice(connection)
    if not person.is_qualified:
        return "Is in practice: no clips that count yet."
    if not with_practice:
        return (
            "Labels clips that count. Nobody practises here yet: for that, make clips gold under "
            "*Clips*."
        )
    if person.is_untried:
        return (
            "Labels clips that count, without having practised: there was no practice clip when "
            "they joined."
        )
    return "Labels clips that count."


def _practice(
    office: Office, account: Account, person: Person, places: tuple[DeltaGenerator, DeltaGenerator]
) -> None:
    me, them = account.annotator_id, person.annotator_id
    again, by_hand = places
    if not person.is_qualified and by_hand.button(
        "Pass by hand", icon=":material/check:", width="stretch"
    ):
        act(office, account, lambda c: staff.pass_practice(c, them, me, office.clock()),
            f"{plain(person.name)} labels clips that count now.")  # fmt: skip
    if again.button(
        "Practise again", icon=":material/replay:", width="stretch",
        help="On practice clips they have not seen; clips that count come after it.",
    ):  # fmt: skip
        act(office, account, lambda c: staff.practise_again(c, them, me, office.clock()),
            f"{plain(person.name)} begins another round.")  # fmt: skip


def _role(office: Office, account: Account, person: Person) -> None:
    with st.form("role"):
        left, right = st.columns([3, 1], vertical_alignment="bottom")
        role = left.selectbox(
            "Role", list(_ROLE_WORDS), index=list(_ROLE_WORDS).index(person.role),
            format_func=lambda r: _ROLE_WORDS[r], key=f"role {person.annotator_id}",
        )  # fmt: skip
        st.caption("Who becomes a manager sees the votes, and cannot label clips any more.")
        if right.form_submit_button("Change the role", width="stretch"):
            act(
                office, account,
                lambda c: staff.set_role(
                    c, person.annotator_id, role, account.annotator_id, office.clock()
                ),
                f"{plain(person.name)} is {role} now.",
            )  # fmt: skip


@st.dialog("Retire this person?")
def _confirm_retire(person: Person) -> None:
    here = visit_as("manager")
    office, account = here.office, here.account
    st.write(
        f"**{plain(person.name)}** is signed out everywhere at once and cannot come back with this "
        "account. Clips they hold go to others. Their answers stay and count."
    )
    left, right = st.columns(2)
    if left.button("Retire", type="primary", width="stretch"):
        act(
            office, account,
            lambda c: staff.let_go(
                c, person.annotator_id, account.annotator_id, office.clock()
            ),
            f"{plain(person.name)} was retired.",
        )  # fmt: skip
    if right.button("Leave it", width="stretch"):
        st.rerun()


def _base_url() -> str:
    """Under which this page was reached, if the place does not say."""
    configured = current().base_url
    return configured or (st.context.url or "").split("/people")[0].rstrip("/")


if __name__ == "__main__":
    here = visit_as("manager")
    show(here.office, here.account, _base_url())
