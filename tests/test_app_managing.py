"""The managers' and adjudicators' pages as Streamlit runs them, on a busy project."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import streamlit as st
from sqlalchemy import func, select, update
from streamlit.testing.v1 import AppTest

from annotator_app.managing import plain
from annotator_app.place import Place, serve_from
from caer_build.annotation import tables as t
from caer_build.annotation.accounts import digest, open_invitations
from caer_build.annotation.adjudication import TIES
from caer_build.annotation.database import Database
from caer_build.annotation.gold import gold_clips
from caer_build.annotation.review import Listed, clips_by_status
from caer_build.annotation.standing import funnel
from caer_build.annotation.suspicion import signs
from caer_build.store import Workspace
from tests.annotating import Project, answer_to
from tests.annotating_busy import HASTY, busy_project
from tests.serving import Served, make_workspace, serving

MANAGER, ADJUDICATOR = 0, 1


def run_page(name: str, annotator_id: int) -> None:
    """What the file of a page does after it has checked who asks."""
    import importlib

    from annotator_app.place import current
    from annotator_app.session import Visit
    from caer_build.annotation.accounts import account

    page = importlib.import_module(f"annotator_app.app_pages.{name}")
    office = current().office
    with office.database.reading() as connection:
        me = account(connection, annotator_id)
    more = ("https://label.example",) if name == "people" else ()
    # Fragments ask again who is there, and AppTest has no cookie to tell.
    page.visit_as = lambda *_roles: Visit(me, current(), "")
    page.show(office, me, *more)


@dataclass
class Pages:
    """Pages of a project."""

    project: Project

    def open(self, name: str, who: int = MANAGER) -> AppTest:
        """A page, drawn once."""
        args = (name, self.project.people[who])
        return self.well(AppTest.from_function(run_page, args=args, default_timeout=600).run())

    def well(self, page: AppTest) -> AppTest:
        """The page, if nothing went wrong on it."""
        assert not page.exception, page.exception[0].message
        return page


@pytest.fixture
def pages(database: Database, data: Path, tmp_path: Path) -> Iterator[Pages]:
    st.cache_data.clear()
    project = busy_project(database, data / "votes" / "ferplus_votes.csv", n_clips=90)
    serve_from(Place(Workspace.create(tmp_path / "work"), project.office))
    yield Pages(project)
    st.cache_data.clear()


def button(page: AppTest, label: str) -> AppTest:
    """Presses a button."""
    [found] = [b for b in page.button if b.label == label]
    return found.click().run()


def a_tie(pages: Pages) -> Listed:
    """A clip on which people differ, and which is not gold."""
    with pages.project.database.reading() as connection:
        ties = clips_by_status(connection, ["tie"])
    return next(clip for clip in ties if clip.gold_emotion is None)


def test_progress(pages: Pages) -> None:
    page = pages.open("progress")
    with pages.project.database.reading() as connection:
        complete = select(func.count()).where(t.clip.c.n_open == 0)
        n_complete, counts = connection.scalar(complete), funnel(connection)
    values = {m.label: (m.value, m.delta) for m in page.metric}
    assert values["Clips complete"][0] == str(n_complete)
    assert values["Clips complete"][1].endswith("% of 90")
    assert page.title[0].value == "Lobby, first season"
    assert any(f"tie {counts['tie']}" in c.value for c in page.caption)
    hours = page.dataframe[1].value
    assert set(hours["Name"]) >= {HASTY}
    assert (hours["Hours"] > 0).all()


def test_nobody_reads_who_would_rather_not(pages: Pages) -> None:
    project, who = pages.project, pages.project.people[2]
    lease = project.office.leases(who)[0]
    project.office.decline(who, lease.public_id, lease.ticket)
    page = pages.open("progress")
    assert "Rather not (1)" in [tab.label for tab in page.tabs]
    with_it = [d.value for d in page.dataframe if "People who passed it on" in d.value]
    [row] = with_it[0].to_dict("records")
    assert (row["Id"], row["People who passed it on"]) == (lease.clip_id, 1)
    named = [d.value for d in page.dataframe if "Name" in d.value]
    assert len(named) == 2
    for table in named:
        assert not [c for c in table.columns if "ather not" in c or "assed" in c]


def test_agreement(pages: Pages) -> None:
    page = pages.open("agreement")
    values = {m.label: m.value for m in page.metric}
    assert 0 < float(values["Krippendorff's alpha"]) < 1
    page.selectbox[0].select("a003").run()
    pages.well(page)


def test_an_empty_project_has_pages_too(database: Database, tmp_path: Path) -> None:
    from tests.annotating import make_project

    st.cache_data.clear()
    project = make_project(database, n_clips=2, n_people=0)
    project.add_person(role="manager")
    project.add_person(role="adjudicator")
    serve_from(Place(Workspace.create(tmp_path / "work"), project.office))
    pages = Pages(project)
    for name in ("progress", "agreement", "people", "review", "adjudicate", "export"):
        pages.open(name)
    assert not pages.open("adjudicate", ADJUDICATOR).dataframe
    assert ties_that_wait(pages.open("adjudicate")) == "0"


def test_a_clip_is_found_made_gold_and_asked_about(pages: Pages) -> None:
    database = pages.project.database
    tie = a_tie(pages)
    page = pages.open("review")
    assert tie.clip_id in set(page.dataframe[0].value["Id"])
    page.text_input(key="clip_find").input(tie.public_id).run()
    pages.well(page)
    assert page.title[0].value == "Tie"
    assert len(page.dataframe[0].value) >= 3  # who said what
    page.selectbox[0].select("Sad")
    page.text_area[0].input("The voice trembles.")
    button(page, "Make it gold")
    pages.well(page)
    with database.reading() as connection:
        marked = {c.clip_id: c for c in gold_clips(connection)}[tie.clip_id]
    assert (marked.emotion, marked.reason) == ("Sad", "The voice trembles.")
    assert marked.by == "Dr. Ines Albrecht"
    page.number_input[0].set_value(5)
    button(page, "Ask for them")
    pages.well(page)
    with database.reading() as connection:
        slots = select(t.clip.c.n_slots).where(t.clip.c.clip_id == tie.clip_id)
        assert connection.scalar(slots) == 5


def test_gold_without_a_reason_is_refused_with_a_sentence(pages: Pages) -> None:
    tie = a_tie(pages)
    page = pages.open("review")
    page.text_input(key="clip_find").input(tie.clip_id).run()
    page.selectbox[0].select("Sad")
    button(page, "Make it gold")
    assert "needs a reason" in page.error[0].value


def test_gold_is_made_on_the_first_day(database: Database, tmp_path: Path) -> None:
    from tests.annotating import make_project

    st.cache_data.clear()
    project = make_project(database, n_clips=3, n_people=0)
    project.add_person(role="manager")
    serve_from(Place(Workspace.create(tmp_path / "work"), project.office))
    pages = Pages(project)
    page = pages.open("review")
    listed = list(page.dataframe[0].value["Id"])
    assert len(listed) == 3, "nobody has answered, and they are there all the same"
    for number, use in enumerate(("practice", "example")):
        if number == 0:
            page.text_input(key="clip_find").input(listed[0]).run()
        else:
            button(page, "Next")
        assert any(listed[number] in c.value for c in pages.well(page).caption)
        page.selectbox[0].select("Fear")
        page.radio[0].set_value(use)
        page.text_area[0].input("Wide eyes.")
        button(page, "Make it gold")
        pages.well(page)
    with database.reading() as connection:
        assert {c.clip_id: c.use for c in gold_clips(connection)} == {
            listed[0]: "practice",
            listed[1]: "example",
        }
    page = button(page, "All clips")
    assert list(pages.well(page).dataframe[0].value["Gold"]) == ["Fear", "Fear", ""]


def test_people_with_evidence_and_links(pages: Pages) -> None:
    database = pages.project.database
    page = pages.open("people")
    with database.reading() as connection:
        expected = signs(connection)
    table = page.dataframe[0].value.set_index("Name")
    assert "too fast" in table.loc[HASTY, "Look at"]
    assert [w.value.split("**")[2].split(" For example")[0].strip() for w in page.warning] == [
        s.evidence for s in expected
    ]
    page.text_input[0].input("Noor")
    button(page, "Make a link")
    pages.well(page)
    whom, link = page.code[0].value.split("\n")
    assert whom == "For Noor"
    assert link.startswith("https://label.example/join/")
    page.run()
    assert not page.code  # shown once
    assert link.rsplit("/", 1)[1] not in str(page.main)
    with database.reading() as connection:
        [unused] = open_invitations(connection, pages.project.clock())
    [chooser] = [box for box in page.selectbox if box.label == "A link to take back"]
    assert chooser.options == [chooser.options[0]]
    assert chooser.options[0].startswith("Noor, annotator, until ")
    button(page, "Take it back")
    pages.well(page)
    assert not [box for box in page.selectbox if box.label == "A link to take back"]
    with database.reading() as connection:
        assert open_invitations(connection, pages.project.clock()) == []
        events = select(t.event).where(t.event.c.kind == "invitation_revoked")
        event = connection.execute(events).one()
    assert (event.detail, event.annotator_id) == ("annotator: Noor", pages.project.people[MANAGER])
    assert unused.token_sha256 not in str(page.main)


def choose_person(page: AppTest, name: str) -> None:
    chooser = page.selectbox(key="person_chosen")
    chooser.select_index(next(k for k, o in enumerate(chooser.options) if name in o)).run()


def test_a_link_to_set_a_new_password(pages: Pages) -> None:
    database, person = pages.project.database, pages.project.people[2]
    page = pages.open("people")
    choose_person(page, "Maren")
    assert "New password" not in [b.label for b in page.button], "signs in elsewhere"
    with database.writing() as connection:
        theirs = t.annotator.c.annotator_id == person
        connection.execute(update(t.annotator).where(theirs).values(password_hash="argon2"))
    page = pages.open("people")
    choose_person(page, "Maren")
    button(page, "New password")
    [code] = pages.well(page).code
    whom, link = code.value.split("\n")
    assert whom == "A new password for Maren Lindqvist"
    token = link.removeprefix("https://label.example/join/")
    with database.reading() as connection:
        made = connection.execute(select(t.invitation)).one()
    assert (made.annotator_id, made.token_sha256) == (person, digest(token))
    page.run()
    assert not page.code, "shown once"


def test_roles_and_practice_by_hand(pages: Pages) -> None:
    database, person = pages.project.database, pages.project.people[2]
    with database.writing() as connection:
        connection.execute(
            update(t.annotator).where(t.annotator.c.annotator_id == person).values(
                qualified_at=None
            )
        )  # fmt: skip
    page = pages.open("people")
    choose_person(page, "Maren")
    button(pages.well(page), "Pass by hand")
    pages.well(page)
    page.selectbox(key=f"role {person}").select("adjudicator")
    button(page, "Change the role")
    pages.well(page)
    with database.reading() as connection:
        row = connection.execute(
            select(t.annotator).where(t.annotator.c.annotator_id == person)
        ).one()
    assert row.role == "adjudicator"
    assert row.qualified_at is not None


def ties_that_wait(page: AppTest) -> str:
    [found] = [m.value for m in page.metric if m.label == "Ties that wait for an adjudicator"]
    return found


def test_an_adjudicator_sees_no_vote_before_answering(pages: Pages) -> None:
    with pages.project.database.reading() as connection:
        n_ties = funnel(connection)["tie"]
    overview = pages.open("adjudicate")
    assert "No clip was adjudicated yet" in overview.info[0].value
    assert ties_that_wait(overview) == str(n_ties)
    assert not pages.open("adjudicate", ADJUDICATOR).dataframe
    office, judge = pages.project.office, pages.project.people[ADJUDICATOR]
    lease = office.dispute(judge, TIES)
    assert lease is not None
    assert not pages.open("adjudicate", ADJUDICATOR).dataframe
    office.decide(judge, answer_to(lease, None, flag="broken", reason="The picture stands still."))
    page = pages.open("adjudicate", ADJUDICATOR)
    [row] = page.dataframe[0].value.to_dict("records")
    assert row["Decided"] == "Broken"
    assert len(row["Others said"].split(", ")) == 3
    overview = pages.open("adjudicate")
    assert list(overview.dataframe[0].value["By"]) == ["Yusuf Demir"]
    st.cache_data.clear()
    overview = pages.open("adjudicate")
    assert ties_that_wait(overview) == str(n_ties - 1)


def test_names_are_no_markup() -> None:
    assert plain("[x](y) *z* <b>") == r"\[x\]\(y\) \*z\* \<b\>"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    workspace = make_workspace(tmp_path_factory.mktemp("export") / "work", n_clips=2)
    with serving(workspace) as found:
        yield found


@pytest.mark.parametrize("name", ["votes.csv", "votes.jsonl", "votes.parquet", "votes.json"])
def test_only_a_manager_exports(served: Served, name: str) -> None:
    boss = served.member(f"Boss of {name}", role="manager")
    answer = boss.get(f"/files/{name}")
    assert answer.status_code == 200
    assert name in answer.headers["content-disposition"]
    assert any(name in event for event in served.events("exported"))
    for role in ("annotator", "adjudicator"):
        other = served.member(f"{role} of {name}", role=role)
        assert other.get(f"/files/{name}").status_code == 403
        assert f"/files/{name}: not for this role" in served.events()
    assert served.browser().get(f"/files/{name}").status_code in {303, 401}


@pytest.mark.parametrize(
    "name", ["votes.sqlite", "..%2fannotation%2fvotes.sqlite", "votes.csv.xml"]
)
def test_nothing_else_is_exported(served: Served, name: str) -> None:
    boss = served.member(f"Boss looking for {name}".replace("%", ""), role="manager")
    assert boss.get(f"/files/{name}").status_code in {400, 404}
