"""Pushes events to services over HTTP: signed as Standard Webhooks, shaped as CloudEvents.

What is due when, in which order and how often is not decided here (consumers.relay does that).
"""
