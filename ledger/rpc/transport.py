"""Mutual TLS: the server shows its certificate, and asks everybody for theirs (TLS 1.3)."""

from pathlib import Path
from typing import Any

import grpc

from ledger.errors import MistakeError
from ledger.keys.certificates import Identities, Known


def credentials(identities: Identities) -> grpc.ServerCredentials:
    """What a server listens with. Each new connection sees the files as they are then."""
    last = identities.current()

    def configured() -> grpc.ServerCertificateConfiguration | None:
        nonlocal last
        known = identities.current()
        if known.number == last.number:
            return None
        last = known
        return _configuration(known)

    # Its stub does not know that nothing new is None.
    fetch: Any = configured
    return grpc.dynamic_ssl_server_credentials(
        _configuration(last), fetch, require_client_authentication=True
    )


def _configuration(known: Known) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration(
        [(known.key, known.certificate_chain)], root_certificates=known.authorities
    )


def channel_credentials(identity: Path) -> grpc.ChannelCredentials:
    """What a client connects with: a folder with client.pem, client.key and authorities.pem.

    Raises MistakeError for a folder that is none.
    """
    try:
        chain, key, authorities = (
            (identity / name).read_bytes()
            for name in ("client.pem", "client.key", "authorities.pem")
        )
    except OSError as error:
        raise MistakeError(f"{identity} is no identity: {error.strerror}") from None
    return grpc.ssl_channel_credentials(authorities, key, chain)
