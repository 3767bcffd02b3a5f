"""The portal's application: its routes, and what stands before them."""

from aiohttp import web

from portal import (
    accesses,
    call,
    calls,
    downloads,
    login,
    messages,
    my_data,
    numbers,
    overview,
    public,
    recordings,
)
from portal.api.door import add_api, api
from portal.guard import (
    BODY_BYTES,
    PUBLIC,
    only_from_our_pages,
    only_logged_in,
    only_our_host,
    protect,
    told_in_words,
)
from portal.hearing import add_sounds
from portal.services import SERVICES, UNLIMITED, Services, Unlimited

# Each has ROUTES, all of which need a login.
PAGES = (overview, downloads, calls, call, messages, recordings, numbers, accesses, my_data)


def application(services: Services, unlimited: Unlimited) -> web.Application:
    """The application. Every route needs a login, but for those that are listed as public here.

    `unlimited`: exempts a connection from the limits of the port, for an answer that takes long.
    """
    app = web.Application(
        client_max_size=BODY_BYTES,
        middlewares=[api, told_in_words, only_our_host, only_from_our_pages, only_logged_in],
    )
    app[SERVICES] = services
    app[UNLIMITED] = unlimited
    app[overview.RECENT] = overview.Recent()
    add_sounds(app, services.encrypted_store)
    app[PUBLIC] = frozenset(str(route.kwargs["name"]) for route in public.ROUTES)
    app.add_routes(public.ROUTES)
    app.add_routes(login.ROUTES)
    for module in PAGES:
        app.add_routes(module.ROUTES)
    add_api(app)
    app.on_response_prepare.append(protect)
    return app
