"""Reading a routing folder file by file, and collecting every error."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from config.caller_lists import MAX_LIST_BYTES, read_list
from config.copies import digest_of
from config.errors import NOWHERE, At, FileError, UnplayableError, spoken
from config.prompts import read_prompt
from config.wording import objections
from config.yaml_text import MAX_BYTES, Document, UnreadableError, read
from dialplan.caller_list import CallerList
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

    @property
    def digest(self) -> str:
        """One hash for all files, in hex: equal if and only if names and contents are equal."""
        return digest_of(self.hashes)

    def owners(self, files: Iterable[Path]) -> dict[str, Owner]:
        """Return the owners in these files, by name, without wrong ones. Errors are collected."""
        read = ((text.file.stem, self.model(text, Owner)) for text in self.texts(files))
        return {name: owner for name, owner in read if owner is not None}

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

    def _caller_list(self, file: Path) -> CallerList | None:
        try:
            with file.open("rb") as opened:
                data = opened.read(MAX_LIST_BYTES + 1)
        except OSError as wrong:
            self._cannot_read(file, wrong)
            return None
        self.hashes[self._key(file)] = hashlib.sha256(data).hexdigest()
        listed, wrong_lines = read_list(data)
        self.errors += (FileError(file, place, "", what) for place, what in wrong_lines)
        return listed

    def _document(self, file: Path) -> Document | None:
        try:
            with file.open("rb") as opened:
                data = opened.read(MAX_BYTES + 1)
            self.hashes[self._key(file)] = hashlib.sha256(data).hexdigest()
            return read(data)
        except UnreadableError as error:
            self.errors.append(FileError(file, error.place, "", error.what))
        except OSError as error:
            self._cannot_read(file, error)
        return None

    def _prompt(self, file: Path) -> Prompt | None:
        try:
            prompt = read_prompt(file)
            self.hashes[self._key(file)] = prompt.sha256
        except UnplayableError as error:
            self.errors.append(FileError(file, NOWHERE, "", str(error)))
        except OSError as error:
            self._cannot_read(file, error)
        else:
            return prompt
        return None

    def _cannot_read(self, file: Path, error: OSError) -> None:
        what = f"cannot be read ({error.strerror}); check its owner and mode"
        self.errors.append(FileError(file, NOWHERE, "", what))

    def prompt_name(self, file: Path) -> str:
        """Return `welcome`, or with a language `nl/welcome`."""
        return file.relative_to(self.folder / "prompts").with_suffix("").as_posix()

    def _key(self, file: Path) -> str:
        return file.relative_to(self.folder).as_posix()
