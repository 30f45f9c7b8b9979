"""What goes wrong with a stream."""

from __future__ import annotations

from lockstep.errors import LockstepError


class StreamError(LockstepError):
    """A stream that cannot be reached, or is not as it should be."""

    @classmethod
    def unreachable(cls, where: str, why: object) -> StreamError:
        return cls(
            f"the stream at {where} does not answer: {str(why)[:200]}",
            next_step="start it, or set LOCKSTEP_STREAM to where it is",
        )

    @classmethod
    def no_topic(cls, where: str, topic: str) -> StreamError:
        return cls(
            f"the stream at {where} has no topic {topic!r}",
            next_step="create it: `lockstep stream create`",
        )

    @classmethod
    def removed_unread(cls, topic: str, partition: int, position: str) -> StreamError:
        return cls(
            f"records of {topic!r}, partition {partition}, after {position or 'its beginning'} "
            "were removed before they were read",
            next_step="build the windows from the lake, and begin at the end of that build",
        )

    @classmethod
    def cluster(cls, where: str) -> StreamError:
        return cls(
            f"{where} is a Redis Cluster, and Redis Streams are for one Redis",
            next_step="use Kafka where one Redis is not enough",
        )

    @classmethod
    def no_broker(cls, why: str) -> StreamError:
        return cls(
            f"no Kafka could be started: {' '.join(why.split())}",
            next_step="install Java 17 and run `make kafka-jars`",
        )

    @classmethod
    def damaged_checkpoint(cls, where: str, why: object) -> StreamError:
        return cls(
            f"the checkpoint {where} cannot be read: {str(why)[:200]}",
            next_step="remove it: the worker then begins with what the lake has",
        )

    @classmethod
    def other_definitions(cls, where: str) -> StreamError:
        return cls(
            f"the checkpoint {where} is of other windows, or of another schema",
            next_step="build the windows anew, and remove it",
        )

    @classmethod
    def unbuilt(cls, tables: object) -> StreamError:
        return cls(
            f"the window tables {tables} were never built, so a stream has nothing to begin with",
            next_step="run `lockstep build`",
        )


class LostPartitionError(StreamError):
    """A partition that somebody else reads by now."""

    @classmethod
    def of(cls, topic: str, partitions: object) -> LostPartitionError:
        return cls(
            f"partitions {partitions} of {topic!r} are somebody else's by now",
            next_step="nothing: whoever has them goes on where the group was",
        )
