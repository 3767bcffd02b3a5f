"""A real browser without a window, driven by the DevTools protocol over aiohttp's WebSocket.

scripts/fetch-chromium.sh brings it; CHROMIUM_BIN names another one.
"""

import asyncio
import itertools
import json
import os
from base64 import b64decode
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "callengine/chromium-1/tree"
FONTS = """<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>{tree}/usr/share/fonts</dir><cachedir>{folder}/fonts</cachedir></fontconfig>
"""
SECONDS = 60.0  # for one step of a busy machine


def binary() -> Path | None:
    """The browser's program; None if it was not fetched."""
    if named := os.environ.get("CHROMIUM_BIN"):
        return Path(named)
    found = CACHE / "usr/lib/chromium/headless_shell"
    found = found if found.exists() else CACHE / "usr/lib/chromium/chromium-headless-shell"
    return found if found.exists() else None


class Page:
    """One page. `messages`: what the browser wrote into its console, such as breaches of the policy."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, downloads: Path) -> None:
        self.messages: list[str] = []
        self.downloads = downloads
        self._socket = socket
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._loaded = asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    async def begin(self) -> None:
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self.do(f"{domain}.enable")
        place = str(self.downloads)
        await self.do("Browser.setDownloadBehavior", behavior="allow", downloadPath=place)

    async def do(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": params})
        async with asyncio.timeout(SECONDS):
            done: dict[str, Any] = await answer
            return done

    async def size(self, width: int, height: int = 900) -> None:
        await self.do(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip

    async def open(self, url: str) -> None:
        await self.leads(self.do("Page.navigate", url=url))

    async def click(self, selector: str) -> None:
        """Click, and wait until the page that it leads to is there."""
        await self.leads(self.run(f"document.querySelector({json.dumps(selector)}).click()"))

    async def press(self, key: str, code: int) -> None:
        for kind in ("keyDown", "keyUp"):
            await self.do("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code,
                          text="\r" if key == "Enter" and kind == "keyDown" else "")  # fmt: skip

    async def type(self, selector: str, text: str) -> None:
        await self.run(f"document.querySelector({json.dumps(selector)}).focus()")
        await self.do("Input.insertText", text=text)

    async def run(self, script: str) -> Any:
        """The value of this expression, or of its promise."""
        answer = await self.do("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def text(self) -> str:
        return str(await self.run("document.body.innerText"))

    async def shot(self, file: Path) -> None:
        size = (await self.do("Page.getLayoutMetrics"))["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], 4000), "scale": 1}
        answer = await self.do("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
        await asyncio.to_thread(file.write_bytes, b64decode(answer["data"]))

    async def leads(self, act: Awaitable[Any]) -> None:
        self._loaded.clear()
        await act
        async with asyncio.timeout(SECONDS):
            await self._loaded.wait()

    async def _read(self) -> None:
        async for message in self._socket:
            told = json.loads(message.data)
            if "id" in told:
                answer = self._answers.pop(told["id"])
                if "error" in told:
                    answer.set_exception(RuntimeError(told["error"]["message"]))
                else:
                    answer.set_result(told["result"])
            elif told["method"] == "Page.loadEventFired":
                self._loaded.set()
            elif told["method"] == "Log.entryAdded":
                self.messages.append(told["params"]["entry"]["text"])
            elif told["method"] == "Runtime.exceptionThrown":
                self.messages.append(str(told["params"]))

    async def close(self) -> None:
        self._reading.cancel()
        await self._socket.close()


@asynccontextmanager
async def chromium(program: Path, folder: Path) -> AsyncIterator[Page]:
    """A browser with one page and an empty profile, while the block runs."""
    (folder / "fonts.conf").write_text(FONTS.format(tree=CACHE, folder=folder))
    libraries = next(iter(CACHE.glob("usr/lib/*-linux-gnu")), CACHE)
    process = await asyncio.create_subprocess_exec(
        str(program),
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--remote-debugging-port=0",
        "--autoplay-policy=no-user-gesture-required",
        "--lang=en",
        f"--user-data-dir={folder / 'profile'}",
        "about:blank",
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "LD_LIBRARY_PATH": f"{libraries}:{libraries}/pulseaudio",
            "FONTCONFIG_FILE": str(folder / "fonts.conf"),
        },
        stderr=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        port = await port_of(process, folder / "profile/DevToolsActivePort")
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/json/list") as reply:
                (target,) = [it for it in await reply.json() if it["type"] == "page"]
            socket = await session.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0)
            page = Page(socket, folder)
            await page.begin()
            try:
                yield page
            finally:
                await page.close()
    finally:
        process.terminate()
        await process.wait()


async def port_of(process: asyncio.subprocess.Process, file: Path) -> int:
    """The port that the browser writes into its profile."""
    async with asyncio.timeout(SECONDS):
        while not (told := written(file)):
            assert process.returncode is None, "Chromium has ended"
            await asyncio.sleep(0.05)
    return int(told.split()[0])


def written(file: Path) -> str:
    return file.read_text() if file.exists() else ""
