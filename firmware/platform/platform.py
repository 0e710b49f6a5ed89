"""PlatformIO development platform: finds the toolchain; builder/main.py does the rest."""

import shutil

from platformio.platform.base import PlatformBase


class TinyconvPlatform(PlatformBase):
    """An arm-none-eabi-gcc on PATH is used; without one PlatformIO fetches its own package, where it can."""

    def configure_default_packages(self, options, targets):
        """Drops the toolchain package when PATH has a compiler."""
        if shutil.which("arm-none-eabi-gcc"):
            self.packages.pop("toolchain-gccarmnoneeabi", None)
        return super().configure_default_packages(options, targets)

    def is_embedded(self):
        """There is no uploader package to tell PlatformIO so."""
        return True
