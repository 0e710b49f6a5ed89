"""The picture on an emulated board's display, saved with a line below it that says what it is not."""

from __future__ import annotations

import tempfile
from pathlib import Path

from host.demo.place import EMULATE, Place
from host.errors import InputError, OutputError

BAND_HEIGHT = 16
BAND_TEXT = "emulated: one instruction was taken as one cycle; no speed of a board"


class Screenshot:
    """As a context: when it ends, `file` holds the display's picture at the last line.

    `arguments` are the emulator's. Raises InputError if the place has no display that is emulated, OutputError.
    """

    def __init__(self, file: str, place: Place):
        if not (place.port or "").startswith(EMULATE) or place.board is None or place.board.display is None:
            raise InputError(
                "only a board's display in the register-model emulator can be saved",
                "for example: host demo --board disco_f746ng --emulate --screenshot lcd.png",
            )
        self._file = Path(file)
        if self._file.suffix.lower() != ".png":
            raise OutputError(f"{file}: a screenshot is a .png file")
        if not self._file.parent.is_dir():
            raise OutputError(f"cannot write {file}: there is no folder {self._file.parent}")
        self._folder = tempfile.TemporaryDirectory(prefix="tinyconv-")
        self._raw = Path(self._folder.name) / "display.png"

    @property
    def arguments(self) -> list[str]:
        """For the emulator: where it puts the picture."""
        return ["--screenshot", str(self._raw)]

    def __enter__(self) -> Screenshot:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if self._raw.is_file() and (kind is None or kind is KeyboardInterrupt):
                self._save()
        finally:
            self._folder.cleanup()

    def _save(self) -> None:
        from PIL import Image, ImageDraw

        with Image.open(self._raw) as picture:
            framed = Image.new("RGB", (picture.width, picture.height + BAND_HEIGHT), "white")
            framed.paste(picture, (0, 0))
        ImageDraw.Draw(framed).text((6, framed.height - BAND_HEIGHT + 2), BAND_TEXT, "black")
        try:
            framed.save(self._file)
        except OSError as error:
            raise OutputError(f"cannot write {self._file}: {error.strerror or error}") from error
