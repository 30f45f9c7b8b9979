"""A Kafka of one's own for tests, measurements and trials: one broker on 127.0.0.1.

Its jars come from Maven Central, once: `make kafka-jars`. Needs Java 17.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lockstep.stream.errors import StreamError

_PATIENCE_SECONDS = 60.0
_CLUSTER = "4L6g3nShT-eMCtK--X86sw"
# No request for memory that a laptop lacks; pages of the log are the kernel's.
_HEAP = "-Xmx512m"
_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
log.dirs={folder}/data
auto.create.topics.enable=false
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
log.retention.ms=-1
"""


def jars_dir() -> Path:
    """Where `make kafka-jars` puts them: beside this environment."""
    return Path(sys.prefix) / "share" / "lockstep" / "kafka-jars"


@dataclass
class LocalKafka:
    """A broker over its folder; it can be killed and started again."""

    folder: Path
    port: int = field(default_factory=lambda: _free_port())
    process: subprocess.Popen[bytes] | None = None
    _controller: int = field(default_factory=lambda: _free_port())

    @property
    def servers(self) -> str:
        """Its address, as clients take it."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Returns once it takes connections.

        Raises:
            StreamError: there is no Java, there are no jars, or it ended.
        """
        properties = self.folder / "server.properties"
        if not properties.exists():
            properties.write_text(
                _PROPERTIES.format(port=self.port, controller=self._controller, folder=self.folder)
            )
            told = ["format", "--cluster-id", _CLUSTER, "--config", str(properties)]
            done = subprocess.run(_java("kafka.tools.StorageTool", *told), capture_output=True)
            if done.returncode:
                raise StreamError.no_broker(done.stderr.decode(errors="replace")[-500:])
        with (self.folder / "broker.log").open("ab") as log:
            self.process = subprocess.Popen(
                _java("kafka.Kafka", str(properties)), stdout=log, stderr=log
            )
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise StreamError.no_broker((self.folder / "broker.log").read_text()[-500:])
            time.sleep(0.1)

    def kill(self) -> None:
        """Ends it at once; what it had acknowledged stays."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1.0).close()
        except OSError:
            return False
        return True


@contextmanager
def local_kafka() -> Iterator[LocalKafka]:
    """One in a folder of its own, which goes with it.

    Raises:
        StreamError: it cannot be started.
    """
    with tempfile.TemporaryDirectory(prefix="lockstep-kafka-") as folder:
        broker = LocalKafka(Path(folder))
        broker.start()
        try:
            yield broker
        finally:
            broker.kill()


def _java(main: str, *arguments: str) -> list[str]:
    java = shutil.which("java")
    if java is None or not (jars_dir() / ".verified").exists():
        raise StreamError.no_broker("it needs Java 17 and its jars")
    return [java, _HEAP, "-cp", f"{jars_dir()}/*", main, *arguments]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
