"""Messages between two processes in lockstep; none of them executes code."""

import json
from dataclasses import dataclass

import numpy as np
import zmq


@dataclass(frozen=True)
class Partner:
    """The process at the other end.

    Parameters
    ----------
    name : str
        For the line that says that it is gone.
    socket : zmq.Socket
        REQ of the process that leads, REP of the one that answers.
    losses : zmq.Socket
        Tells that the partner's end of the connection was closed.
    patience : float
        Seconds after which a silent partner is given up.
    """

    name: str
    socket: zmq.Socket
    losses: zmq.Socket
    patience: float

    def send(self, header: dict, **fields: np.ndarray) -> None:
        """A header, and fields as raw bytes behind it."""
        parts = {name: np.ascontiguousarray(values) for name, values in fields.items()}
        about = {name: [part.dtype.str, part.shape] for name, part in parts.items()}
        self.socket.send_multipart([json.dumps(header | {"fields": about}).encode(), *parts.values()])

    def receive(self) -> tuple[dict, dict[str, np.ndarray]]:
        """Header and fields of the next message.

        Raises
        ------
        SystemExit
            In one line, if the partner died, is silent for too long, or says that it gave up.
        """
        poller = zmq.Poller()
        poller.register(self.socket, zmq.POLLIN)
        poller.register(self.losses, zmq.POLLIN)
        heard = dict(poller.poll(1000 * self.patience))
        try:
            first, *parts = self.socket.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            fate = "died" if heard else f"was silent for {self.patience:g} s"
            raise SystemExit(
                f"{self.name} {fate}; start both again: they go on from the last year that both saved."
            ) from None
        header = json.loads(first)
        if "error" in header:
            raise SystemExit(f"{self.name} gave up: {header['error']}")
        about = header.pop("fields").items()
        return header, {n: np.frombuffer(p, t).reshape(s) for (n, (t, s)), p in zip(about, parts, strict=True)}


def meet(name: str, kind: int, address: str, patience: float) -> Partner:
    """A partner at an address of ZeroMQ, such as ``tcp://127.0.0.1:5555`` or ``ipc://coupling``.

    Parameters
    ----------
    name : str
    kind : int
        ``zmq.REQ`` leads and connects; ``zmq.REP`` answers, and owns the address.
    address : str
    patience : float
        Seconds.
    """
    socket = zmq.Context.instance().socket(kind)
    socket.setsockopt(zmq.SNDTIMEO, int(1000 * patience))
    socket.setsockopt(zmq.LINGER, 1000)  # milliseconds in which a last message may still leave
    losses = socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
    (socket.bind if kind == zmq.REP else socket.connect)(address)
    return Partner(name, socket, losses, patience)
