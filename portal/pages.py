"""Pages from templates: every value is escaped, and a template that names an absent value fails."""

from functools import cache
from typing import Any

import jinja2
from aiohttp import web

from dialplan.names import LANGUAGES
from portal import wording
from portal.services import SERVICES
from portal.texts import texts
from portal.visitor import VISITOR, Visitor, language_of

PAGES = (
    "overview",
    "calls",
    "messages",
    "recordings",
    "numbers",
    "accesses",
    "data",
)  # of the menu, by the names of their routes


@cache
def environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("portal", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= wording.FILTERS
    return made


def page(request: web.Request, template: str, *, status: int = 200, **values: Any) -> web.Response:
    """A page in the visitor's language."""
    visitor: Visitor | None = request.get(VISITOR)
    language = visitor.language if visitor else language_of(request)
    text = (
        environment()
        .get_template(template)
        .render(
            words=texts(language),
            language=language,
            languages=LANGUAGES,
            title=request.app[SERVICES].portal.title,
            visitor=visitor,
            pages=PAGES,
            here=request.match_info.route.name or "",
            **values,
        )
    )
    return web.Response(text=text, status=status, content_type="text/html", charset="utf-8")
