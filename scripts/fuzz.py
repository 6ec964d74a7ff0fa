#!/usr/bin/env python3
"""Call every method of a ledger in every way that is wrong, and see that nothing gives way.

    .venv/bin/python scripts/fuzz.py                     a million calls: half an hour on two cores
    .venv/bin/python scripts/fuzz.py --calls 20000       about a minute
    .venv/bin/python scripts/fuzz.py --seconds 600 --seed 7

Requests are good ones made worse by a grammar (`tests/fuzzing.py`): values, times, ids, texts, how
a message is written, tokens, metadata. Which are made worse again is chosen by the code that they
reached (atheris, libFuzzer; without it, at random). One call in a hundred goes over TLS, the others
take the same way within a process, one for each core. No call may end as INTERNAL, UNKNOWN or
DATA_LOSS, and nothing that was sent, or is kept of a person, may be in a refusal or in the log. On
stdout a line of JSON; exits with 1 where something was found.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

os.environ.setdefault("GRPC_VERBOSITY", "NONE")
ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

try:
    import atheris
except ImportError:  # not for every platform
    atheris = None

OVER_TLS = 0.01
BODY_MAX = 1_200_000
# In front of a body: method, caller, whether what goes with it is made worse, and how.
HEAD, WORSE_BELOW = 6, 25
TOLD_EVERY = 1_000
# What a client of gRPC says, as INTERNAL, of metadata that it does not send.
NEVER_SENT = "Invalid metadata"
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108  # no disk is worn out


def main() -> None:
    asked = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    asked.add_argument("--calls", type=int, default=1_000_000)
    asked.add_argument("--seconds", type=float, default=0, help="stop after so long")
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--workers", type=int, default=os.cpu_count())
    asked.add_argument("--guided", type=Path, help=argparse.SUPPRESS)
    told = asked.parse_args()
    if told.guided:
        guided(told.guided, told.calls, told.seconds, told.seed)
    began = time.monotonic()
    over_tls = max(1, round(told.calls * OVER_TLS))
    share = -(-(told.calls - over_tls) // told.workers)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder, ExitStack() as started:
        outs = [Path(folder) / str(at) for at in range(told.workers)]
        workers = [
            started.enter_context(worker(out, share, told.seconds, told.seed + at))
            for at, out in enumerate(outs)
        ]
        parts = [wire(over_tls, told.seconds, told.seed)]
        parts += [part_of(*one) for one in zip(workers, outs, strict=True)]
    sys.exit(summary(parts, time.monotonic() - began))


@contextmanager
def worker(out: Path, calls: int, seconds: float, seed: int) -> Iterator[subprocess.Popen[bytes]]:
    """A process that makes so many calls, and writes what came of them to `out`."""
    with out.with_suffix(".said").open("wb") as said:
        running = subprocess.Popen(
            [
                *(sys.executable, __file__, f"--guided={out}", f"--calls={calls}"),
                *(f"--seconds={seconds}", f"--seed={seed}"),
            ],
            stdout=said,
            stderr=said,
        )
        try:
            yield running
        finally:
            if running.poll() is None:
                running.kill()
                running.wait()


def part_of(running: subprocess.Popen[bytes], out: Path) -> dict[str, Any]:
    """What came of a process, also of one that did not come to its end."""
    running.wait()
    part = {"calls": 0, "outcomes": {}, "findings": {}}
    if out.exists():
        part = json.loads(out.read_text(encoding="utf-8"))
    if running.returncode:
        said = out.with_suffix(".said").read_text(encoding="utf-8", errors="replace")
        part["findings"][f"ended with {running.returncode}: {said[-1_500:]}"] = 1
    return part


def summary(parts: list[dict[str, Any]], seconds: float) -> bool:
    """Print all of it, and whether anything was found."""
    findings: Counter[str] = sum((Counter(one["findings"]) for one in parts), Counter())
    outcomes: Counter[str] = sum((Counter(one["outcomes"]) for one in parts), Counter())
    codes: Counter[str] = Counter()
    for name, times in outcomes.items():
        codes[name.split()[1]] += times
    told = {
        "calls": sum(one["calls"] for one in parts),
        "over_tls": parts[0]["calls"],
        "guided": atheris is not None,
        "seconds": round(seconds, 1),
        "methods": len({name.split()[0] for name in outcomes}),
        "methods_answered": sum(name.endswith(" OK") for name in outcomes),
        "codes": dict(codes.most_common()),
        "findings": dict(findings.most_common()),
    }
    print(json.dumps(told))
    return bool(findings)


def guided(out: Path, calls: int, seconds: float, seed: int) -> None:
    """So many calls within this process, guided by what they reach. Does not return."""
    instrumented = (
        atheris.instrument_imports(include=["ledger", "projections"]) if atheris else nullcontext()
    )
    with instrumented:
        from fuzzed import CALLERS, Fuzzed
    from fuzzing import METHODS, any_method, mutated, mutated_metadata

    folder = tempfile.TemporaryDirectory(prefix="fuzz-", dir=MEMORY)
    target = Fuzzed(Path(folder.name))
    until = time.monotonic() + seconds if seconds else float("inf")

    def one(content: bytes) -> None:
        method, caller = METHODS[content[0] % len(METHODS)], CALLERS[content[1] % len(CALLERS)]
        metadata = target.metadata(caller)
        if content[2] < WORSE_BELOW:
            metadata = mutated_metadata(Random(content[:HEAD]), metadata)  # noqa: S311
        target.call(method, caller, metadata, content[HEAD:])
        is_over = target.calls >= calls or time.monotonic() > until
        if is_over or target.calls % TOLD_EVERY == 0:
            out.write_text(told(target, target.calls), encoding="utf-8")
        if is_over:
            target.close()
            folder.cleanup()
            # libFuzzer would go on.
            os._exit(0)

    def worse(content: bytes, _size_max: int, seed: int) -> bytes:
        random = Random(seed)  # noqa: S311
        if len(content) <= HEAD or random.random() < 0.5:  # noqa: PLR2004
            method, content = any_method(random), b""
        else:
            method = METHODS[content[0] % len(METHODS)]
        head = bytes([METHODS.index(method)]) + random.randbytes(HEAD - 1)
        return head + mutated(random, method, content[HEAD:])[:BODY_MAX]

    if atheris is None:
        for at in count(seed * calls):
            one(worse(b"", 0, at))
    begun = corpus(Path(folder.name))
    atheris.Setup(
        [
            *(sys.argv[0], str(begun), f"-seed={seed}", f"-max_len={BODY_MAX + HEAD}"),
            *("-len_control=0", "-timeout=300", "-rss_limit_mb=4096", f"-artifact_prefix={begun}/"),
        ],
        lambda content: one(content) if len(content) > HEAD else None,
        custom_mutator=worse,
    )
    atheris.Fuzz()


def corpus(folder: Path) -> Path:
    """A folder of good requests to begin with."""
    from fuzzing import EXAMPLES, METHODS

    begun = folder / "corpus"
    begun.mkdir()
    for at, method in enumerate(METHODS):
        for number, request in enumerate(EXAMPLES[method.full_name]):
            head = bytes([at, number, WORSE_BELOW, 0, 0, 0])
            (begun / f"{at}-{number}").write_bytes(head + request.SerializeToString())
    return begun


def wire(calls: int, seconds: float, seed: int) -> dict[str, Any]:
    """So many calls over TLS, by all callers at once."""
    import grpc
    from fuzzed import CALLERS, Judge, good_metadata, token_of
    from fuzzed import seed as fill_ledger
    from fuzzing import any_method, example, mutated, mutated_metadata

    from ledger.access.limits import Limits
    from ledger.keys.authority import make
    from ledger.keys.certificates import Identities
    from ledger.ledger import Ledger
    from ledger.rpc import call as edge
    from ledger.rpc.server import Server
    from ledger.rpc.transport import channel_credentials

    judge = Judge()
    until = time.monotonic() + seconds if seconds else float("inf")
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=MEMORY) as place:
        folder = Path(place)
        make(folder / "authority")
        ledger = Ledger(f"sqlite:///{folder}/ledger.db", keys=folder / "keys")
        fill_ledger(ledger)
        edge.ABSENT_S = 0.0
        identities = Identities(folder / "authority" / "server")
        server = Server(ledger, "127.0.0.1:0", identities)
        server._calls.limits = Limits(count(0, 1_000).__next__)
        token, made = token_of(folder / "authority"), count()

        def caller(name: str) -> None:
            random = Random(f"{seed} {name}")  # noqa: S311
            whose = channel_credentials(folder / "authority" / "clients" / name)
            with grpc.secure_channel(server.address, whose) as channel:
                while next(made) < calls and time.monotonic() < until:
                    method = any_method(random)
                    metadata = good_metadata(name, token)
                    if random.random() < 0.1:  # noqa: PLR2004
                        metadata = mutated_metadata(random, metadata)
                    good = example(random, method).SerializeToString()
                    judge.judge(*send(channel, method, mutated(random, method, good), metadata))

        with ThreadPoolExecutor(len(CALLERS)) as pool:
            for done in [pool.submit(caller, name) for name in CALLERS]:
                done.result()
        server.stop()
    return json.loads(told(judge, sum(judge.outcomes.values())))


def send(channel: Any, method: Any, data: bytes, metadata: Any) -> tuple[str, Any, str, bytes]:
    """Make a call: (method, code, text, details) of how it ended."""
    import grpc

    path = f"/{method.containing_service.full_name}/{method.name}"
    try:
        if method.server_streaming:
            stream = channel.unary_stream(path)(data, timeout=30, metadata=metadata)
            for _ in stream:
                if method.name == "WatchEvents":
                    stream.cancel()
                    break
        else:
            channel.unary_unary(path)(data, timeout=30, metadata=metadata)
    except grpc.RpcError as error:
        if error.details() == NEVER_SENT:
            return method.name, grpc.StatusCode.OK, "", b""
        told = b"".join(
            value for _, value in error.trailing_metadata() or () if value.__class__ is bytes
        )
        return method.name, error.code(), error.details() or "", told
    except (ValueError, TypeError, UnicodeError):
        # What no client of grpc can send.
        return method.name, grpc.StatusCode.OK, "", b""
    return method.name, grpc.StatusCode.OK, "", b""


def told(judge: Any, calls: int) -> str:
    """What a part came to, as JSON."""
    return json.dumps({"calls": calls, "outcomes": judge.outcomes, "findings": judge.findings})


if __name__ == "__main__":
    main()
