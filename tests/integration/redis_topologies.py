"""Real Redis servers as people run them: three masters of a cluster, TLS with ACL users."""

from __future__ import annotations

import datetime
import ipaddress
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from free_port import free_port
from redis import Redis, RedisError

HOST = "127.0.0.1"
MASTERS = 3
_SLOTS = 16384
_PATIENCE_SECONDS = 20.0


@dataclass(frozen=True)
class TlsRedis:
    """A server that speaks only TLS."""

    port: int
    ca: Path

    def url(self, user: str = "", password: str = "") -> str:
        credentials = f"{user}:{password}@" if user else ""
        return f"rediss://{credentials}{HOST}:{self.port}/0?ssl_ca_certs={self.ca}"


@contextmanager
def redis_cluster(folder: Path) -> Iterator[str]:
    """The address of a cluster of three masters."""
    with ExitStack() as stack:
        nodes = [stack.enter_context(_cluster_node(folder / f"node{n}")) for n in range(MASTERS)]
        for number, node in enumerate(nodes):
            first, end = (_SLOTS * at // MASTERS for at in (number, number + 1))
            node.execute_command("CLUSTER", "ADDSLOTSRANGE", first, end - 1)
            node.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for node in nodes[1:]:
            port = node.connection_pool.connection_kwargs["port"]
            bus = node.config_get("cluster-port")["cluster-port"]
            nodes[0].execute_command("CLUSTER", "MEET", HOST, port, bus)
        for node in nodes:
            _wait_until(lambda node=node: node.cluster("INFO")["cluster_state"] == "ok")
            _wait_until(lambda node=node: len(node.execute_command("CLUSTER", "SLOTS")) == MASTERS)
        yield f"redis+cluster://{HOST}:{nodes[0].connection_pool.connection_kwargs['port']}"


@contextmanager
def redis_with_tls(folder: Path) -> Iterator[TlsRedis]:
    """A server that speaks only TLS, with certificates made for it."""
    folder.mkdir(parents=True, exist_ok=True)
    ca, certificate, key = _certificates(folder)
    port = free_port()
    options = {
        "port": 0,
        "tls-port": port,
        "tls-ca-cert-file": ca,
        "tls-cert-file": certificate,
        "tls-key-file": key,
        "tls-auth-clients": "no",
    }
    client = Redis(host=HOST, port=port, ssl=True, ssl_ca_certs=str(ca))
    with _server(folder, options, client):
        yield TlsRedis(port, ca)


@contextmanager
def redis_on_a_socket(folder: Path) -> Iterator[str]:
    """The address of a server that listens on a socket of this machine only."""
    path = folder / "redis.sock"
    with _server(folder, {"port": 0, "unixsocket": path}, Redis(unix_socket_path=str(path))):
        yield f"unix://{path}"


@contextmanager
def _cluster_node(folder: Path) -> Iterator[Redis]:
    folder.mkdir(parents=True)
    port = free_port()
    options = {
        "port": port,
        "cluster-enabled": "yes",
        "cluster-port": free_port(),
        "cluster-node-timeout": 5000,
        "cluster-config-file": folder / "nodes.conf",
    }
    with _server(folder, options, Redis(host=HOST, port=port)) as client:
        yield client


@contextmanager
def _server(folder: Path, options: dict[str, object], client: Redis) -> Iterator[Redis]:
    common = {"bind": HOST, "dir": folder, "save": "", "appendonly": "no"}
    arguments = [
        str(part) for name, value in (common | options).items() for part in (f"--{name}", value)
    ]
    process = subprocess.Popen(["redis-server", *arguments], stdout=subprocess.DEVNULL)
    try:
        _wait_until(lambda: _answers(client))
        yield client
    finally:
        client.close()
        process.terminate()
        process.wait(_PATIENCE_SECONDS)


def _answers(client: Redis) -> bool:
    try:
        return bool(client.ping())
    except RedisError:
        return False


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "Redis did not come up"
        time.sleep(0.05)


def _certificates(folder: Path) -> tuple[Path, Path, Path]:
    """An authority, and what it signed for this machine: certificate and key."""
    authority, server = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    issuer, subject = _name("test authority"), _name(HOST)
    paths = folder / "ca.pem", folder / "server.pem", folder / "server.key"
    own = _unsigned(issuer, issuer, authority).add_extension(
        x509.BasicConstraints(ca=True, path_length=None), critical=True
    )
    usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
    own = own.add_extension(usage, critical=True)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))])
    signed = _unsigned(subject, issuer, server).add_extension(address, critical=False)
    pem = serialization.Encoding.PEM
    paths[0].write_bytes(own.sign(authority, hashes.SHA256()).public_bytes(pem))
    paths[1].write_bytes(signed.sign(authority, hashes.SHA256()).public_bytes(pem))
    format_ = serialization.PrivateFormat.PKCS8
    paths[2].write_bytes(server.private_bytes(pem, format_, serialization.NoEncryption()))
    return paths


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _unsigned(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
    )
