"""The console: one page at `/` that asks this API, and the files that it loads.

The files are in the folder `console`. They hold no data: all that the page shows it asks for with
the key of whoever looks, so it is open. It loads nothing from elsewhere and runs no text as code.
"""

from __future__ import annotations

from importlib.resources import files

from fastapi import APIRouter, HTTPException, Response

_PAGE = "index.html"
_MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css", ".html": "text/html"}
_POLICY = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src 'self' data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
)
_HEADERS = {
    "Content-Security-Policy": "; ".join(_POLICY),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def console_routes() -> APIRouter:
    """`/` and `/console/<file>`, read once; not part of the API that OpenAPI describes."""
    router = APIRouter(include_in_schema=False)
    contents = _contents()
    page = contents.pop(_PAGE)

    @router.get("/")
    async def console() -> Response:
        return _answer(_PAGE, page)

    @router.get("/console/{name}")
    async def file(name: str) -> Response:
        if name not in contents:
            raise HTTPException(404)
        return _answer(name, contents[name])

    return router


def _contents() -> dict[str, bytes]:
    """The files of the page by name."""
    folder = files("serving").joinpath("console")
    kinds = tuple(_MEDIA_TYPES)
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.name.endswith(kinds)}


def _answer(name: str, content: bytes) -> Response:
    media_type = _MEDIA_TYPES["." + name.rpartition(".")[2]]
    return Response(content, media_type=media_type, headers=_HEADERS)
