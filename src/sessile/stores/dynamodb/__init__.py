"""Keep sessions in DynamoDB, as connect-dynamodb of Node keeps them."""

from __future__ import annotations

from sessile.stores.dynamodb.store import DynamoDBStore, from_url

__all__ = ["DynamoDBStore", "from_url"]
