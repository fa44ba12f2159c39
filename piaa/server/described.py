"""What there is, for programs and for people: the OpenAPI description, and a page that loads nothing."""

from __future__ import annotations

from html import escape
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse

OPEN = frozenset({"/health", "/ready", "/docs", "/openapi.json"})
"""Paths that ask for no key."""
_METHODS = ("get", "post", "put", "patch", "delete")
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "code{background:#8882;padding:.1em .3em}h2{margin:2.5rem 0 0;font-size:1.1rem}"
    "table{border-spacing:1rem .2rem}"
    "td{vertical-align:top}"
)


def describe(app: FastAPI, *, keys: bool) -> None:
    """Have an application describe itself at ``/openapi.json`` and ``/docs``.

    Args:
        app: with all its routes; made without a page of FastAPI's own, which loads scripts from elsewhere.
        keys: whether it asks for keys.
    """

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(
                title=app.title, version=app.version, description=app.description, routes=app.routes
            )
            app.openapi_schema = _with_keys(made) if keys else made
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        policy = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
        return HTMLResponse(_page(openapi()), headers=policy)


def _with_keys(made: dict[str, Any]) -> dict[str, Any]:
    scheme = {"type": "http", "scheme": "bearer", "description": "A key that `piaa keys create` printed."}
    made.setdefault("components", {})["securitySchemes"] = {"key": scheme}
    for path, methods in made["paths"].items():
        for operation in methods.values():
            operation["security"] = [] if path in OPEN else [{"key": []}]
    return made


def _page(made: dict[str, Any]) -> str:
    parts = [
        _operation(method.upper(), path, methods[method])
        for path, methods in made["paths"].items()
        for method in _METHODS
        if method in methods
    ]
    title = f"{made['info']['title']} {made['info']['version']}"
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(title)}</title>"
        f"<style>{_STYLE}</style>"
        f"<h1>{escape(title)}</h1><p>{escape(made['info'].get('description', ''))}</p>"
        "<p>For programs: <a href=/openapi.json>openapi.json</a>. A key is sent as "
        f"<code>Authorization: Bearer KEY</code>.</p>{''.join(parts)}</html>"
    )


def _operation(method: str, path: str, made: dict[str, Any]) -> str:
    rows = [
        _row(one["name"], one["in"], one.get("description", ""), one.get("required", False))
        for one in made.get("parameters", ())
    ]
    for kind in made.get("requestBody", {}).get("content", ()):
        rows.append(_row("the body", kind, "", made["requestBody"].get("required", False)))
    text = escape(made.get("description", made.get("summary", "")))
    return f"<h2><code>{method} {escape(path)}</code></h2><p>{text}</p><table>{''.join(rows)}</table>"


def _row(name: str, place: str, text: str, required: bool) -> str:
    needed = "needed" if required else ""
    cells = (f"<code>{escape(name)}</code>", escape(place), needed, escape(text))
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
