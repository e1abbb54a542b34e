"""Web application of the page: GET only, JSON answers and the files of the page."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import JSONResponse, Response

from recpair.browse import goods, overview, people, progress, suspicious
from recpair.browse.assets import assets
from recpair.browse.opened import Shelf
from recpair.errors import RecpairError, UnknownIdError, one_line

HOSTS = ["127.0.0.1", "localhost"]  # of the Host header: other names are DNS rebinding
PAGES = ["/", "/search", "/user", "/item", "/audit", "/training"]
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
Id = Annotated[str, Query(min_length=1, max_length=500)]
Count = Annotated[int, Query(ge=1, le=100)]
Number = Annotated[int, Query(ge=0, le=10**6)]
Name = Annotated[str | None, Query(max_length=200)]


def application(shelf: Shelf) -> FastAPI:
    """Return the application; it has no page of documentation, as FastAPI's loads scripts from elsewhere."""
    app = FastAPI(title="recpair browse", docs_url=None, redoc_url=None, openapi_url=None)
    _add_pages(app)
    _add_answers(app, shelf)
    _add_errors(app)
    app.middleware("http")(_with_headers)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=HOSTS, www_redirect=False)
    return app


def _add_pages(app: FastAPI) -> None:
    files = assets()
    for path in PAGES:
        app.add_api_route(path, _file(*files["index.html"]), methods=["GET"])
    for name, (content, kind) in files.items():
        if name != "index.html":
            app.add_api_route(f"/static/{name}", _file(content, kind), methods=["GET"])


def _file(content: bytes, kind: str) -> Callable[[], Response]:
    return lambda: Response(content, media_type=kind)


def _add_answers(app: FastAPI, shelf: Shelf) -> None:
    @app.get("/api/overview")
    def _overview() -> dict[str, Any]:
        return overview.overview(shelf)

    @app.get("/api/search")
    def _search(q: Annotated[str, Query(max_length=1000)] = "", limit: Count = 8) -> dict[str, Any]:
        return overview.search(shelf, q, limit)

    @app.get("/api/user")
    def _user(id: Id) -> dict[str, Any]:
        return people.user(shelf, id)

    @app.get("/api/recommendations")
    def _recommendations(
        run: Number,
        user: Id,
        k: Count = 10,
        diversity: Annotated[float, Query(ge=0, le=1)] = 0.0,
        seen: bool = False,
        explain: bool = False,
    ) -> dict[str, Any]:
        return people.recommendations(shelf, run, user, k, diversity, seen, explain)

    @app.get("/api/item")
    def _item(id: Id, k: Count = 10) -> dict[str, Any]:
        return goods.item(shelf, id, k)

    @app.get("/api/alike")
    def _alike(id: Id, k: Count = 10) -> dict[str, Any]:
        return goods.alike(shelf, id, k)

    @app.get("/api/audit")
    def _audit(run: Number = 0, page: Number = 0) -> dict[str, Any]:
        return suspicious.events(shelf, run, page)

    @app.get("/api/audit/user")
    def _audit_of_user(user: Id, run: Number = 0) -> dict[str, Any]:
        return suspicious.of_user(shelf, run, user)

    @app.get("/api/curves")
    def _curves(metric: Name = None) -> dict[str, Any]:
        return progress.curves(shelf, metric)

    @app.get("/api/groups")
    def _groups(metric: Name = None, by: Literal["activity", "popularity"] = "activity") -> dict[str, Any]:
        return progress.groups(shelf, metric, by)


def _add_errors(app: FastAPI) -> None:
    """Answer errors of the user as one line: 404 for an unknown id or address, 400 for anything else."""

    @app.exception_handler(RecpairError)
    def _refused(_: Request, error: RecpairError) -> JSONResponse:
        return JSONResponse({"error": str(error)}, 404 if isinstance(error, UnknownIdError) else 400)

    @app.exception_handler(RequestValidationError)
    def _invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        return JSONResponse({"error": one_line(f"{first['loc'][-1]}: {first['msg']}")}, 400)

    @app.exception_handler(HTTPException)
    def _other(_: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse({"error": error.detail}, error.status_code)


async def _with_headers(request: Request, answer: Callable[[Request], Any]) -> Response:
    response: Response = await answer(request)
    response.headers.update(HEADERS)
    return response
