"""Rows of a long query, read in pieces: a million of them take no more memory than one piece."""

from collections.abc import AsyncGenerator

import asyncpg

FETCHED = 500  # rows at a time


async def rows_of(con: asyncpg.Connection, query: str, *parameters: object) -> AsyncGenerator[asyncpg.Record]:
    """Every row, as of one moment."""
    async with con.transaction(isolation="repeatable_read", readonly=True):
        cursor = await con.cursor(query, *parameters)
        while rows := await cursor.fetch(FETCHED):
            for row in rows:
                yield row
