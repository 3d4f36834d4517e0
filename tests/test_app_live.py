"""Pages that are left open: they go on by themselves, and end with their session."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect
from sqlalchemy import select, update

from annotator_app import app_pages
from annotator_app.figures import LIVE_S
from annotator_app.tokens import SESSION_COOKIE
from caer_build.annotation import tables as t
from caer_build.annotation.office import now_ms
from tests.player_seat import PATIENCE_MS, WIDE
from tests.serving import Browser, Served, answer_body, make_workspace, serving

PAGES = sorted(Path(app_pages.__file__).parent.glob("*.py"))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(make_workspace(tmp_path_factory.mktemp("live") / "work", n_clips=4)) as running:
        yield running


def page_of(browser: Any, member: Browser, path: str) -> Any:
    made = browser.new_context(viewport={"width": WIDE[0], "height": WIDE[1]})
    made.set_default_timeout(PATIENCE_MS)
    made.add_cookies([{"name": SESSION_COOKIE, "value": member.token, "url": member.base_url}])
    page = made.new_page()
    page.goto(f"{member.base_url}/{path}")
    return page


def test_progress_changes_while_somebody_looks(browser: Any, served: Served) -> None:
    page = page_of(browser, served.member("Ines Albrecht", "manager"), "progress")
    answers = page.get_by_test_id("stMetric").filter(has_text="0.0 % of 12")
    answers.wait_for()
    member = served.member("Ada")
    for _ in range(3):
        member.post("/api/answer", answer_body(member.work()["tasks"][0]))
    now = page.get_by_test_id("stMetric").filter(has_text="25.0 % of 12")
    now.wait_for(timeout=4 * LIVE_S * 1000)
    assert now.get_by_test_id("stMetricValue").inner_text() == "3"


def test_a_dialog_that_is_open_ends_with_its_session(browser: Any, served: Served) -> None:
    boss = served.member("Dr. Boss", "manager")
    served.member("Bo")
    page = page_of(browser, boss, "people")
    page.get_by_role("combobox", name="Person").click()
    page.get_by_role("option", name="Bo (").click()
    page.get_by_role("button", name="Retire …").click()
    button = page.get_by_role("dialog").get_by_role("button", name="Retire", exact=True)
    button.wait_for()
    mine = t.session.c.annotator_id == served.annotator_id("Dr. Boss")
    with served.database.writing() as connection:
        connection.execute(update(t.session).where(mine).values(ended_at=now_ms()))
    button.click()
    page.wait_for_url("**/sign-in")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    with served.database.reading() as connection:
        retired = select(t.annotator.c.retired_at).where(t.annotator.c.name == "Bo")
        assert connection.scalar(retired) is None


def test_whatever_runs_by_itself_asks_first_who_is_there() -> None:
    n_found = 0
    for file in PAGES:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if not isinstance(node, ast.FunctionDef):
                continue
            apart = {"dialog", "fragment"}
            if not any(apart & _names(decorator) for decorator in node.decorator_list):
                continue
            n_found += 1
            first = next(s for s in node.body if not _is_docstring(s))
            assert "visit_as" in _names(first), f"{file.name}: {node.name}"
    assert n_found >= 2


def _names(node: ast.AST) -> set[str]:
    walked = list(ast.walk(node))
    return {n.attr for n in walked if isinstance(n, ast.Attribute)} | {
        n.id for n in walked if isinstance(n, ast.Name)
    }


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
