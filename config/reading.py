"""Reading a routing folder file by file, and collecting every error."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from config.cache import Cache, KnownNumber
from config.calendars import MAX_CALENDAR_BYTES, read_calendar
from config.caller_lists import MAX_LIST_BYTES, read_list
from config.copies import digest_of
from config.errors import NOWHERE, At, FileError, UnplayableError, spoken
from config.prompts import MAX_BYTES as MAX_PROMPT_BYTES
from config.prompts import measure
from config.wording import objections
from config.yaml_text import MAX_BYTES, Document, UnreadableError, read
from dialplan.caller_list import CallerList
from dialplan.event_calendar import EventCalendar
from dialplan.lists import calendar_key
from dialplan.model import Model
from dialplan.number import Owner
from dialplan.prompt import Prompt
from dialplan.references import References


@dataclass(frozen=True, slots=True)
class Text:
    """A file that is valid YAML; a model checks its content.

    `used`: the sub-routes in it, by the path of the step that uses them.
    """

    file: Path
    document: Document
    used: Mapping[At, "Text"] = field(default_factory=dict)

    def error(self, at: At, what: str) -> FileError:
        """Return an error at this path of the file; a missing value is reported where it should be.

        Within a sub-route, the rest of the path is one of the sub-route's own file.
        """
        for place in range(len(at) if self.used else 0):
            if at[place] == "route" and (inner := self.used.get(self.document.known(at[:place]))):
                return inner.error(at[place:], what)
        named = at if what.startswith("is missing") else self.document.known(at)
        return FileError(self.file, self.document.place(at), spoken(named), what)


@dataclass(slots=True)
class Reading:
    """One reading of a folder: the `errors` so far, the SHA-256 of each file by its path in the folder."""

    folder: Path
    errors: list[FileError] = field(default_factory=list)
    hashes: dict[str, str] = field(default_factory=dict)
    cache: Cache = field(default_factory=Cache)
    _just_read: tuple[Path, bytes] | None = None

    @property
    def digest(self) -> str:
        """One hash for all files, in hex: equal if and only if names and contents are equal."""
        return digest_of(self.hashes)

    def owners(self, files: Iterable[Path]) -> dict[str, Owner]:
        """Return the owners in these files, by name, without wrong ones. Errors are collected."""
        read = ((file.stem, self._owner(file)) for file in files)
        return {name: owner for name, owner in read if owner is not None}

    def known_numbers(self, files: Iterable[Path]) -> Iterator[tuple[Path, KnownNumber | None]]:
        """Yield each file, and the number in it if it is known to have been right."""
        files = tuple(files)
        paths = list(map(str, files))
        start = len(str(self.folder)) + 1
        for file, path, known in zip(files, paths, self.cache.known(paths), strict=True):
            if known is None:
                sha256 = self._sha256(file)
                yield file, self.cache.number(sha256) if sha256 else None
            else:
                self.hashes[path[start:]], number = known
                yield file, number

    def add_number(self, file: Path, number: KnownNumber) -> None:
        """Store that a number is right, for later readings."""
        self.cache.add_number(self.hashes[self._key(file)], number)

    def texts(self, files: Iterable[Path]) -> list[Text]:
        """Return these YAML files, without unreadable ones. Errors are collected."""
        documents = ((file, self._document(file)) for file in files)
        return [Text(file, document) for file, document in documents if document is not None]

    def model[T: Model](self, text: Text, model: type[T], references: References | None = None) -> T | None:
        """Return the content of this file; None if it is wrong. Errors are collected.

        A file that refers to something missing is an error too, but its content can be checked further.
        """
        try:
            return model.model_validate(text.document.value, context=references)
        except ValidationError as error:
            self.errors += (text.error(at, what) for at, what in objections(error, model))
        return self.model(text, model) if references else None  # equal errors are reported once

    def prompts(self, files: Iterable[Path]) -> Mapping[str, Prompt]:
        """Return the prompts in these files, by `name` or `language/name`, without unplayable ones."""
        return {self.prompt_name(file): prompt for file in files if (prompt := self._prompt(file))}

    def caller_lists(self, files: Iterable[Path]) -> dict[str, CallerList]:
        """The lists of callers' numbers in these files, by name. Errors are kept."""
        return {file.stem: listed for file in files if (listed := self._caller_list(file)) is not None}

    def calendars(self, files: Iterable[Path]) -> dict[str, EventCalendar]:
        """The calendars in these files, by `NAME.ics`. Errors are kept."""
        read = ((calendar_key(file.stem), self._calendar(file)) for file in files)
        return {key: calendar for key, calendar in read if calendar is not None}

    def _calendar(self, file: Path) -> EventCalendar | None:
        sha256 = self._sha256(file, MAX_CALENDAR_BYTES + 1)
        return self.cache.calendar(sha256, lambda: self._read_calendar(file)) if sha256 else None

    def _read_calendar(self, file: Path) -> EventCalendar | None:
        data = self._data(file, MAX_CALENDAR_BYTES + 1)
        calendar, errors = read_calendar(data) if data is not None else (None, [])
        self.errors += (FileError(file, place, "", what) for place, what in errors)
        return calendar

    def _owner(self, file: Path) -> Owner | None:
        sha256 = self._sha256(file)
        return self.cache.owner(sha256, lambda: self._read_owner(file)) if sha256 else None

    def _read_owner(self, file: Path) -> Owner | None:
        return next((self.model(text, Owner) for text in self.texts([file])), None)

    def _caller_list(self, file: Path) -> CallerList | None:
        sha256 = self._sha256(file, MAX_LIST_BYTES + 1)
        return self.cache.caller_list(sha256, lambda: self._read_list(file)) if sha256 else None

    def _read_list(self, file: Path) -> CallerList | None:
        """Return the numbers in this file; None if anything in it is wrong."""
        data = self._data(file, MAX_LIST_BYTES + 1)
        listed, wrong_lines = read_list(data) if data is not None else (None, [])
        self.errors += (FileError(file, place, "", what) for place, what in wrong_lines)
        return None if wrong_lines else listed

    def _document(self, file: Path) -> Document | None:
        try:
            data = self._data(file, MAX_BYTES + 1)
            return None if data is None else read(data)
        except UnreadableError as error:
            self.errors.append(FileError(file, error.place, "", error.what))
        return None

    def _prompt(self, file: Path) -> Prompt | None:
        sha256 = self._sha256(file, MAX_PROMPT_BYTES + 1)
        seconds = self.cache.seconds(sha256, lambda: self._seconds(file)) if sha256 else None
        return Prompt(file.stem, file.resolve(), seconds, sha256) if sha256 and seconds is not None else None

    def _seconds(self, file: Path) -> float | None:
        try:
            data = self._data(file, MAX_PROMPT_BYTES + 1)
            return None if data is None else measure(data)
        except UnplayableError as error:
            self.errors.append(FileError(file, NOWHERE, "", str(error)))
        return None

    def _sha256(self, file: Path, most: int = MAX_BYTES + 1) -> str | None:
        """Return the SHA-256 of a file, without reading it if it is known; None if it cannot be read."""
        try:
            known = self.cache.sha256(file)
        except OSError as error:
            self._cannot_read(file, error)
            return None
        if known is None:
            return None if self._data(file, most) is None else self.hashes[self._key(file)]
        self.hashes[self._key(file)] = known
        return known

    def _data(self, file: Path, most: int) -> bytes | None:
        """Return the content of a file, at most so many bytes; None if it cannot be read.

        A file that was just read is not read again: its content belongs to the SHA-256 that was returned.
        """
        if self._just_read and self._just_read[0] is file:
            return self._just_read[1]
        try:
            data, self.hashes[self._key(file)] = self.cache.read(file, most)
        except OSError as error:
            self._cannot_read(file, error)
            return None
        self._just_read = file, data
        return data

    def _cannot_read(self, file: Path, error: OSError) -> None:
        what = f"cannot be read ({error.strerror}); check its owner and mode"
        self.errors.append(FileError(file, NOWHERE, "", what))

    def prompt_name(self, file: Path) -> str:
        """Return `welcome`, or with a language `nl/welcome`."""
        return file.relative_to(self.folder / "prompts").with_suffix("").as_posix()

    def _key(self, file: Path) -> str:
        return str(file)[len(str(self.folder)) + 1 :]  # relative_to() takes 0.2 ms
