"""An object store that fails when it is expected to."""

from pathlib import Path

from storage.objects import ObjectsTrouble
from storage.objects.directory import Directory


class Broken(Directory):
    """A store that does not do as it says: it gives back other bytes, or fails at some verb."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.garbles = False
        self.fails: set[str] = set()

    async def put(self, name: str, data: bytes) -> None:
        self._fail("put")
        await super().put(name, data)

    async def get(self, name: str) -> bytes:
        self._fail("get")
        data = await super().get(name)
        return data[:-1] + bytes([data[-1] ^ 1]) if self.garbles else data

    async def read(self, name: str, start: int, size: int) -> bytes:
        self._fail("read")
        data = await super().read(name, start, size)
        return data[:-1] + bytes([data[-1] ^ 1]) if self.garbles and data else data

    async def delete(self, name: str) -> int:
        self._fail("delete")
        return await super().delete(name)

    def _fail(self, verb: str) -> None:
        if verb in self.fails:
            raise ObjectsTrouble(f"{verb} does not work today")
