"""Whether there is room for a message."""

from pathlib import Path

from engine.call_services import why_no_room

# Whether there is room for it.


async def test_where_there_is_room_a_message_is_taken(tmp_path: Path) -> None:
    assert await why_no_room(tmp_path, least=1) is None


async def test_where_the_disk_is_nearly_full_it_is_not(tmp_path: Path) -> None:
    why = await why_no_room(tmp_path, least=10**18)
    assert why is not None
    assert why.endswith(f"GB are free in {tmp_path}, 1e+09 are needed")


async def test_where_the_folder_is_missing_it_is_not(tmp_path: Path) -> None:
    folder = tmp_path / "away"
    assert await why_no_room(folder) == (f"asterisk.recordings, {folder}, cannot be read: FileNotFoundError")
