"""Reading a routing folder file by file, keeping every error on the way."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from config.errors import NOWHERE, At, FileError, UnplayableError, spoken
from config.prompts import read_prompt
from config.wording import objections
from config.yaml_text import MAX_BYTES, Document, UnreadableError, read
from dialplan.model import Model
from dialplan.prompt import Prompt


@dataclass(frozen=True, slots=True)
class Written[T: Model]:
    """A file that could be read, and what it says: None when that is wrong."""

    file: Path
    document: Document
    says: T | None

    def error(self, at: At, what: str) -> FileError:
        return error_in(self.file, self.document, at, what)


@dataclass(slots=True)
class Reading:
    """One reading of a folder: the `errors` so far, the SHA-256 of each file by its path in the folder."""

    folder: Path
    errors: list[FileError] = field(default_factory=list)
    hashes: dict[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """One hash for all files, in hex: equal if and only if names and contents are."""
        return digest_of(self.hashes)

    def models[T: Model](self, files: Iterable[Path], model: type[T]) -> list[Written[T]]:
        """What these YAML files say; those that cannot be read are left out. Errors are kept."""
        return [written for file in files if (written := self._model(file, model))]

    def prompts(self, files: Iterable[Path]) -> Mapping[str, Prompt]:
        """The prompts in these files, by `name` or `language/name`; unplayable ones are left out."""
        return {self.prompt_name(file): prompt for file in files if (prompt := self._prompt(file))}

    def _model[T: Model](self, file: Path, model: type[T]) -> Written[T] | None:
        if (document := self._document(file)) is None:
            return None
        try:
            return Written(file, document, model.model_validate(document.value))
        except ValidationError as wrong:
            self.errors += (error_in(file, document, at, what) for at, what in objections(wrong, model))
            return Written(file, document, None)

    def _document(self, file: Path) -> Document | None:
        try:
            with file.open("rb") as opened:
                data = opened.read(MAX_BYTES + 1)
            self.hashes[self._key(file)] = hashlib.sha256(data).hexdigest()
            return read(data)
        except UnreadableError as wrong:
            self.errors.append(FileError(file, wrong.place, "", wrong.what))
        except OSError as wrong:
            self._cannot_read(file, wrong)
        return None

    def _prompt(self, file: Path) -> Prompt | None:
        try:
            prompt = read_prompt(file)
            self.hashes[self._key(file)] = prompt.sha256
        except UnplayableError as wrong:
            self.errors.append(FileError(file, NOWHERE, "", str(wrong)))
        except OSError as wrong:
            self._cannot_read(file, wrong)
        else:
            return prompt
        return None

    def _cannot_read(self, file: Path, wrong: OSError) -> None:
        what = f"cannot be read ({wrong.strerror}); check its owner and mode"
        self.errors.append(FileError(file, NOWHERE, "", what))

    def prompt_name(self, file: Path) -> str:
        """`welcome`, or of a language `nl/welcome`."""
        return file.relative_to(self.folder / "prompts").with_suffix("").as_posix()

    def _key(self, file: Path) -> str:
        return file.relative_to(self.folder).as_posix()


def digest_of(hashes: Mapping[str, str]) -> str:
    """The digest (SHA-256, hex) of a routing folder, from the SHA-256 of each file by its path in it."""
    lines = "".join(f"{name}\0{sha256}\n" for name, sha256 in sorted(hashes.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def error_in(file: Path, document: Document, at: At, what: str) -> FileError:
    """An error at this path of the file; what is missing is told at the place where it should stand."""
    named = at if what.startswith("is missing") else document.known(at)
    return FileError(file, document.place(at), spoken(named), what)
