"""Coming in and going out: with a password, through a provider, behind a proxy, in a browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from annotator_app.tokens import SESSION_COOKIE
from caer_build.annotation import tables as t
from caer_build.annotation.new_passwords import link_to_account
from caer_build.annotation.office import now_ms
from caer_build.annotation.overview import overview
from caer_build.errors import NotAllowed
from tests.identity_provider import CLIENT, identity_provider
from tests.player_seat import PATIENCE_MS, WIDE
from tests.serving import (
    PASSWORD,
    Browser,
    Served,
    answer_body,
    free_port,
    make_workspace,
    serving,
)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    workspace = make_workspace(
        tmp_path_factory.mktemp("doors") / "work",
        title="Laughter & tears",
        consent="We keep your answers.\n\nYou may stop at any time.",
    )
    with serving(workspace) as running:
        yield running


def test_joining_signing_out_and_in_again(served: Served) -> None:
    browser = served.browser()
    assert "Laughter &amp; tears" in browser.get("/sign-in").text
    differing = browser.form(
        f"/join/{served.invitation()}", name="Bob", password=PASSWORD, again="other"
    )
    assert differing.status_code == 400
    assert "The two passwords differ." in differing.text
    assert 'value="Bob"' in differing.text, "the name need not be typed again"
    short = browser.join(served.invitation(), "Bob", "short")
    assert "10 to 200 characters" in short.text
    joined = browser.join(served.invitation(), "Bob")
    assert (joined.status_code, joined.headers["location"]) == (303, "/welcome")
    assert "We keep your answers.</p>\n<p>You may stop" in browser.get("/welcome").text
    assert browser.welcome().headers["location"] == "/guide"
    assert browser.get("/welcome").headers["location"] == "/", "asked once"
    first = browser.token
    assert browser.form("/sign-out").headers["location"] == "/sign-in"
    assert served.browser(Cookie=f"{SESSION_COOKIE}={first}").get("/api/work").status_code == 401
    assert browser.sign_in(" BOB ").headers["location"] == "/", "whatever the name's case"
    assert browser.token != first
    taken = served.browser().join(served.invitation(), "bob")
    assert "This name is taken." in taken.text


def test_a_forgotten_password_is_set_anew_for_the_same_account(served: Served) -> None:
    joan = served.browser()
    joan.join(served.invitation(), "Joan")
    joan.welcome()
    joan.post("/api/answer", answer_body(joan.work()["tasks"][0]))
    me = served.annotator_id("Joan")

    def link() -> str:
        with served.database.writing() as connection:
            return link_to_account(connection, me, None, now_ms())

    waiting = n_invited(served)
    older, token = link(), link()
    assert n_invited(served) == waiting, "nobody new is waited for"
    assert served.browser().get(f"/join/{older}").status_code == 410, "the newer one replaces it"
    elsewhere = served.browser()
    assert "For <strong>Joan</strong>" in elsewhere.get(f"/join/{token}").text
    short = elsewhere.form(f"/join/{token}", password="short", again="short")
    assert "10 to 200 characters" in short.text
    new = "another long password"
    done = elsewhere.form(f"/join/{token}", password=new, again=new)
    assert (done.status_code, done.headers["location"]) == (303, "/")
    assert elsewhere.work()["n_answers"] == 1, "it is the account with its answers"
    assert joan.get("/api/work").status_code == 401, "whoever knew the old one is out"
    assert served.browser().sign_in("joan", PASSWORD).status_code == 403
    assert served.browser().sign_in("joan", new).status_code == 303
    assert served.browser().get(f"/join/{token}").status_code == 410
    with served.database.reading() as connection:
        people = connection.scalars(select(t.annotator.c.name)).all()
        assert list(people).count("Joan") == 1


def n_invited(served: Served) -> int:
    with served.database.reading() as connection:
        return overview(connection, now_ms()).waiting


def test_who_signs_in_elsewhere_has_no_password_to_forget(served: Served) -> None:
    served.member("Vouched For")
    me = served.annotator_id("Vouched For")
    with pytest.raises(NotAllowed, match="no password"), served.database.writing() as connection:
        link_to_account(connection, me, None, now_ms())


def test_a_new_show_is_asked_about_before_work_goes_on(served: Served) -> None:
    member = served.member("Nora")
    assert member.get("/").status_code == 200
    with served.database.writing() as connection:
        clip_id = connection.scalar(select(t.clip.c.clip_id).limit(1))
        one = t.clip.c.clip_id == clip_id
        connection.execute(t.clip.update().where(one).values(show="another"))
    assert member.get("/").headers["location"] == "/welcome"
    page = member.get("/welcome").text
    assert "another" in page
    assert "lobby" not in page
    member.form("/welcome", **{"show-0": "another", "knows-0": "yes"})
    assert member.get("/").status_code == 200


def test_work_goes_round(served: Served) -> None:
    member = served.member("Carl")
    assert member.get("/api/last").status_code == 404
    work = member.work()
    assert work["person"] == {"name": "Carl"}
    assert (work["n_answers"], work["can_undo"], len(work["tasks"])) == (0, False, 2)
    first, second = work["tasks"]
    assert len(first["times_ms"]) == len(first["boxes"])
    after = member.post("/api/answer", answer_body(first)).json()
    assert after["tasks"][0]["clip"] == second["clip"]
    assert (after["n_answers"], after["n_today"], after["can_undo"]) == (1, 1, True)
    last = member.get("/api/last").json()
    assert last["task"]["clip"] == first["clip"]
    again = answer_body(last["task"], emotion="Sad", revises=last["said"]["request_id"])
    assert member.post("/api/answer", again).json()["n_answers"] == 1
    assert member.get("/api/last").json()["said"]["emotion"] == "Sad"
    away = {"clip": second["clip"], "ticket": second["ticket"]}
    left = member.post("/api/decline", away).json()
    assert second["clip"] not in {task["clip"] for task in left["tasks"]}
    assert member.post("/api/renew", {}).json() == {}


def test_behind_a_proxy(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path / "work", n_clips=2)
    options = ("--trusted-proxy", "127.0.0.1", "--trust-header", "X-Remote-User")
    https = {"X-Forwarded-Proto": "https", "Host": "label.lab.org"}
    with serving(workspace, *options) as served:

        def visitor(address: str, **headers: str) -> Browser:
            return served.browser(**https, **headers, **{"X-Forwarded-For": address})

        def post(browser: Browser, path: str, **fields: str) -> int:
            shown = browser.get(path).text
            csrf = shown.split('name="csrf" value="')[1].split('"')[0]
            # Cookies marked Secure do not come back over the proxy's plain inner side.
            cookies = "; ".join(f"{c.name}={c.value}" for c in browser.client.cookies.jar)
            answer = browser.client.post(
                path, data={"csrf": csrf, **fields},
                headers={"Origin": "https://label.lab.org", "Cookie": cookies},
            )  # fmt: skip
            assert "Secure" in answer.headers.get("set-cookie", "Secure")
            return answer.status_code

        ada = visitor("10.9.9.9, 203.0.113.5", **{"X-Remote-User": "ada"})
        assert "Continue as ada" in ada.get("/sign-in").text
        assert post(ada, "/sign-in", vouched="yes") == 403, "has no account yet"
        assert post(ada, f"/join/{served.invitation()}", vouched="yes", name="Ada") == 303
        again = visitor("203.0.113.5", **{"X-Remote-User": "ada"})
        assert post(again, "/sign-in", vouched="yes") == 303
        assert "max-age" in again.get("/sign-in").headers["strict-transport-security"]
        with served.database.reading() as connection:
            addresses = set(connection.scalars(select(t.event.c.address)))
        assert "203.0.113.5" in addresses
        assert "10.9.9.9" not in addresses, "what stands before the proxy's own may be made up"
    with serving(workspace, "--trusted-proxy", "10.0.0.1", "--trust-header", "X-Remote-User") as s:
        liar = s.browser(**{"X-Remote-User": "ada", "X-Forwarded-For": "1.2.3.4"})
        assert "Continue as" not in liar.get("/sign-in").text
        assert liar.form("/sign-in", vouched="yes").status_code == 403


def test_only_the_named_address_counts_as_our_own(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path / "work", n_clips=1)
    with serving(workspace, "--base-url", "https://label.lab.org") as served:
        shown = served.browser()
        assert shown.form("/sign-in", name="x", password=PASSWORD).status_code == 403
        assert "POST /sign-in: another origin" in served.events()


def test_an_identity_provider(tmp_path: Path) -> None:
    workspace, port = make_workspace(tmp_path / "work", n_clips=2), free_port()
    with identity_provider() as issuer:
        (workspace.root / "annotation" / "secrets.toml").write_text(
            f"""
            [auth]
            redirect_uri = "http://127.0.0.1:{port}/oauth2callback"
            cookie_secret = "a secret of this test, long enough to sign with"
            [auth.university]
            client_id = "{CLIENT}"
            client_secret = "x"
            server_metadata_url = "{issuer}/.well-known/openid-configuration"
            """
        )
        with serving(workspace, port=port) as served:
            browser = served.browser()
            browser.client.follow_redirects = True
            assert "Sign in with university" in browser.get("/sign-in").text
            back = browser.get("/sign-in/with/university")
            assert "Continue as Ada Lovelace" in back.text
            stranger = browser.form("/sign-in", vouched="yes")
            assert "does not take part here yet" in stranger.text
            token = served.invitation()
            sql = "'; DROP TABLE invitation; --"
            cannot_be = browser.get("/sign-in/with/university", params={"joining": sql})
            assert cannot_be.status_code == 400
            assert "GET /sign-in/with: an invitation that cannot be" in served.events()
            back = browser.get(f"/sign-in/with/university?joining={token}")
            assert "Join as Ada Lovelace" in back.text
            assert str(back.url).endswith(f"/join/{token}")
            browser.form(f"/join/{token}", vouched="yes", name="Ada")
            browser.welcome()
            assert browser.work()["person"] == {"name": "Ada"}
            assert not any(name.startswith("_streamlit_user") for name in browser.client.cookies)
            browser.form("/sign-out")
            assert browser.get("/api/work").status_code == 401
            browser.get("/sign-in/with/university")
            browser.form("/sign-in", vouched="yes")
            assert browser.work()["person"] == {"name": "Ada"}
            forged = served.browser(Cookie="_streamlit_user=eyJzdWIiOiI0NzExIn0.x.y")
            assert "Continue as" not in forged.get("/sign-in").text


def test_a_visit_in_a_browser(served: Served, browser: Any, tmp_path: Path) -> None:
    context = browser.new_context(
        viewport={"width": WIDE[0], "height": WIDE[1]}, base_url=served.base_url
    )
    context.set_default_timeout(PATIENCE_MS)
    page, elsewhere, complaints = context.new_page(), [], []
    page.on("console", lambda m: complaints.append(m.text) if "Policy" in m.text else None)
    page.on("request", lambda r: elsewhere.append(r.url))
    page.goto(f"/join/{served.invitation()}")
    page.get_by_label("Name").fill("Ada 'Byron' Lovelace")
    page.get_by_label("Password", exact=False).first.fill(PASSWORD)
    page.get_by_label("The same password again").fill(PASSWORD)
    page.get_by_role("button", name="Join").click()
    page.wait_for_url("**/welcome")
    page.get_by_label("I have read this").check()
    page.get_by_label("Languages").fill("English")
    for question in page.get_by_label("I have not").all():
        question.check()
    page.get_by_role("button", name="Go on").click()
    page.wait_for_url("**/guide")
    page.goto("/account")
    page.get_by_role("heading", name="Ada 'Byron' Lovelace").wait_for()
    other = page.context.new_page()
    other.goto("/account")
    other.get_by_role("button", name="Sign out").wait_for()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in")
    other.wait_for_url("**/sign-in")
    page.goto("/")
    page.wait_for_url("**/sign-in")
    page.screenshot(path=tmp_path / "sign-in.png")
    assert not complaints, "nothing the pages do breaks their own policy"
    assert all(url.startswith((served.base_url, "data:", "blob:")) for url in elsewhere)
