"""`host serve`: this machine's board for another machine."""

from __future__ import annotations

import click


@click.command("serve")
@click.option("--port", "-p", metavar="PORT", help="Serial port to share. Default: the only ST-Link's.")
@click.option("--listen", metavar="HOST:PORT", default="127.0.0.1:2217", show_default=True,
              help="Where to wait for clients; 0.0.0.0:2217 lets other machines in.")  # fmt: skip
def command(port: str | None, listen: str) -> None:
    """Share a board's serial port with another machine, until Ctrl-C.

    There, --port rfc2217://THIS_MACHINE:2217 takes the place of a local port. One client at a time. Nothing is
    encrypted and nobody has to log in: over a network that you do not trust, listen at 127.0.0.1 and use
    ssh -L 2217:127.0.0.1:2217 THIS_MACHINE on the other side.
    """
    from host import selection
    from host.serve import PortServer, is_local, parse_address
    from host.transport.serial import DEFAULT_BAUD

    address = parse_address(listen)
    port = port or selection.only_port()
    server = PortServer(port, DEFAULT_BAUD, address, lambda text: click.echo(text, err=True))
    host, number = server.address
    shown = f"[{host}]" if ":" in host else host
    click.echo(f"{port} is shared at rfc2217://{shown}:{number}; Ctrl-C ends")
    if not is_local(host):
        click.echo("whoever reaches this machine can use the board", err=True)
    server.serve()
