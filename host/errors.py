"""Every error that a user can cause or meet, as one tree; each leaf has its own exit status.

::

    HostError                      1   anything expected that has no better name
    |- ModelError
    |  |- ModelMissingError         9   no such file, and no network of that name in the catalogue
    |  |- NotATfliteError         10   the file is no .tflite file
    |  |- TruncatedModelError     11   it began as one, but points outside itself
    |  |- FloatModelError         12   float arithmetic inside the network
    |  |- UnsupportedError        13   an operator, or a form of one, that we cannot run exactly
    |  |- NotAnOnnxError          30   the file is no .onnx file, or a damaged one
    |  |- NetworkError            31   a network script failed, or describes a network that cannot be
    |  |- QuantizeError           32   a float network that cannot be quantised with these samples
    |- InputError                 14   an input of the wrong shape, type or format
    |- DoesNotFitError            15   plan or arena larger than the board's memory
    |- UnknownBoardError          16   no manifest of that name
    |- PortError
    |  |- PortMissingError        17   the serial port does not exist
    |  |- PortBusyError           18   another program holds it
    |  |- PortChoiceError         33   no attached board fits, or several do: --port must say which
    |  |- PortDeniedError         34   this user may not open it
    |- ToolMissingError           19   QEMU, a compiler ... is not installed
    |- ProtocolMismatchError      20   the firmware speaks another protocol version
    |- BuildError                 21   the firmware did not build
    |- LinkError                  22   no answer, or only damaged ones
    |- DeviceError                23   the device refused a request; carries its status
    |- EmulatorError              24   QEMU ended by itself
    |- NotExactError              25   outputs differ from the oracle
    |- DownloadError              26   a catalogue file could not be had, or has the wrong hash
    |- FlashError                 27   the probe or its tool failed, or the flash holds something else
    |  |- ProbeMissingError       40   no debug probe, or none of that serial number, or it may not be opened
    |  |- ProbeChoiceError        41   several probes are plugged in and none was chosen
    |  |- ProbeBusyError          42   another program holds the probe
    |  |- WrongBoardError         43   the probe belongs to another board, or the chip is another one
    |  |- ProtectedError          44   the chip is read-protected
    |  |- VerifyError             45   the flash does not hold what was written; says where
    |  |- ProbeLostError          46   the probe was unplugged while it was in use
    |  |- ProbeTimeoutError       47   probe or chip did not answer in time
    |- PackError                  48   a CMSIS pack is missing, damaged, out of reach, or contradicts a manifest
    |- OutputError                28   a result file cannot be written
    |- RegressionError            29   `host bench --compare` found that a kernel got slower

click keeps 2 for wrong usage; Ctrl-C ends with 130.
"""

from __future__ import annotations


class HostError(Exception):
    """An expected failure: `message` says in one line what is wrong, `hint` what to do next."""

    exit_status = 1

    def __init__(self, message: str, hint: str = ""):
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        """Message and hint on one line."""
        return f"{self.message}; {self.hint}" if self.hint else self.message


class ModelError(HostError):
    """The network file cannot be used."""


class ModelMissingError(ModelError):
    """There is no such file, and the catalogue has no network of that name."""

    exit_status = 9


class NotATfliteError(ModelError):
    """The file is not a TensorFlow Lite flatbuffer."""

    exit_status = 10


class TruncatedModelError(ModelError):
    """The flatbuffer refers to bytes that are not in the file."""

    exit_status = 11


class FloatModelError(ModelError):
    """The network computes in floating point."""

    exit_status = 12


class UnsupportedError(ModelError):
    """An operator, or a form of it, has no exact implementation here."""

    exit_status = 13


class NotAnOnnxError(ModelError):
    """The file is not an ONNX network, or a damaged one."""

    exit_status = 30


class NetworkError(ModelError):
    """A network script failed, or a network under construction does not fit together.

    `place` is the script's file and line, if known.
    """

    exit_status = 31

    def __init__(self, message: str, hint: str = "", *, place: str = ""):
        super().__init__(f"{place}: {message}" if place else message, hint)
        self.place = place


class QuantizeError(ModelError):
    """A float network cannot be quantised, or not with these samples and choices."""

    exit_status = 32


class InputError(HostError):
    """An input file or specification does not suit the network."""

    exit_status = 14


class DoesNotFitError(HostError):
    """The plan needs more memory than the board has; the message has both numbers."""

    exit_status = 15


class UnknownBoardError(HostError):
    """No board manifest has that name."""

    exit_status = 16


class PortError(HostError):
    """A serial port cannot be used."""


class PortMissingError(PortError):
    """The serial port does not exist or nothing listens there."""

    exit_status = 17


class PortBusyError(PortError):
    """The serial port is held by another program."""

    exit_status = 18


class PortChoiceError(PortError):
    """No attached board is the one that is meant, or several may be; the message lists them."""

    exit_status = 33


class PortDeniedError(PortError):
    """This user has no permission to open the port, or to change what gives it."""

    exit_status = 34


class ToolMissingError(HostError):
    """A program that we call is not installed; the hint names the package."""

    exit_status = 19


class ProtocolMismatchError(HostError):
    """Firmware and host speak different protocol versions."""

    exit_status = 20


class BuildError(HostError):
    """The firmware or the native library did not build."""

    exit_status = 21


class LinkError(HostError):
    """The device does not answer, or its answers arrive damaged."""

    exit_status = 22


class DeviceError(HostError):
    """The device answered a request with an error status.

    `status` is the name in firmware/runtime/status.def, `detail` the number that came with it.
    """

    exit_status = 23

    def __init__(self, message: str, hint: str = "", *, status: str = "", detail: int = 0):
        super().__init__(message, hint)
        self.status = status
        self.detail = detail


class EmulatorError(HostError):
    """The emulator ended or could not start."""

    exit_status = 24


class NotExactError(HostError):
    """The device's outputs differ from the oracle's."""

    exit_status = 25


class DownloadError(HostError):
    """A file of the catalogue could not be fetched, or is not the one that was promised."""

    exit_status = 26


class FlashError(HostError):
    """Writing the device's flash failed."""

    exit_status = 27


class ProbeMissingError(FlashError):
    """No debug probe is plugged in, or none of that serial number, or we may not open it."""

    exit_status = 40


class ProbeChoiceError(FlashError):
    """Several probes are plugged in and none was chosen; the message lists them."""

    exit_status = 41


class ProbeBusyError(FlashError):
    """Another program holds the probe."""

    exit_status = 42


class WrongBoardError(FlashError):
    """The probe is part of another board, or the chip behind it is another one. Nothing was written."""

    exit_status = 43


class ProtectedError(FlashError):
    """The chip's flash is read-protected. Nothing was written."""

    exit_status = 44


class VerifyError(FlashError):
    """The flash does not hold what was written; the message has the first address and its bytes."""

    exit_status = 45


class ProbeLostError(FlashError):
    """The probe was unplugged while it was in use."""

    exit_status = 46


class ProbeTimeoutError(FlashError):
    """The probe or the chip did not answer in time."""

    exit_status = 47


class PackError(HostError):
    """A CMSIS pack is missing, damaged or out of reach, or contradicts a board's manifest."""

    exit_status = 48


class OutputError(HostError):
    """A file that the user asked for cannot be written."""

    exit_status = 28


class RegressionError(HostError):
    """A kernel takes more than it took in a saved bench."""

    exit_status = 29
