"""Judges what is sent by the messages of docs/schema/asyncapi.json."""

from typing import Any

from jsonschema import Draft202012Validator

from gateway.contract.asyncapi import asyncapi

__all__ = ["judge_headers", "judge_payload"]


def judge_payload(message: str, payload: object) -> None:
    """Raise ValidationError if a message of this name does not look so."""
    _judge(message, "payload", payload)


def judge_headers(message: str, headers: object) -> None:
    """Raise ValidationError if a message of this name does not have such headers."""
    _judge(message, "headers", headers)


def _judge(message: str, part: str, value: object) -> None:
    components: dict[str, Any] = asyncapi()["components"]
    schema = components["messages"][message][part]
    Draft202012Validator({**schema, "components": components}).validate(value)
