"""Receives Bitrix24 events and stores them durably on Redis Streams: the event gateway."""

__version__ = "0.2.0"
