"""The votes as files, for managers. They go from the disk to the browser: nothing of them stays in
the memory of the server."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from anyio import to_thread
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from annotator_app.place import Place
from annotator_app.web.gate import visitor_of
from annotator_app.web.refusals import Refusals, settle
from caer_build.annotation.events import record
from caer_build.annotation.interchange import export_votes

_NAME = re.compile(r"votes\.(csv|jsonl|parquet|json)", re.ASCII)


class Exports:
    """The route."""

    def __init__(self, place: Place, refusals: Refusals) -> None:
        self._place, self._refusals = place, refusals

    def routes(self) -> list[Route]:
        """``/files/votes.<format>``."""
        return [Route("/files/{name}", self.export, methods=["GET"])]

    async def export(self, request: Request) -> Response:
        """All votes, under pseudonyms; ``?latest=1`` leaves out answers that were changed."""
        visitor, name = visitor_of(request), request.path_params["name"]
        account = visitor.account
        if account is None or account.role != "manager":
            await self._refusals.note(
                f"{request.url.path}: not for this role", visitor.caller.address,
                account.annotator_id if account else None,
            )  # fmt: skip
            settle(request)
            return PlainTextResponse("Only a manager exports the votes.", 403)
        if _NAME.fullmatch(name) is None:
            return PlainTextResponse("There is no such export.", 404)
        only_latest = request.query_params.get("latest") == "1"
        file = await to_thread.run_sync(self._written, name, only_latest, account.annotator_id)
        title = self._place.workspace.root.name
        return FileResponse(
            file, filename=f"{title}-{name}", media_type="application/octet-stream",
            background=BackgroundTask(_remove, file),
        )  # fmt: skip

    def _written(self, name: str, only_latest: bool, by: int) -> Path:
        office = self._place.office
        file = Path(tempfile.mkdtemp(prefix="caer-export-"), name)
        try:
            found = export_votes(office.database, file, only_latest=only_latest)
        except BaseException:
            _remove(file)
            raise
        with office.database.writing() as connection:
            detail = f"{found.n_votes} votes as {name}"
            record(connection, "exported", office.clock(), annotator_id=by, detail=detail)
        return file


def _remove(file: Path) -> None:
    for left in file.parent.iterdir():
        left.unlink()
    file.parent.rmdir()
