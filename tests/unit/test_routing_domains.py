"""A domain of SIP addresses is allowed while the routing folder is read."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from config import publish, reader, versioning
from config.policy import Policy
from config.reader import FolderReader
from config.versions import Versions
from dialplan.routing import Routing
from engine.routing_store import RoutingStore
from tests.unit.folders import NUMBER, good_folder
from tests.unit.in_process import answer_of
from tests.unit.test_routing_store import HISTORY


async def test_a_folder_that_was_read_under_the_domains_of_before_is_read_again_and_not_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for asking in (reader, publish, versioning):
        monkeypatch.setattr(asking, "answer_of", answer_of)
    monkeypatch.setattr(reader.FolderReader, "get_ready", reader.FolderReader.close)
    folder = good_folder(tmp_path / "routing")
    versions = Versions(tmp_path / "state" / "routing-versions")
    store = RoutingStore(folder, versions, tmp_path / "prompts", Policy(), HISTORY)
    await store.open()
    reads, read = [], FolderReader.read

    async def read_slowly(self: FolderReader, of: Path) -> Routing:
        reads.append(self.policy.domains)
        try:
            return await read(self, of)
        finally:
            store.allow({"pbx.acme.example"})

    monkeypatch.setattr(FolderReader, "read", read_slowly)
    file = folder / "numbers" / "main.yaml"
    file.write_text(NUMBER.replace("route:", "fallback: sip:desk@pbx.acme.example\nroute:", 1))
    with capture_logs() as logs:
        assert await store.reload()
    assert reads == [frozenset(), frozenset({"pbx.acme.example"})]
    assert [it["event"] for it in logs if it["event"] == "routing_refused"] == []
