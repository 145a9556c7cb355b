"""The event gateway: receives Bitrix24 events and stores them durably on Redis Streams."""

__version__ = "0.1.0"
