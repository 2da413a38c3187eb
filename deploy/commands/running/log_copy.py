"""`wattledger log copy`: the event log moved from one store to the other."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from deploy.commands.data_folder import READ_FOLDER, ReadingFolder
from deploy.errors import DeployError
from deploy.output import print_json, say
from deploy.running.opening import opened
from deploy.running.owner import sole_owner
from deploy.settings import FILE_NAME

if TYPE_CHECKING:
    from psycopg import Connection

    from deploy.settings import Settings
    from ledger.log.copying import CopiedLog
    from ledger.log.event_log import EventLog

Store = Literal["postgres", "kafka"]


def copy(
    *,
    source: Annotated[Store, Parameter(name="--from")],
    target: Annotated[Store, Parameter(name="--to")],
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Copy the event log into the other store, record for record, and compare them.

    Each record gets the position that it has, repeats too; whatever would stand elsewhere is
    refused. The store to copy to is empty, or holds the first records of the log: then those are
    compared and the copy goes on, so that one that was interrupted is simply started again. The
    topic, and that of decisions, is made if there is none, as by `kafka init`; a log's that is
    weaker than `kafka_profile` asks is refused. Nothing may be up meanwhile. The log that was
    copied stays as it is, and nobody can go on with it any more: with the old settings every
    command is refused, until it is copied back.

    Args:
        source: The store that has the log.
        target: The store to copy to. The settings kafka_... say which cluster and topic.
        folder: Where.
    """
    from deploy.progress_bar import progress_bar
    from deploy.running.log_store import chosen_store, open_event_log
    from ledger.database import dsn_of
    from ledger.log.copying import copy_log
    from ledger.log.moving import move_log

    if source == target:
        message = "say two stores: --from postgres --to kafka, or the other way"
        raise DeployError(message)
    given = folder.settings()
    settings = replace(given, log=source)
    # Whichever is not Kafka needs no cluster; that one is named whatever the log is now.
    moved = replace(given, log=target)
    with opened(settings, moves_log=True) as connection, sole_owner(settings.data):
        _check_topic(connection, given)
        dsn = dsn_of(connection)
        with closing(open_event_log(dsn, settings)) as old:
            _make(dsn, moved, partitions=old.partitions)
            with (
                closing(open_event_log(dsn, moved, is_copied_to=True)) as new,
                progress_bar("copying", is_shown=not folder.json) as show,
            ):
                _check(new, moved)
                copied = copy_log(old, new, progress=show)
        move_log(connection, chosen_store(moved), records=copied.records)
    _report(copied, given, source=source, target=target, is_json=folder.json)
    return 0


def _check_topic(connection: Connection[Any], settings: Settings) -> None:
    """Refuse another topic than the one that has the log, if one has it."""
    from deploy.running.log_store import chosen_store
    from ledger.log.moving import LogElsewhereError, store_in_use

    found, kafka = store_in_use(connection), chosen_store(replace(settings, log="kafka"))
    if found is not None and found.topic not in (None, kafka.topic):
        raise LogElsewhereError(kafka, found)


def _make(dsn: str, settings: Settings, *, partitions: int) -> None:
    """Make the log that is copied to, with as many *partitions*, if there is none."""
    if settings.log == "kafka":
        from deploy.running.log_store import decisions_cluster, kafka_cluster
        from ledger.log.kafka.topics import PROFILES, make_topic

        profile = PROFILES[settings.kafka_profile]
        # What is published, too: where the log is in Kafka, `up` does not start without its topic.
        for cluster in (kafka_cluster(settings), decisions_cluster(settings)):
            make_topic(cluster, partitions=partitions, profile=profile)
        return
    import psycopg

    from deploy.running.log_store import make_event_log

    with psycopg.connect(dsn) as connection:
        make_event_log(connection, replace(settings, partitions=partitions))


def _check(log: EventLog, settings: Settings) -> None:
    """Refuse a topic that is weaker than its profile; how many partitions, the copy looks."""
    if settings.log == "kafka":
        from deploy.running.log_store import kafka_cluster
        from ledger.log.kafka.topics import PROFILES, check_topic

        profile = PROFILES[settings.kafka_profile]
        check_topic(kafka_cluster(settings), partitions=log.partitions, profile=profile)


def _report(
    copied: CopiedLog, settings: Settings, *, source: Store, target: Store, is_json: bool
) -> None:
    needed: dict[str, object] = {"log": target, "partitions": copied.partitions}
    if target == "kafka":
        needed |= {
            "kafka_bootstrap": settings.kafka_bootstrap,
            "kafka_topic": settings.kafka_topic,
            "kafka_profile": settings.kafka_profile,
        }
    if is_json:
        print_json({"from": source, "to": target, **copied._asdict(), "settings": needed})
        return
    say(
        f"{copied.records} records of {copied.lines} lines are in {target}, each where it was in "
        f"{source}, and equal ({copied.found} were there before).",
        f"Before anything is up again, set in {FILE_NAME} (or as WATTLEDGER_... variables):",
        *(
            f"  {name} = {value}" if isinstance(value, int) else f'  {name} = "{value}"'
            for name, value in needed.items()
        ),
        "Then `wattledger replay --check` compares the books with it. What was copied stays in "
        f"{source}; whoever would go on with it there is refused from now on.",
    )
