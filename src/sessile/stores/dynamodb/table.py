# Any number of processes may start at once and find no table. Nothing here is remembered but success, and nobody waits
# for AWS, which takes some seconds: until the table is there, each call finds out anew, and is refused.
"""Make the table of the DynamoDB store."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from sessile.dual import Steps
from sessile.stores._shared.refusal import Refusal

__all__ = ["code_of", "prepare"]


def prepare(client: Any, table: str) -> Steps[None]:
    """Make ``table`` if there is none, and switch on its expiry. Raises Refusal while it is being made."""
    try:
        answer = yield client.ask("describe_table", TableName=table)
        ready = answer["Table"]["TableStatus"] in ("ACTIVE", "UPDATING")
    except ClientError as error:
        if code_of(error) != "ResourceNotFoundException":
            raise
        ready = yield from _make(client, table)
    if not ready:
        raise Refusal(f"the table {table} is being made: AWS takes some seconds for that")
    answer = yield client.ask("describe_time_to_live", TableName=table)
    if answer["TimeToLiveDescription"]["TimeToLiveStatus"] == "DISABLED":
        expiry = {"Enabled": True, "AttributeName": "expires"}
        try:
            yield client.ask("update_time_to_live", TableName=table, TimeToLiveSpecification=expiry)
        except ClientError as error:
            if code_of(error) != "ValidationException":  # Another process was faster.
                raise


def _make(client: Any, table: str) -> Steps[bool]:
    try:
        answer = yield client.ask(
            "create_table",
            TableName=table,
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )
    except ClientError as error:
        if code_of(error) != "ResourceInUseException":  # Another process was faster.
            raise
        return False
    return bool(answer["TableDescription"]["TableStatus"] == "ACTIVE")


def code_of(error: Exception) -> str:
    """Return the name that AWS gives to ``error``; nothing, if it is none of AWS's."""
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, ClientError) else ""
