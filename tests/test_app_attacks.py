"""Attacks on the running app: each is refused, and each is logged with where it came from."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import httpx
import pytest
from sqlalchemy import func, select, update
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from annotator_app.tokens import DEVICE_COOKIE, SESSION_COOKIE
from caer_build.annotation import accounts, sessions
from caer_build.annotation import tables as t
from caer_build.annotation.office import now_ms
from caer_build.annotation.review import find_clip
from caer_build.annotation.withdrawal import withdraw
from caer_build.errors import VoteError
from tests.serving import (
    PASSWORD,
    Browser,
    Served,
    answer_body,
    make_workspace,
    refused_and_logged,
    serving,
)

_names = iter(range(10_000))
SQL = "'; DROP TABLE vote; --"
NASTY = (
    "'; DROP TABLE vote; --",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 7 }}",
    "Robert\r\nSet-Cookie: caer_session=x",
)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    workspace = make_workspace(tmp_path_factory.mktemp("app") / "work", n_clips=200)
    with serving(workspace, "--trusted-proxy", "127.0.0.1") as running:
        yield running


@pytest.fixture
def ada(served: Served) -> Browser:
    """An annotator of this test's own."""
    return served.member(f"Ada {next(_names)}")


def n_votes(served: Served) -> int:
    with served.database.reading() as connection:
        return connection.scalar(select(func.count()).select_from(t.vote)) or 0


def stream(served: Served, **headers: str) -> ClientConnection:
    url = served.base_url.replace("http", "ws") + "/_stcore/stream"
    return connect(url, additional_headers=headers, subprotocols=["streamlit"])  # type: ignore[list-item]


@pytest.mark.parametrize(
    "path",
    [
        "/", "/annotate", "/people", "/account", "/welcome", "/sign-out", "/api/work", "/api/last",
        "/clips/0123456789abcdef01.mp4", "/media/0123.csv", "/component/x/index.html",
        "/_stcore/stream", "/_stcore/bidi-components/x/y.js", "/index.html", "/docs", "/openapi",
    ],
)  # fmt: skip
def test_strangers_see_only_the_door(served: Served, path: str) -> None:
    stranger = served.browser()
    answer = stranger.get(path)
    if answer.status_code == 303:
        assert answer.headers["location"] == "/sign-in"
    else:
        refused_and_logged(served, lambda: served.browser().get(path))
    assert "clips" not in answer.text


@pytest.mark.parametrize(
    "path", ["/_stcore/upload_file/a/b", "/_stcore/agent/interact", "/_stcore/metrics"]
)
@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "DELETE"])
def test_what_streamlit_offers_and_nobody_needs_is_closed(
    served: Served, ada: Browser, path: str, method: str
) -> None:
    answer = refused_and_logged(
        served, lambda: ada.client.request(method, path, headers={"Origin": served.base_url})
    )
    assert answer.status_code == 404
    assert f"{method} {path}: nobody may" in served.events()


@pytest.mark.parametrize(
    "path",
    [
        "/clips/../votes.sqlite", "/clips/..%2fvotes.sqlite", "/clips/%2e%2e/%2e%2e/workspace.json",
        "/clips/..%5c..%5cvotes.sqlite", "/clips//etc/passwd", "/clips/%00.mp4",
        "/clips/....//votes.sqlite", "/static/../../../../etc/passwd",
        "/static/..%2f..%2f..%2f..%2fetc%2fpasswd", "/doors/..%2fbase.html.jinja",
        "/player/..%2fboot.js", "//etc/passwd", "/files/..%2fvotes.sqlite", "/..%2f..%2fetc/passwd",
        "/doors/base.html.jinja", "/player/nothing.js", "/clips/abc/def", "/files/nothing",
    ],
)  # fmt: skip
@pytest.mark.parametrize("who", ["annotator", "manager", "stranger"])
def test_no_path_leads_out_of_its_folder(served: Served, path: str, who: str) -> None:
    if who == "stranger":
        visitor = served.browser()
        if path == "/files/nothing":
            return  # as any page that is not a door: it leads a stranger to the door
    else:
        visitor = served.member(f"Ada {next(_names)}", role=who)
    answer = refused_and_logged(served, lambda: untidied(served, visitor, path))
    assert "root:" not in answer.text
    assert "SQLite format" not in answer.text
    assert "{% " not in answer.text


def untidied(served: Served, visitor: Browser, path: str) -> httpx.Response:
    """Asks for a path as it stands: a client would tidy it up."""
    host = urlsplit(served.base_url)
    headers = {"Host": host.netloc, "Connection": "close"} | dict(visitor.client.headers)
    headers |= {"Cookie": f"{SESSION_COOKIE}={visitor.token}"} if visitor.token else {}
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    with socket.create_connection((host.hostname or "", host.port or 0), 10) as raw:
        raw.sendall("\r\n".join([*lines, "", ""]).encode())
        said = b""
        while piece := raw.recv(65536):
            said += piece
    head, _, text = said.decode().partition("\r\n\r\n")
    first, *rest = head.split("\r\n")
    told = dict(line.split(": ", 1) for line in rest)
    request = httpx.Request("GET", served.base_url, headers=visitor.client.headers)
    return httpx.Response(int(first.split()[1]), headers=told, text=text, request=request)


def test_a_clip_is_for_whom_it_was_given_to(served: Served, ada: Browser) -> None:
    task = ada.work()["tasks"][0]
    assert ada.get(task["src"]).status_code == 200
    stranger, other = served.browser(), served.member(f"Bob {next(_names)}")
    while task["clip"] in {held["clip"] for held in other.work()["tasks"]}:
        other = served.member(f"Bob {next(_names)}")  # it takes three people, and no more
    without = refused_and_logged(served, lambda: stranger.get(task["src"]))
    assert without.status_code == 401
    assert f"GET {task['src']}: not signed in" in served.events()
    theirs = refused_and_logged(served, lambda: other.get(task["src"]))
    assert theirs.status_code == 403
    assert f"GET {task['src']}: not given to them" in served.events()
    made_up = f"/clips/{secrets.token_hex(9)}.mp4"
    missing = refused_and_logged(served, lambda: other.get(made_up))
    assert (missing.status_code, missing.text) == (403, theirs.text), "nor whether there is one"


def test_a_clip_is_closed_when_its_lease_runs_out(served: Served, ada: Browser) -> None:
    task = ada.work()["tasks"][0]
    with served.database.writing() as connection:
        late = t.slot.c.ticket == task["ticket"]
        connection.execute(update(t.slot).where(late).values(expires_at=now_ms() - 1))
    assert refused_and_logged(served, lambda: ada.get(task["src"])).status_code == 403


def test_a_clip_answered_long_ago_is_closed_again(served: Served, ada: Browser) -> None:
    first = ada.work()["tasks"][0]
    ada.post("/api/answer", answer_body(first))
    assert ada.get(first["src"]).status_code == 200, "undo shows it again"
    ada.post("/api/answer", answer_body(ada.work()["tasks"][0]))
    refused_and_logged(served, lambda: ada.get(first["src"]))


def test_anothers_lease_takes_no_answer(served: Served, ada: Browser) -> None:
    other = served.member(f"Bob {next(_names)}")
    theirs, before = other.work()["tasks"][0], n_votes(served)
    mine = ada.work()["tasks"][0]
    stolen, crossed = answer_body(theirs), answer_body(mine, clip=theirs["clip"])
    for body in (stolen, crossed, answer_body(mine, ticket="0" * 48)):
        answer = refused_and_logged(served, lambda body=body: ada.post("/api/answer", body))
        assert answer.status_code == 403
    held = {"clip": theirs["clip"], "ticket": theirs["ticket"]}
    refused_and_logged(served, lambda: ada.post("/api/decline", held))
    assert n_votes(served) == before
    assert other.post("/api/answer", answer_body(theirs)).status_code == 200
    assert "This clip was not given to you." in served.events()


def test_a_stale_ticket_takes_no_answer_twice(served: Served, ada: Browser) -> None:
    task = ada.work()["tasks"][0]
    body = answer_body(task)
    assert ada.post("/api/answer", body).status_code == 200
    after = n_votes(served)
    assert ada.post("/api/answer", body).status_code == 200, "the same request again is the same"
    other = answer_body(task, emotion="Sad")
    late = refused_and_logged(served, lambda: ada.post("/api/answer", other))
    assert (late.status_code, late.json()["kind"]) == (409, "duplicate")
    assert late.json()["tasks"], "the page can go on"
    assert n_votes(served) == after


def test_anothers_answer_cannot_be_revised(served: Served, ada: Browser) -> None:
    other = served.member(f"Bob {next(_names)}")
    other.post("/api/answer", answer_body(other.work()["tasks"][0]))
    theirs = other.get("/api/last").json()["said"]["request_id"]
    body = answer_body(ada.work()["tasks"][0], revises=theirs)
    answer = refused_and_logged(served, lambda: ada.post("/api/answer", body))
    assert answer.status_code == 403


@pytest.mark.parametrize("forged", ["", "x", "0" * 43, "'; DROP TABLE session; --", "a" * 5000])
def test_a_forged_cookie_is_no_session(served: Served, forged: str) -> None:
    visitor = served.browser(Cookie=f"{SESSION_COOKIE}={forged}")
    assert refused_and_logged(served, lambda: visitor.get("/api/work")).status_code == 401


def test_what_stands_in_the_database_signs_nobody_in(served: Served, ada: Browser) -> None:
    digest = accounts.digest(ada.token or "")
    thief = served.browser(Cookie=f"{SESSION_COOKIE}={digest}")
    assert refused_and_logged(served, lambda: thief.get("/api/work")).status_code == 401


def test_an_annotator_has_no_page_of_a_manager(served: Served, ada: Browser) -> None:
    for path in ("/people", "/progress", "/agreement", "/adjudicate", "/people/", "/media/a.csv"):
        answer = refused_and_logged(served, lambda path=path: ada.get(path))
        assert answer.status_code == 403, path


def test_a_manager_gives_no_votes(served: Served) -> None:
    boss = served.member(f"Boss {next(_names)}", role="manager")
    assert refused_and_logged(served, lambda: boss.get("/api/work")).status_code == 403
    assert boss.get("/people").status_code == 200


def test_nothing_an_annotator_reads_tells_of_others(served: Served, ada: Browser) -> None:
    secretive = served.member("Xanthippe Quartz")
    secretive.post("/api/answer", answer_body(secretive.work()["tasks"][0]))
    for path in ("/api/work", "/api/last", "/welcome", "/account"):
        text = ada.get(path, follow_redirects=True).text
        assert "Xanthippe" not in text
        assert "lobby" not in text, "clips are named without show or person"
    task = ada.work()["tasks"][0]
    assert set(task) == {
        "clip", "ticket", "src", "width", "height", "length_ms", "has_audio", "times_ms", "boxes",
        "is_practice",
    }  # fmt: skip


@pytest.mark.parametrize("nasty", NASTY)
def test_nasty_names_are_refused(served: Served, nasty: str) -> None:
    browser = served.browser()
    refused = refused_and_logged(served, lambda: browser.join(served.invitation(), nasty))
    assert refused.status_code == 400
    assert "<script>alert" not in refused.text
    assert "<img src=x" not in refused.text
    assert "49" not in refused.text
    assert "set-cookie: caer_session=x" not in str(refused.headers).lower()
    assert refused_and_logged(served, lambda: browser.sign_in(nasty, nasty)).status_code == 403
    with served.database.writing() as connection, pytest.raises(VoteError):
        accounts.invite(connection, "annotator", nasty, None, now_ms())


@pytest.mark.parametrize("nasty", NASTY)
def test_nasty_answers_are_refused(served: Served, ada: Browser, nasty: str) -> None:
    task, before = ada.work()["tasks"][0], n_votes(served)
    for field in ("request_id", "clip", "ticket", "emotion", "flag", "revises"):
        body = answer_body(task, **{field: nasty})
        answer = refused_and_logged(served, lambda body=body: ada.post("/api/answer", body))
        assert answer.status_code in {400, 403}, field
    held = {"clip": task["clip"], "ticket": task["ticket"]}
    for field in held:
        body = held | {field: nasty}
        refused_and_logged(served, lambda body=body: ada.post("/api/decline", body))
    reason = {"emotion": None, "flag": "broken", "reason": nasty, "confidence_step": None}
    body = answer_body(task, **reason)
    if "<" in nasty:
        refused_and_logged(served, lambda: ada.post("/api/answer", body))
        assert n_votes(served) == before
    elif "\r" not in nasty:
        # A sentence may have any signs in it that are no markup. It is text, and stays text.
        assert ada.post("/api/answer", body).status_code == 200
        assert ada.get("/api/last").json()["said"]["reason"] == nasty
        assert n_votes(served) == before + 1


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("languages", SQL), ("languages", "<script>alert(1)</script>"), ("show-0", SQL),
        ("show-0", "lobby' OR 1=1 --"), ("knows-0", SQL), ("agree", SQL), ("csrf", SQL),
    ],
)  # fmt: skip
def test_nasty_words_at_the_welcome_are_refused(served: Served, field: str, said: str) -> None:
    fresh, name = served.browser(), f"Fresh {next(_names)}"
    fresh.join(served.invitation(), name)
    form = {"agree": "yes", "languages": "English", "show-0": "lobby", "knows-0": "no"}
    refused_and_logged(served, lambda: fresh.form("/welcome", **(form | {field: said})))
    with served.database.reading() as connection:
        account = accounts.account(connection, served.annotator_id(name))
    assert not account.consented


@pytest.mark.parametrize(
    "path",
    [
        f"/sign-in/with/{quote(SQL)}", f"/join/{quote(SQL)}", f"/doors/{quote(SQL)}.css",
        f"/player/{quote(SQL)}.js", f"/clips/{quote(SQL)}.mp4",
        f"/sign-in/with/x?joining={quote(SQL)}",
    ],
)  # fmt: skip
def test_sql_in_an_address_is_refused(served: Served, ada: Browser, path: str) -> None:
    assert refused_and_logged(served, lambda: ada.get(path)).status_code in {403, 404, 410}
    assert n_votes(served) >= 0, "the table is there"


def test_sql_in_a_search_finds_nothing(served: Served) -> None:
    with served.database.reading() as connection:
        for text in (SQL, "' OR '1'='1", "%", "p' UNION SELECT password_hash FROM annotator --"):
            assert find_clip(connection, text) is None


def test_a_repeated_flood_is_counted_and_not_written(served: Served) -> None:
    flooder = served.browser()
    path = f"/clips/{secrets.token_hex(9)}.mp4"
    refused_and_logged(served, lambda: flooder.get(path))
    for _ in range(50):
        assert flooder.get(path).status_code == 401
    assert sum(path in event for event in served.events()) == 1


def test_sign_in_is_throttled_and_says_nothing_of_names(served: Served) -> None:
    victim, browser, owner = f"Victim {next(_names)}", served.browser(), served.browser()
    owner.join(served.invitation(), victim)
    wrong = [browser.sign_in(victim, f"guess number {k}") for k in range(12)]
    assert all(answer.status_code == 403 for answer in wrong)
    refused_and_logged(served, lambda: served.browser().sign_in(victim, "another guess"))
    unknown = served.browser().sign_in("Nobody At All", "guess number 1")
    assert "do not belong together" in wrong[0].text
    assert "do not belong together" in unknown.text
    assert "Too many attempts" in wrong[-1].text
    assert "Too many attempts" in browser.sign_in(victim, PASSWORD).text, "even rightly"
    assert served.events("sign_in_failed").count(victim.lower()) == 11
    refused_and_logged(served, lambda: browser.sign_in(victim, PASSWORD))
    assert victim.lower() in served.events("sign_in_throttled")
    # The owner is not locked out on the browser on which the account was made, nor by its session.
    assert owner.form("/sign-out").status_code == 303
    assert owner.sign_in(victim).status_code == 303
    assert owner.get("/api/work").status_code == 403, "signed in: what is asked for is consent"
    thief = served.browser()
    thief.client.cookies.set(DEVICE_COOKIE, owner.client.cookies.get(DEVICE_COOKIE) or "")
    other = f"Other {next(_names)}"
    served.browser().join(served.invitation(), other)
    assert "do not belong together" in thief.sign_in(other, "guess number 1").text
    assert other.lower() in served.events("sign_in_failed"), "somebody else's cookie is none"


def test_an_invitation_works_once(served: Served) -> None:
    token = served.invitation()
    assert served.browser().join(token, f"First {next(_names)}").status_code == 303
    again = served.browser()
    used = refused_and_logged(served, lambda: again.get(f"/join/{token}"))
    other = served.browser()
    made_up = refused_and_logged(served, lambda: other.get("/join/made-up"))
    assert (used.status_code, made_up.status_code) == (410, 410)
    elsewhere = {"Origin": "https://evil.example"}
    refused_and_logged(
        served, lambda: again.client.post(f"/join/{token}", data={}, headers=elsewhere)
    )
    assert "GET /join: an invitation that is not good" in served.events()
    assert not any(token in event for event in served.events())


def test_an_invitation_that_was_taken_back_says_so(served: Served) -> None:
    token = served.invitation()
    open_page = served.browser()
    csrf = open_page.get(f"/join/{token}").text.split('name="csrf" value="')[1].split('"')[0]
    with served.database.writing() as connection:
        accounts.revoke(connection, accounts.digest(token), None, now_ms())
    shown = refused_and_logged(served, lambda: served.browser().get(f"/join/{token}"))
    assert shown.status_code == 410
    assert "This invitation was taken back." in shown.text
    name = f"Late {next(_names)}"
    sent = {"csrf": csrf, "name": name, "password": PASSWORD, "again": PASSWORD}
    ours = {"Origin": served.base_url}
    late = refused_and_logged(
        served, lambda: open_page.client.post(f"/join/{token}", data=sent, headers=ours)
    )
    assert late.status_code == 410
    assert not served.annotator_id(name)
    assert "annotator: a test" in served.events("invitation_revoked")
    assert not any(token in event for event in served.events())


def test_a_withdrawn_clip_is_served_to_nobody(served: Served, ada: Browser) -> None:
    """Its file is still there: it is the server that gives it to nobody any more."""
    boss = served.member(f"Boss {next(_names)}", role="manager")
    task = ada.work()["tasks"][0]
    whole = ada.get(task["src"])
    assert (whole.status_code, boss.get(task["src"]).status_code) == (200, 200)
    with served.database.writing() as connection:
        clip_id = find_clip(connection, task["clip"])
        assert clip_id is not None
        assert withdraw(connection, clip_id, now_ms())
    known = {"If-None-Match": whole.headers["etag"]}
    for visitor in (ada, boss):
        again = refused_and_logged(served, lambda v=visitor: v.get(task["src"], headers=known))
        assert again.status_code == 403, "nor is a copy in the browser good any more"
    before, body = n_votes(served), answer_body(task)
    late = refused_and_logged(served, lambda: ada.post("/api/answer", body))
    assert (late.status_code, late.json()["kind"]) == (409, "lease_lost")
    assert "taken out of the project" in late.json()["error"]
    assert task["clip"] not in {t["clip"] for t in late.json()["tasks"]}
    assert len(late.json()["tasks"]) == 2, "work goes on"
    assert n_votes(served) == before
    assert ada.post("/api/decline", {"clip": task["clip"], "ticket": task["ticket"]}).is_success


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Origin": "null"},
        {"X-CSRF-Token": ""},
        {"X-CSRF-Token": "0" * 64},
    ],
)
def test_a_forged_request_changes_nothing(
    served: Served, ada: Browser, headers: dict[str, str]
) -> None:
    before, body = n_votes(served), answer_body(ada.work()["tasks"][0])
    answer = refused_and_logged(served, lambda: ada.post("/api/answer", body, **headers))
    assert answer.status_code == 403
    assert n_votes(served) == before


def test_a_request_that_says_nothing_of_its_origin_is_refused(served: Served, ada: Browser) -> None:
    token = {"X-CSRF-Token": ada.work()["csrf"]}
    refused_and_logged(served, lambda: ada.client.post("/api/renew", json={}, headers=token))


@pytest.mark.parametrize("path", ["/sign-out", "/welcome", "/sign-in"])
def test_a_form_without_its_token_is_refused(served: Served, ada: Browser, path: str) -> None:
    browser = served.browser() if path == "/sign-in" else ada
    sent = {"name": "Ada", "password": PASSWORD}
    ours = {"Origin": served.base_url}

    def send() -> httpx.Response:
        # Some pages have nothing to show to somebody who is signed in, and lead on instead.
        answer = browser.client.post(path, data=sent, headers=ours)
        return httpx.Response(
            403 if answer.status_code == 303 else answer.status_code,
            headers=answer.headers, request=answer.request,
        )  # fmt: skip

    refused_and_logged(served, send)
    assert ada.get("/api/work").status_code == 200, "nobody was signed out"
    assert any(e.startswith(f"POST {path}: This form") for e in served.events())


def test_a_link_signs_nobody_out(ada: Browser) -> None:
    ada.get("/sign-out")
    assert ada.get("/api/work").status_code == 200


def test_a_large_body_is_not_read(served: Served, ada: Browser) -> None:
    csrf = ada.work()["csrf"]
    sent = {"X-CSRF-Token": csrf, "Origin": served.base_url}
    big = b"x" * 200_000
    whole = refused_and_logged(
        served, lambda: ada.client.post("/api/answer", content=big, headers=sent)
    )
    assert whole.status_code == 413
    pieces = ada.client.post("/api/answer", content=iter([big[:50_000]] * 4), headers=sent)
    assert pieces.status_code == 413, "without a length too"


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b"[" * 20_000, b'{"clip": NaN}', b'"\\ud800"', b"\xff\xfe", b"null"]
)
def test_a_body_that_is_no_answer_is_refused(served: Served, ada: Browser, body: bytes) -> None:
    sent = {"X-CSRF-Token": ada.work()["csrf"], "Origin": served.base_url}
    answer = refused_and_logged(
        served, lambda: ada.client.post("/api/answer", content=body, headers=sent)
    )
    assert answer.status_code == 400


@pytest.mark.parametrize(
    "changes",
    [
        {"emotion": "Bliss"}, {"confidence_step": 99}, {"confidence_step": -1},
        {"confidence_step": None}, {"speed": 5}, {"shown_ms": -1}, {"shown_ms": 10**30},
        {"revises": 10**30}, {"emotion": "Happy", "flag": "broken"}, {"heard": "yes"},
        {"request_id": "short"}, {"request_id": "x" * 65}, {"reason": "a\0b"}, {"purpose": "gold"},
        {"request_id": "spaces in it"}, {"request_id": "a\nb-of-two-lines"},
        {"request_id": "ä" * 9}, {"clip": "a\0b"}, {"play_count": 2.5}, {"revises": 7},
        {"play_count": 10**9},
    ],
)  # fmt: skip
def test_an_answer_that_cannot_be_is_refused(
    served: Served, ada: Browser, changes: dict[str, object]
) -> None:
    body = answer_body(ada.work()["tasks"][0], **changes)
    answer = refused_and_logged(served, lambda: ada.post("/api/answer", body))
    assert answer.status_code == 400
    assert answer.json()["error"]


@pytest.mark.parametrize("changes", [{"heard": False}, {"audio_on": False}])
def test_a_clip_must_be_heard(served: Served, ada: Browser, changes: dict[str, object]) -> None:
    body = answer_body(ada.work()["tasks"][0], **changes)
    assert refused_and_logged(served, lambda: ada.post("/api/answer", body)).status_code == 403


def test_answers_faster_than_their_clips_are_refused(served: Served, ada: Browser) -> None:
    """Whatever a page says of itself: there was no time to hear the clip."""
    before = n_votes(served)
    for _ in range(5):
        tasks = ada.work()["tasks"]
        with served.database.writing() as connection:
            for task in tasks:
                clip_id = find_clip(connection, task["clip"])
                mine = t.clip.c.clip_id == clip_id
                connection.execute(update(t.clip).where(mine).values(length_ms=20_000))
        body = answer_body(tasks[0], shown_ms=21_000, play_count=3)
        answer = refused_and_logged(served, lambda body=body: ada.post("/api/answer", body))
        assert answer.status_code == 403
        assert "Less time has passed" in answer.json()["error"]
    assert n_votes(served) == before
    broken = {"emotion": None, "flag": "broken", "reason": "no picture", "confidence_step": None}
    assert ada.post("/api/answer", answer_body(tasks[0], **broken)).is_success, "need not be heard"


def test_ranges(ada: Browser) -> None:
    src = ada.work()["tasks"][0]["src"]
    whole = ada.get(src)
    size, tag = len(whole.content), whole.headers["etag"]

    def part(asked: str, **more: str) -> tuple[int, bytes]:
        answer = ada.get(src, headers={"Range": asked, **more})
        return answer.status_code, answer.content

    assert part("bytes=0-99") == (206, whole.content[:100])
    assert part("bytes=100-") == (206, whole.content[100:])
    assert part("bytes=-100") == (206, whole.content[-100:])
    assert part(f"bytes=0-{10**12}") == (206, whole.content)
    assert part(f"bytes={size}-")[0] == 416
    assert part("bytes=-0")[0] == 416
    assert part("bytes=0-9", **{"If-Range": '"other"'})[0] == 200
    assert part("bytes=0-9", **{"If-Range": tag})[0] == 206
    # What asks for too much in one go, or is no range, is as good as not asked.
    many = "bytes=" + ",".join(f"{k}-{k}" for k in range(0, 8000, 2))
    for asked in (many[:30_000], "bytes=9-1", "bytes=a-b", "bytes=-", "chars=0-1", "bytes=0-1,5-6"):
        assert part(asked) == (200, whole.content), asked
    head = ada.client.head(src)
    assert (head.content, head.headers["content-length"]) == (b"", str(size))
    again = ada.get(src, headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert "private" in whole.headers["cache-control"]


def test_a_socket_needs_a_live_session_of_our_own_pages(served: Served, ada: Browser) -> None:
    mine = f"{SESSION_COOKIE}={ada.token}"
    for headers in (
        {"Origin": served.base_url},
        {"Origin": served.base_url, "Cookie": f"{SESSION_COOKIE}=forged"},
        {"Origin": "https://evil.example", "Cookie": mine},
        {"Cookie": mine},
    ):
        with pytest.raises(InvalidStatus):
            stream(served, **headers)
    with stream(served, Origin=served.base_url, Cookie=mine):
        pass
    said = served.events()
    assert "socket /_stcore/stream: no live session" in said
    assert "socket /_stcore/stream: another origin" in said


@pytest.mark.parametrize("how", ["signed out", "retired", "ended elsewhere"])
def test_an_open_socket_ends_with_its_session(served: Served, how: str) -> None:
    name = f"Dora {next(_names)}"
    dora = served.member(name)
    cookie = f"{SESSION_COOKIE}={dora.token}"
    with stream(served, Origin=served.base_url, Cookie=cookie) as open_socket:
        if how == "signed out":
            assert dora.form("/sign-out").status_code == 303
        else:
            with served.database.writing() as connection:
                if how == "retired":
                    accounts.retire(connection, served.annotator_id(name), None, now_ms())
                else:
                    sessions.end_session(connection, dora.token or "", now_ms())
        with pytest.raises(ConnectionClosedError):
            for _ in range(100):
                open_socket.recv(timeout=120)  # what was on its way; then the server closes
    with pytest.raises(InvalidStatus):
        stream(served, Origin=served.base_url, Cookie=cookie)
    assert served.browser(Cookie=cookie).get("/api/work").status_code == 401


def test_before_consent_there_is_only_the_welcome(served: Served) -> None:
    fresh = served.browser()
    fresh.join(served.invitation(), f"Fresh {next(_names)}")
    work = refused_and_logged(served, lambda: fresh.get("/api/work"))
    assert (work.status_code, work.json()["next"]) == (403, "/welcome")
    assert fresh.get("/").headers["location"] == "/welcome"
    with pytest.raises(InvalidStatus):
        stream(served, Origin=served.base_url, Cookie=f"{SESSION_COOKIE}={fresh.token}")
    assert "you have to agree" in fresh.form("/welcome", languages="English").text
    fresh.welcome()
    assert fresh.get("/api/work").status_code == 200


def test_headers_of_pages_and_cookies(served: Served, ada: Browser) -> None:
    for path in ("/", "/api/work", "/sign-out", "/static/none.js"):
        headers = ada.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "server" not in headers
        assert "'unsafe-eval'" not in headers["content-security-policy"]
    assert ada.get("/api/work").headers["cache-control"] == "private, no-store"
    cookie = served.browser().join(served.invitation(), f"C {next(_names)}").headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie


def test_the_log_holds_lines_of_ours_only(served: Served, ada: Browser) -> None:
    ada.get("/media/a%0Arefused%20nothing")
    assert any("a\\nrefused nothing" in e for e in served.events())
    assert "\nrefused nothing" not in Path(served.log).read_text()
